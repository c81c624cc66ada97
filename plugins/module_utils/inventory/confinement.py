"""Apps whose way out is shut by the firewall: on which networks they are, and what may be reached from there.

What a container sends is known by the bridge of the network it goes out by. So a network that an app with
`egress: none` or `to` shares with others is shut as a whole, and nobody goes out by it; who may, has a network of its
own beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import APP
from ansible_collections.portside.vps.plugins.module_utils.releases.networks import OWN_KEY
from ansible_collections.portside.vps.plugins.module_utils.ufw.confined import destination_problems

Item = dict[str, Any]

# Docker's own resolver goes on knowing other containers by their names; whom it would ask for all else is nobody.
NO_RESOLVER = ["127.0.0.1"]
_DNS = [
    {"network": network, "port": "53", "proto": protocol}
    for network in ("0.0.0.0/0", "::/0")
    for protocol in ("udp", "tcp")
]


def is_confined(app: Mapping[str, Any]) -> bool:
    """Whether the firewall decides what the app reaches."""
    way = app["egress"]
    return way == "none" or (isinstance(way, Mapping) and way.get("to") is not None)


def problems(app: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the destinations, the rest of a sentence each."""
    way = app["egress"]
    if not isinstance(way, Mapping):
        return
    if way.get("dns") and way.get("to") is None:
        yield "`dns` goes with `to`; without that list the app resolves names as it likes"
    for number, place in enumerate(way.get("to") or (), 1):
        said = {key: value for key, value in place.items() if value is not None}
        yield from (f"`to` item {number}: {problem}" for problem in destination_problems(said))


def _destinations(app: Mapping[str, Any]) -> list[Item]:
    way = app["egress"]
    if not isinstance(way, Mapping):
        return []
    listed = [{key: value for key, value in place.items() if value is not None} for place in way["to"]]
    return listed + (_DNS if way.get("dns") else [])


def _bridge(kind: str, name: str) -> str:
    """A name such as Docker's own, which the firewall's guard takes for one of Docker's bridges."""
    return "br-" + hashlib.sha256(f"portside {kind} {name}".encode()).hexdigest()[:12]


def _present(apps: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [app for app in apps if app["state"] == "present"]


def _shut(apps: Iterable[Mapping[str, Any]]) -> list[str]:
    """The shared networks that are shut."""
    return sorted({name for app in _present(apps) if is_confined(app) for name in app["networks"]})


def bridges(app: Mapping[str, Any], apps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Bridges of the networks of an app that are shut, as `docker_app_list` has them; none for an app with none."""
    shut = _shut(apps)
    found = {name: _bridge("network", name) for name in app["networks"] if name in shut}
    if is_confined(app):
        own = bool(_destinations(app)) or not app["networks"]
        return found | ({OWN_KEY: _bridge("app", app["name"])} if own else {})
    all_shut = bool(found) and len(found) == len(app["networks"])
    return found | ({OWN_KEY: ""} if all_shut else {})


def resolvers(app: Mapping[str, Any]) -> list[str]:
    """Whom Docker's resolver asks for the app; empty for whom the server asks."""
    way = app["egress"]
    return NO_RESOLVER if is_confined(app) and not (isinstance(way, Mapping) and way.get("dns")) else []


def rule(app: Mapping[str, Any]) -> Item:
    """What of the app's way out the firewall decides, for the diagnosis: in words, and what gets out."""
    if not is_confined(app):
        return {}
    words = "`egress: none`" if app["egress"] == "none" else "`to` in `egress`"
    return {"rule": words, "some": bool(_destinations(app)), "names": not resolvers(app)}


def checks(app: Mapping[str, Any]) -> list[str]:
    """The URLs that the diagnosis asks for: of an app that is not to go out, only those that the user named."""
    unasked = is_confined(app) and app["egress_checks"] == APP["egress_checks"]["default"]
    return [] if unasked else list(app["egress_checks"])


def firewall(apps: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The networks that are shut, as `ufw_docker_egress` has them."""
    apps = list(apps)
    found: list[Item] = [
        {"bridge": _bridge("network", name), "comment": f"network {name}: nothing goes out"} for name in _shut(apps)
    ]
    for app in _present(apps):
        bridge = bridges(app, apps).get(OWN_KEY)
        if bridge:
            found.append({"bridge": bridge, "to": _destinations(app), "comment": f"egress of app {app['name']}"})
    return found
