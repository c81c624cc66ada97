"""What each role gets from the list of apps. The only place that knows how an app turns into firewall rules, a site, a
certificate and a container; every function is called from `playbooks/` and takes apps that `apps.complete` returned."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot.declaration import DIRECTORIES, directory_url
from ansible_collections.portside.vps.plugins.module_utils.inventory import confinement, egress
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import CONTAINER, UPSTREAM_KEYS
from ansible_collections.portside.vps.plugins.module_utils.inventory.apps import location_apps
from ansible_collections.portside.vps.plugins.module_utils.nginx.values import seconds
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import registry_of

App = dict[str, Any]
Item = dict[str, Any]

# https://letsencrypt.org/docs/staging-environment/
TEST_AUTHORITIES = {urlsplit(DIRECTORIES["staging"]).hostname}


def firewall_rules(extra: Iterable[Item], http3: bool = False) -> list[Item]:
    """What the world may reach beside ssh: http (certificates are issued over it), https, and with HTTP/3 QUIC."""
    web = [
        {"port": "80", "proto": "tcp", "comment": "http: redirect and ACME challenge"},
        {"port": "443", "proto": "tcp", "comment": "https"},
    ]
    quic = [{"port": "443", "proto": "udp", "comment": "https over QUIC"}] if http3 else []
    return [*web, *quic, *extra]


def upstream_file(app: App, directory: str) -> str:
    """The file that names the live release's address: written at a release, included by the site."""
    return f"{directory}/{app['name']}.conf"


def _connections(app: App) -> Item:
    """What an app's `site` says of the connections to the app; in `nginx_sites` that is part of `upstream`."""
    return {key: app["site"][key] for key in UPSTREAM_KEYS if key in app["site"]}


def _location(location: Item, upstream_dir: str, apps: Mapping[str, App]) -> Item:
    """A path of a site: one that leads to another app names that app's upstream file, and speaks to it as it wants."""
    item = {key: value for key, value in location.items() if key != "app"}
    if "app" in location:
        other = apps.get(location["app"])
        item["upstream"] = {
            "file": f"{upstream_dir}/{location['app']}.conf",
            **(_connections(other) if other else {}),
        }
    return item


def site_options(app: App, upstream_dir: str, apps: Mapping[str, App]) -> Item:
    """What nginx does for the app, beside where it is: the options of `nginx_sites` that the user wrote."""
    options = {key: value for key, value in app["site"].items() if key not in UPSTREAM_KEYS}
    if "locations" in options:
        options["locations"] = [_location(location, upstream_dir, apps) for location in options["locations"]]
    return options


def _is_test_authority(directory: str) -> bool:
    """Whether the ACME server's certificates are for trying alone: `staging`, or a URL at such a server."""
    return urlsplit(directory_url(directory)).hostname in TEST_AUTHORITIES


def sites(
    apps: Iterable[App], upstream_dir: str, acme_directory: str = "production", others: Iterable[App] = ()
) -> list[Item]:
    """One nginx site for each app that answers http under names or a local port of its own.

    Args:
        apps: those that get one.
        upstream_dir: where the files stand that name each app's live release.
        acme_directory: the ACME server's directory URL, or the word for it.
        others: apps beside them that paths of their sites may lead to.
    """
    apps = list(apps)
    known = {app["name"]: app for app in (*others, *apps)}
    # Browsers don't trust a test certificate, and must not be told to insist on it.
    no_hsts: Item = {"hsts": {"enabled": False}} if _is_test_authority(acme_directory) else {}
    found = []
    for app in apps:
        if app["port"] is None or not (app["domains"] or app["local_port"]):
            continue
        site: Item = {
            "name": app["name"],
            "domains": app["domains"],
            "upstream": {"file": upstream_file(app, upstream_dir), **_connections(app)},
            "webhooks": app["webhooks"],
            "state": app["state"],
            **site_options(app, upstream_dir, known),
            **no_hsts,
        }
        if app["local_port"]:
            site["local_port"] = app["local_port"]
        found.append(site)
    return found


def certificates(apps: Iterable[App]) -> list[Item]:
    """One lineage for each app with public names, called like the app."""
    return [
        {
            "name": app["name"],
            "domains": app["domains"],
            "state": app["state"],
            **{key: value for key, value in app["certificate"].items() if value not in (None, {})},
        }
        for app in apps
        if app["domains"] or app["state"] == "absent"
    ]


