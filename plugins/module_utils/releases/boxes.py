"""Which containers are those of a release, and which only look like them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, Replica


def of(containers: Iterable[Container], release: Release | None) -> list[Container | None]:
    """The containers of a release, in the order of its replicas; None for one that is gone.

    A container is known by its ID: one that was made by hand has another, whatever its name and labels say. Of a
    release without IDs (its state file was lost, or is from an earlier version) name and image have to do.
    """
    if release is None:
        return []
    known = list(containers)
    return [next((box for box in known if _is(box, release, replica)), None) for replica in release.replicas]


def _is(box: Container, release: Release, replica: Replica) -> bool:
    if replica.id:
        return box.id == replica.id
    return box.name == replica.container and release.image_id in {"", box.image_id}


def stand(containers: Sequence[Container], releases: Iterable[Release | None]) -> bool:
    """Whether all containers of these releases are there, and run."""
    return all(box and box.running for release in releases for box in of(containers, release))


def missing(containers: Sequence[Container], release: Release) -> str:
    """What is not there of a release, and what is in its place; empty where all of it is there."""
    for replica, box in zip(release.replicas, of(containers, release), strict=True):
        if box is None:
            other = _instead(containers, release, replica)
            if other is None:
                return f"container {replica.container} is gone"
            return f"container {other.name} is not that of release {release.number}: {_unlike(other, release, replica)}"
    return ""


def _instead(containers: Sequence[Container], release: Release, replica: Replica) -> Container | None:
    """What carries the name, or the labels, of a container that is gone."""
    own = {box.id for box in of(containers, release) if box}
    others = [box for box in containers if box.id not in own]
    named = [box for box in others if box.name == replica.container]
    return next(iter([*named, *(box for box in others if box.release == release.number)]), None)


def _unlike(box: Container, release: Release, replica: Replica) -> str:
    """What tells a container from the one that the release had, as far as the engine's list shows it."""
    found = []
    if release.image_id and box.image_id != release.image_id:
        found.append("it has another image")
    if box.running and replica.host_port and replica.host_port not in box.host_ports:
        places = ", ".join(str(port) for port in box.host_ports) or "no port"
        found.append(f"it is published on {places} and not on {replica.host_port}")
    return ", ".join(found) or "somebody made it anew"


def strays(containers: Sequence[Container], state: AppState) -> tuple[Container, ...]:
    """Containers that carry the app's label and are of none of its releases.

    As long as what serves is not complete one of them that runs may be what answers: it stays until there is better.
    """
    serving = [release for release in (state.live, state.canary) if release]
    complete = stand(containers, serving)
    return tuple(box for box in containers if (complete or not box.up) and _strange(box, state, serving))


def _strange(box: Container, state: AppState, serving: Sequence[Release]) -> bool:
    release = state.release(box.release)
    if release is None:
        return True
    return release in serving and all(one.id for one in release.replicas) and box not in of([box], release)
