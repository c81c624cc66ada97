"""The state of an app of which nothing is remembered, from its containers and from what nginx was told."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases.state import (
    CANARY,
    LIVE,
    AppState,
    Release,
    Replica,
)

NOTE = "found running; its state file was gone"
# A line of the upstream file as plan.upstream writes it; a weight stands there beside a canary.
SERVER = re.compile(r"^server \S+:(?P<port>[0-9]+) (?:weight=(?P<weight>[0-9]+) )?(?!backup)", re.MULTILINE)


def adopted(app: str, containers: Sequence[Container], served: str | None = None) -> AppState:
    """The state of an app of which nothing is remembered.

    What nginx was pointed at goes on serving until a release of ours replaces it: the live release is the one that
    stands first in the upstream file, and one behind it, with a weight of its own, is the canary. Where that says
    nothing, it is the newest one that runs and did not begin as a canary.

    Args:
        app: its name.
        containers: those that carry its label.
        served: the upstream file's text, None where there is none.
    """
    running: dict[int, list[Container]] = {}
    for box in sorted(containers, key=lambda item: item.replica):
        if box.running:
            running.setdefault(box.release, []).append(box)
    state = AppState(app, next_release=max((item.release for item in containers), default=0) + 1)
    if not running:
        return state
    text = served or ""
    ports = {port for group in running.values() for box in group for port in box.host_ports}
    told = {int(found["port"]): int(found["weight"] or 0) for found in SERVER.finditer(text)}
    weights = {port: weight for port, weight in told.items() if port in ports}
    numbers = _told(running, weights)
    live = numbers[0] if numbers else max(running, key=lambda number: (not running[number][0].canary, number))
    state = state.with_release(_release(running[live], LIVE, text))
    if len(numbers) > 1:
        trial = running[numbers[1]]
        state = state.with_release(_release(trial, CANARY, text, _share(trial, weights)))
    return replace(state, ports=plan.ports_in_use(state))


def _told(running: Mapping[int, Sequence[Container]], weights: Mapping[int, int]) -> list[int]:
    """The releases that nginx was pointed at, in the order of its file."""
    owner = {port: number for number, group in running.items() for box in group for port in box.host_ports}
    return list(dict.fromkeys(owner[port] for port in weights))


def _share(boxes: Sequence[Container], weights: Mapping[int, int]) -> int:
    """The percentage of clients that these have by their weights; see plan.upstream."""
    own = sum(weights.get(port, 0) for box in boxes for port in box.host_ports)
    return round(100 * own / (sum(weights.values()) or 1))


def _release(boxes: Sequence[Container], state: str, served: str, share: int = 0) -> Release:
    first, *others = (
        Replica(
            box.name,
            next(iter(box.host_ports), None),
            # Only where nginx asks it: on a network that the app shares it may be another's one day.
            box.address if box.address and f"server {box.address}:" in served else "",
            box.id,
        )
        for box in boxes
    )
    return Release(
        number=boxes[0].release,
        state=state,
        hash=boxes[0].hash,
        image="",
        image_id=boxes[0].image_id,
        digest="",
        container=first.container,
        host_port=first.host_port,
        created="",
        spec={},
        note=NOTE,
        address=first.address,
        others=tuple(others),
        share=share,
        id=first.id,
    )