def _public_names(apps: Iterable[App]) -> dict[str, str]:
    """The name that requests to an app carry, by app: its own canonical one, or that of the site it has a path of."""
    apps = list(apps)
    through = {name: app["domains"][0] for app in reversed(apps) if app["domains"] for name in location_apps(app)}
    return {**through, **{app["name"]: app["domains"][0] for app in apps if app["domains"]}}


def _plain(domains: Iterable[str]) -> list[str]:
    """The names without `*.`: an exception from the proxy holds for all that lies below a name, too."""
    return list(dict.fromkeys(domain.removeprefix("*.") for domain in domains))


def own_registries(apps: Iterable[App]) -> list[str]:
    """The registries of images that are apps of this server themselves, by their hosts: Docker needs no proxy there."""
    here = [app for app in apps if app["state"] == "present"]
    domains = {domain for app in here for domain in app["domains"]}
    hosts = {registry_of(app["image"]).partition(":")[0] for app in here}
    return sorted(hosts & domains)


def _never_proxied(app: App, apps: Iterable[App], server: Iterable[str]) -> list[str]:
    """What an app reaches without the proxy: this server by all its names, other apps by theirs.

    How Docker gets out plays no part, so that a change there makes no release.
    """
    here = [name for other in apps if other["state"] == "present" for name in other["domains"]]
    return [
        *_plain(app["domains"]),
        *egress.neighbours(app, apps),
        *sorted(name for name, address in app["extra_hosts"].items() if address == "host-gateway"),
        *sorted(_plain(here)),
        *egress.server_names(server),
    ]


def releases(
    apps: Iterable[App], shared_egress: Mapping[str, Any], upstream_dir: str, server: Iterable[str] = ()
) -> list[Item]:
    """One container for each app, with the environment it starts with spelled out.

    Args:
        apps: all of the server.
        shared_egress: the value of `portside_egress`.
        upstream_dir: where the files stand that name each app's live release.
        server: the server's own names and addresses, as declared: the same for whoever runs Ansible.
    """
    apps, server = list(apps), list(server)
    names = _public_names(apps)
    found = []
    for app in apps:
        item: Item = {key: app[key] for key in CONTAINER if app[key] is not None or key == "image"}
        if app["port"] is not None:
            item["health"] = _health(app, names.get(app["name"]))
            if app["name"] in names or app["local_port"]:
                item["upstream_file"] = upstream_file(app, upstream_dir)
            if app["domains"]:
                grpc = {"protocol": "grpc"} if app["site"].get("protocol") == "grpc" else {}
                item["front"] = {"host": app["domains"][0], **grpc}
            # The site as it is declared now, for a rollback to this release.
            for site in sites([app], upstream_dir, others=apps):
                item["extra"] = json.dumps(site, sort_keys=True)
        shut, resolvers = confinement.bridges(app, apps), confinement.resolvers(app)
        item |= {key: value for key, value in (("bridges", shut), ("dns", resolvers)) if value}
        way_out = egress.of_app(app, shared_egress)
        if way_out is not None:
            # What the user wrote counts for both cases of its name: a client may read either.
            written = {name.lower() for kind in ("env", "secrets") for name in item[kind]}
            variables = egress.environment(way_out, _never_proxied(app, apps, server))
            proxy = {name: value for name, value in variables.items() if name.lower() not in written}
            # A proxy URL may carry a password.
            kind = "secrets" if any("@" in value for value in proxy.values()) else "env"
            item[kind] = {**proxy, **item[kind]}
        found.append(item)
    return found


def drain_problems(apps: Iterable[App], limit: str) -> list[str]:
    """A sentence for each app whose requests nginx would cut off before its `drain` is over.

    Args:
        apps: all apps.
        limit: `nginx_worker_shutdown_timeout`; 0 for none (nginx.org, `worker_shutdown_timeout`).
    """
    longest = seconds(limit)
    if not longest:
        return []
    return [
        f"app `{app['name']}`: `drain: {app['drain']:g}` is longer than `nginx_worker_shutdown_timeout: {limit}`, "
        "after which nginx cuts off what was open at a reload: raise that too"
        for app in apps
        if app["domains"] and app["state"] == "present" and app["drain"] > longest
    ]


def _health(app: App, name: str | None) -> Item:
    # Frameworks refuse a Host they don't know: probe with the name that real requests carry.
    host = app["health"]["host"] or name
    said = {**app["health"], "host": host}
    return {key: value for key, value in said.items() if value is not None}
