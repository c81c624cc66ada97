"""Filters that turn `portside_apps` into each role's input."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.portside.vps.plugins.module_utils.inventory import apps as portside_apps
from ansible_collections.portside.vps.plugins.module_utils.inventory import (
    confinement,
    egress,
    lost,
    roles,
    texts,
    variables,
    wiring,
)
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import SETTINGS
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError, plain

SHUTDOWN_TIMEOUT = "nginx_worker_shutdown_timeout"


def own_variables(names: Iterable[str], role_names: Iterable[str]) -> list[str]:
    """Those of the names that are settings of Portside or variables of the roles: nobody else's are looked into."""
    known = set(SETTINGS).union(*(roles.options(role) for role in role_names))
    return [name for name in names if name in known]


def unread_variables(groups: Collection[str], sources: Iterable[str], playbook_dir: str, host: str) -> list[str]:
    """One sentence for each file of variables that Ansible passes over because of another of that name.

    Args:
        groups: that the host is in.
        sources: the inventory's, files or directories.
        playbook_dir: of the playbook that is run.
        host: its name.
    """
    return lost.unread(sources, playbook_dir, groups, host)


def inventory_doubts(names: Iterable[str], role_names: Iterable[str]) -> list[str]:
    """A sentence for each variable that may be misspelt, or somebody else's.

    Args:
        names: of the host's variables that begin with `portside_` or with the name of one of the roles.
        role_names: these roles.
    """
    names = list(names)
    misspelt = [sentence for role in role_names for sentence in roles.misspelt(names, role)]
    return variables.unknown(names, SETTINGS)[1] + misspelt


def inventory_problems(settings: Mapping[str, Any], role_names: Iterable[str], names: Iterable[str] = ()) -> list[str]:
    """Everything that is wrong with the variables of a host, a line each; empty when the inventory can be used.

    Args:
        settings: the host's variables that are settings of Portside or variables of the roles.
        role_names: the roles whose own variables are checked too.
        names: of all its variables that begin with `portside_`.
    """
    role_names = list(role_names)
    changed = texts.problems(settings, texts.site_spec(role_names))
    if changed:
        # Whatever else is said of such a value would be said of another one than the user's.
        return changed
    settings = plain(settings)
    found = variables.unknown([*settings, *names], SETTINGS)[0] + variables.ignored(settings, roles.all_defaults())
    found += portside_apps.settings_problems(settings)
    for role in role_names:
        found += roles.wrong_values(settings, role)
    try:
        complete = portside_apps.complete(settings.get("portside_apps", []))
        found += portside_apps.egress_problems(complete, settings.get("portside_egress"))
        limit = settings.get(SHUTDOWN_TIMEOUT, roles.defaults("nginx")[SHUTDOWN_TIMEOUT])
        found += wiring.drain_problems(complete, str(limit))
    except InvalidInputError as invalid:
        found += str(invalid).splitlines()
    return found


def completed(raw: Any) -> list[wiring.App]:
    """`portside_apps` with every default filled in.

    Raises:
        AnsibleFilterError: it can't be used; a line for each reason.
    """
    try:
        return portside_apps.complete(plain(raw))
    except InvalidInputError as invalid:
        raise AnsibleFilterError(str(invalid)) from invalid


def app_sites(raw: Any, upstream_dir: str, acme_directory: str = "production") -> list[wiring.Item]:
    """The value of `nginx_sites`.

    Args:
        raw: the value of `portside_apps`.
        upstream_dir: where the files stand that name each app's live release.
        acme_directory: the value of `portside_acme_directory`; with a test server's certificates there is no HSTS.
    """
    return wiring.sites(completed(raw), upstream_dir, acme_directory)


def app_certificates(raw: Any) -> list[wiring.Item]:
    """The value of `certbot_certificates`."""
    return wiring.certificates(completed(raw))


def app_containers(
    raw: Any, egress: Mapping[str, Any], upstream_dir: str, server: Iterable[str] = ()
) -> list[wiring.Item]:
    """The value of `docker_app_list`.

    Args:
        raw: the value of `portside_apps`.
        egress: the value of `portside_egress`.
        upstream_dir: where the files stand that name each app's live release.
        server: the server's own names and addresses, as declared: the same for whoever runs Ansible.
    """
    return wiring.releases(completed(raw), egress, upstream_dir, server)


def app_summary(raw: Any) -> list[dict[str, str]]:
    """Name, URL and image of each app, for the summary at the end of a run."""
    return [
        {
            "name": app["name"],
            "url": f"https://{app['domains'][0]}/" if app["domains"] else "-",
            "image": app["image"] or "-",
        }
        for app in completed(raw)
    ]


def app_firewall_rules(extra: Iterable[wiring.Item], http3: bool = False) -> list[wiring.Item]:
    """The value of `ufw_rules`: the web ports, UDP among them only for HTTP/3, then the user's own rules."""
    return wiring.firewall_rules(extra, http3)


def app_own_registries(raw: Any) -> list[str]:
    """Hosts of registries that images of `portside_apps` come from and that are apps of this server themselves."""
    return wiring.own_registries(completed(raw))


def app_confined_networks(raw: Any) -> list[dict[str, Any]]:
    """The value of C(ufw_docker_egress): networks of apps with C(egress: none) or C(to), and what they reach."""
    return confinement.firewall(completed(raw))


def egress_environment(egress_settings: Mapping[str, Any], consumer: str, server: Iterable[str] = ()) -> dict[str, str]:
    """The variables that a consumer of the server's own, `docker` or `certbot`, goes out with.

    Args:
        egress_settings: the value of `portside_egress`.
        consumer: its key there.
        server: the server's own names and addresses, as declared: the same for whoever runs Ansible.
    """
    return egress.consumer_environment(egress_settings, consumer, server)


def egress_download_environment(egress_settings: Mapping[str, Any], server: Iterable[str] = ()) -> dict[str, str]:
    """The variables that Ansible's own downloads run with, from the value of `portside_egress`; `server` as above."""
    return egress.download_environment(egress_settings, server)


def egress_apt_conf(egress_settings: Mapping[str, Any]) -> str:
    """The text of apt's file of proxies, from the value of `portside_egress`; empty where it says nothing of apt."""
    return egress.apt_conf(egress_settings)


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "app_certificates": app_certificates,
            "app_containers": app_containers,
            "app_firewall_rules": app_firewall_rules,
            "app_losses": lost.apps,
            "app_own_registries": app_own_registries,
            "app_sites": app_sites,
            "app_summary": app_summary,
            "app_confined_networks": app_confined_networks,
            "egress_apt_conf": egress_apt_conf,
            "egress_download_environment": egress_download_environment,
            "egress_environment": egress_environment,
            "inventory_doubts": inventory_doubts,
            "inventory_problems": inventory_problems,
            "own_variables": own_variables,
            "unread_variables": unread_variables,
        }
