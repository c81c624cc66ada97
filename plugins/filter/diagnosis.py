"""Filters of playbooks/diagnose.yml: what is asked about, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.vps.plugins.filter.apps import completed
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import addresses, outbound, page, report
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.verdict import verdict
from ansible_collections.portside.vps.plugins.module_utils.inventory import confinement, declared, wiring
from ansible_collections.portside.vps.plugins.module_utils.inventory.egress import of_app
from ansible_collections.portside.vps.plugins.module_utils.nginx import client_certificates, sites
from ansible_collections.portside.vps.plugins.module_utils.shape import plain

DOCUMENTATION = r"""
name: diagnose_verdict
short_description: what the probes of a diagnosis mean together
description: One diagnosis for each app, with findings in the order of the path.
options:
  _input: {description: The apps as the filter diagnose_apps gives them., type: list, elements: dict, required: true}
  host: {description: What M(portside.vps.diagnose_host) found., type: dict, required: true}
  outside: {description: What M(portside.vps.diagnose_outside) found., type: dict, required: true}
  egress: {description: What M(portside.vps.diagnose_egress) found., type: dict, required: true}
  known: {description: The host's addresses., type: list, elements: str, required: true}
  settings: {description: 'The host''s variables, whose secrets are quoted nowhere.', type: dict, default: {}}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: What the probes mean is known
  ansible.builtin.set_fact:
    diagnoses: "{{ apps | portside.vps.diagnose_verdict(seen_on_host, seen_outside, seen_going_out, addresses) }}"
"""

RETURN = r"""
_value: {description: 'A diagnosis for each app, with C(app), C(ok), C(findings), C(path).', type: list, elements: dict}
"""


def _targets(apps: Sequence[dict[str, Any]], upstream_dir: str) -> dict[str, dict[str, dict[str, Any]]]:
    """The webhooks that nginx hands to another than the app that declares them, by app and path.

    Such a path lies below one of `site.locations`: `{app, file, servers, path, prefix}` say where it leads, and under
    which path it is known there. `app` is empty for a program that is no app.
    """
    owners = {wiring.upstream_file(app, upstream_dir): app["name"] for app in apps}
    declared = {app["name"]: [hook["path"] for hook in app["webhooks"]] for app in apps}
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for site in sites.completed(wiring.sites(apps, upstream_dir)):
        for path, hook in zip(declared[site["name"]], site["webhooks"], strict=True):
            if hook["upstream"] is not site["upstream"]:
                found.setdefault(site["name"], {})[path] = {
                    "app": owners.get(hook["upstream"]["file"], ""),
                    "file": hook["upstream"]["file"] or "",
                    "servers": hook["upstream"]["servers"],
                    "path": path.removeprefix(hook["prefix"]),
                    "prefix": hook["prefix"],
                    "scheme": hook["upstream"]["scheme"],
                }
    return found


def _names(raw: Any) -> list[str]:
    """Names of a host's apps that are present; none where the list can't be used, which that host says itself."""
    items = raw if isinstance(raw, list | tuple) else []
    apps = [item for item in items if isinstance(item, Mapping) and item.get("state", "present") == "present"]
    return [str(app["name"]) for app in apps if "name" in app]


def diagnose_apps(
    raw: Any,
    upstream_dir: str,
    only: Sequence[str] = (),
    everywhere: Iterable[Any] = (),
    shared: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """What the modules have to know of each app that is present.

    Args:
        raw: the value of `portside_apps`.
        upstream_dir: where the files stand that name each app's live release.
        only: names; empty means all.
        everywhere: the value of `portside_apps` of each host of the play. A name that is on one of them is no mistake.
        shared: the value of `portside_egress`.

    Raises:
        AnsibleFilterError: `raw` can't be used, or a name of `only` is on no host.
    """
    apps = [app for app in completed(raw) if app["state"] == "present"]
    names = list(dict.fromkeys([*(app["name"] for app in apps), *(name for one in everywhere for name in _names(one))]))
    strangers = sorted({*only} - {*names})
    if strangers:
        known = ", ".join(names)
        raise AnsibleFilterError(f"no app is called {', '.join(strangers)}; there are {known or 'none'}")
    # The proxies play no part in what is taken from the releases here.
    releases = {item["name"]: item for item in wiring.releases(apps, {}, upstream_dir)}
    targets = _targets(apps, upstream_dir)
    return [
        {
            "name": app["name"],
            "port": app["port"],
            "bind": app["bind"],
            # Nobody can ask for a wildcard.
            "domains": [domain for domain in app["domains"] if not domain.startswith("*.")],
            "webhooks": [hook["path"] for hook in app["webhooks"]],
            "allowed": {hook["path"]: hook["allow"] for hook in app["webhooks"] if hook.get("allow")},
            "certified": client_certificates.webhooks(app),
            "targets": targets.get(app["name"], {}),
            "upgrade": app["site"].get("upgrade", ["websocket"]),
            "health": {
                **{key: app["health"][key] for key in ("check", "scheme", "method", "path", "status")},
                "host": releases[app["name"]].get("health", {}).get("host", ""),
            },
            "upstream_file": releases[app["name"]].get("upstream_file", ""),
            "checks": confinement.checks(app),
            "enforced": confinement.rule(app),
            "egress": outbound.sources(app, of_app(app, shared)),
        }
        for app in apps
        if not only or app["name"] in only
    ]


def diagnose_addresses(own: Iterable[str], declared: Iterable[str], ansible_host: str) -> list[str]:
    """The addresses under which the internet reaches a host: `addresses.reached`."""
    return addresses.reached(own, declared, ansible_host)


def diagnose_verdict(
    apps: Sequence[Mapping[str, Any]],
    host: Mapping[str, Any],
    outside: Mapping[str, Any],
    egress: Mapping[str, Any],
    known: Sequence[str],
    *,
    settings: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]]:
    """One diagnosis for each app. A module that could not be run counts as one that saw nothing.

    What is quoted loses the secrets that `settings` (the host's variables) declare, those that are not on the server,
    too, and what a terminal would act on.
    """
    there = host if "nginx" in host else None
    around = outside if "names" in outside else None
    out = egress.get("apps", {})
    found = [verdict(app, there, around, out.get(app["name"]), known) for app in apps]
    public = {name for app in apps for name in (app["name"], *app["domains"], *app["webhooks"])}
    quoted: list[dict[str, Any]] = declared.quotable(found, declared.secrets(plain(settings or {})), public)
    return quoted


def diagnose_message(diagnoses: Sequence[Mapping[str, Any]], host: str) -> str:
    """What the run fails with; empty when nothing is broken."""
    return report.message(host, diagnoses)


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "diagnose_addresses": diagnose_addresses,
            "diagnose_apps": diagnose_apps,
            "diagnose_message": diagnose_message,
            "diagnose_page": page.page,
            "diagnose_verdict": diagnose_verdict,
        }
