"""Which networks an app is on. Docker's own `bridge` is not among them: there, every container reaches every other, and
none by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LABEL = "portside.network"
OWN, SHARED = "portside.app.", "portside.net."
# A network that is shut towards outside (role ufw), by a bridge of a fixed name. A container on several networks goes
# out by the first of their names that has a gateway (moby, libnetwork: getGatewayEndpoint): by its own, open or shut
# but for a list, before those that it shares, of which the shut ones are the last.
OWN_SHUT, SHARED_SHUT = "portside.list.", "portside.shut."
# In `bridges`: the app's own network, beside those that it shares.
OWN_KEY = "_own"
BRIDGE_NAME = "com.docker.network.bridge.name"
# The bridge driver's option; a network made by hand has 1500 whatever the daemon's `mtu` says (moby#34981).
MTU = "com.docker.network.driver.mtu"


def bridges(app: str, shared: Sequence[str], fixed: Mapping[str, str]) -> dict[str, str]:
    """Docker's name of each network that an app is on, and the name of its bridge; an empty one is left to Docker.

    Args:
        app: its name.
        shared: the networks that it shares with others.
        fixed: by the names of those, and OWN_KEY, the bridges of networks that are shut. With OWN_KEY it has a network
            of its own beside those that it shares, shut or (empty) open.
    """
    found = {}
    if OWN_KEY in fixed or not shared:
        bridge = fixed.get(OWN_KEY, "")
        found[f"{OWN_SHUT if bridge else OWN}{app}"] = bridge
    return found | {f"{SHARED_SHUT if fixed.get(name) else SHARED}{name}": fixed.get(name, "") for name in shared}


def body(bridge_options: Mapping[str, str], bridge: str = "") -> dict[str, Any]:
    """Options and labels of a network that is to be made, with the MTU that the daemon's own bridge has.

    Args:
        bridge_options: the options of Docker's network `bridge`.
        bridge: the name of its own bridge; empty leaves that to Docker.
    """
    options = {MTU: bridge_options[MTU]} if bridge_options.get(MTU) else {}
    if bridge:
        options[BRIDGE_NAME] = bridge
    return {"driver": "bridge", "options": options, "labels": {LABEL: "1"}}


def deserted(own: Iterable[str], others: Iterable[str]) -> list[str]:
    """Of the networks of an app that goes, those of ours that no other app's container is on."""
    ours = {name for name in own if name.startswith((OWN, SHARED, OWN_SHUT, SHARED_SHUT))}
    return sorted(ours - set(others))
