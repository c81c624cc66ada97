"""Which networks an app is on. Docker's own `bridge` is not among them: there, every container reaches every other, and
none by its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LABEL = "portside.network"
OWN, SHARED = "portside.app.", "portside.net."
# The bridge driver's option; a network made by hand has 1500 whatever the daemon's `mtu` says (moby#34981).
MTU = "com.docker.network.driver.mtu"


def names(app: str, shared: Sequence[str]) -> list[str]:
    """Docker's names of the networks that an app is on: those it shares, or else its own."""
    return [f"{SHARED}{name}" for name in shared] or [f"{OWN}{app}"]


def body(bridge_options: Mapping[str, str]) -> dict[str, Any]:
    """Options and labels of a network that is to be made, with the MTU that the daemon's own bridge has.

    Args:
        bridge_options: the options of Docker's network `bridge`.
    """
    mtu = {MTU: bridge_options[MTU]} if bridge_options.get(MTU) else {}
    return {"driver": "bridge", "options": mtu, "labels": {LABEL: "1"}}


def deserted(own: Iterable[str], others: Iterable[str]) -> list[str]:
    """Of the networks of an app that goes, those of ours that no other app's container is on."""
    ours = {name for name in own if name.startswith((OWN, SHARED))}
    return sorted(ours - set(others))
