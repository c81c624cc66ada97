"""What each role gets from the list of apps. The only place that knows how an app turns into firewall rules, a site, a
certificate and a container; every function is called from `playbooks/` and takes apps that `apps.complete` returned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import CONTAINER

App = dict[str, Any]
Item = dict[str, Any]

LOOPBACK_NO_PROXY = ("localhost", "127.0.0.1", "::1")


def firewall_rules(extra: Iterable[Item]) -> list[Item]:
    """What the world may reach beside ssh: http (certificates are issued over it), https, and https over QUIC."""
    web = [
        {"port": "80", "proto": "tcp", "comment": "http: redirect and ACME challenge"},
        {"port": "443", "proto": "tcp", "comment": "https"},
        {"port": "443", "proto": "udp", "comment": "https over QUIC"},
    ]
    return [*web, *extra]


def upstream_file(app: App, directory: str) -> str:
    """The file that names the live release's address: written at a release, included by the site."""
    return f"{directory}/{app['name']}.conf"


def sites(apps: Iterable[App], upstream_dir: str) -> list[Item]:
    """One nginx site for each app that answers http."""
    found = []
    for app in apps:
        if app["port"] is None or not (app["domains"] or app["local_port"]):
            continue
        site: Item = {
            "name": app["name"],
            "domains": app["domains"],
            "upstream": {"file": upstream_file(app, upstream_dir)},
            "webhooks": app["webhooks"],
            "state": app["state"],
        }
        if app["local_port"]:
            site["local_port"] = app["local_port"]
        found.append(site)
    return found


def certificates(apps: Iterable[App]) -> list[Item]:
    """One lineage for each app with public names, called like the app."""
    return [
        {"name": app["name"], "domains": app["domains"], "state": app["state"]}
        for app in apps
        if app["domains"] or app["state"] == "absent"
    ]


def proxy_environment(egress: Mapping[str, Any], own_names: Iterable[str]) -> dict[str, str]:
    """The proxy variables, in both cases: curl reads lower case only, other clients upper case.

    NO_PROXY holds bare names and exact addresses, the one form that all clients read alike.
    """
    exempt = list(dict.fromkeys([*LOOPBACK_NO_PROXY, *own_names, *egress.get("no_proxy", [])]))
    variables = {"no_proxy": ",".join(exempt)}
    variables |= {key: str(egress[key]) for key in ("http_proxy", "https_proxy") if egress.get(key)}
    return variables | {key.upper(): value for key, value in variables.items()}


def releases(apps: Iterable[App], egress: Mapping[str, Any], upstream_dir: str) -> list[Item]:
    """One container for each app, with the environment it starts with spelled out."""
    found = []
    for app in apps:
        item: Item = {key: app[key] for key in CONTAINER if app[key] is not None or key == "image"}
        if app["port"] is not None:
            item["health"] = _health(app)
            if app["domains"] or app["local_port"]:
                item["upstream_file"] = upstream_file(app, upstream_dir)
        if app["egress"] == "proxy":
            proxy = proxy_environment(egress, app["domains"])
            # A proxy URL may carry a password.
            kind = "secrets" if any("@" in value for value in proxy.values()) else "env"
            item[kind] = {**proxy, **item[kind]}
        found.append(item)
    return found


def _health(app: App) -> Item:
    # Frameworks refuse a Host they don't know: probe with the name that real requests carry.
    host = app["health"]["host"] or next(iter(app["domains"]), None)
    return {**{key: value for key, value in app["health"].items() if key != "host"}, **({"host": host} if host else {})}
