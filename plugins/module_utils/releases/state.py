"""What is remembered of an app: its ports and its releases, in a file that a person can read.

`/var/lib/portside/apps/<name>/state.json` is replaced as a whole at every step of a release, so that a run that is
killed leaves either the step before or the step after. Secrets stand beside it, in `secrets/r<number>.json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

SCHEMA = 1

# A release is `starting` from the moment it has a number until it serves, then `live`, then `retired`. It is `rejected`
# when it did not pass its gate or was rolled back: then it is not tried again by itself. It is `failed` when it was
# given up for a reason that is not its own, an interrupted run for one. A `canary` has a share of the clients, beside
# the live one.
STARTING, LIVE, RETIRED, FAILED, REJECTED = "starting", "live", "retired", "failed", "rejected"
CANARY = "canary"


class StateError(ValueError):
    """A state file can't be understood."""


@dataclass(frozen=True)
class Replica:
    """One container of a release; `address` is its own, on a network that no other app is on, and `id` the one that the
    engine gave it: no container that is made by hand in its place has that."""

    container: str
    host_port: int | None = None
    address: str = ""
    id: str = ""


@dataclass(frozen=True)
class Release:
    """One release of an app.

    `created`, `shared` and `served` are the times at which it was begun, got its share of the clients as a canary, and
    got all of them (empty: never); `by` says who did it; `restores` is the release that this one brings back;
    `container`, `host_port`, `address` and `id` are those of its first replica, `others` the further ones; `share` is
    the percentage of clients that it has, or is to have, as a canary.
    """

    number: int
    state: str
    hash: str
    image: str
    image_id: str
    digest: str
    container: str
    host_port: int | None
    created: str
    spec: Mapping[str, Any]
    note: str = ""
    by: str = ""
    served: str = ""
    restores: int | None = None
    address: str = ""
    others: tuple[Replica, ...] = ()
    share: int = 0
    shared: str = ""
    id: str = ""

    @property
    def replicas(self) -> tuple[Replica, ...]:
        """All of its containers."""
        return (Replica(self.container, self.host_port, self.address, self.id), *self.others)

    @property
    def host_ports(self) -> tuple[int, ...]:
        """The loopback ports that it is published on."""
        return tuple(replica.host_port for replica in self.replicas if replica.host_port)

    def only(self, replicas: Sequence[Replica]) -> Release:
        """The release with these containers."""
        first, *others = replicas
        return replace(
            self,
            container=first.container,
            host_port=first.host_port,
            address=first.address,
            id=first.id,
            others=tuple(others),
        )

    def made(self, ids: Iterable[str]) -> Release:
        """The release with the IDs of its containers, in their order."""
        return self.only([replace(old, id=new) for old, new in zip(self.replicas, ids, strict=True)])

    def at(self, addresses: Iterable[str]) -> Release:
        """The release with the addresses of its containers, in their order."""
        return self.only([replace(old, address=new) for old, new in zip(self.replicas, addresses, strict=True)])


@dataclass(frozen=True)
class AppState:
    """All that is remembered of an app.

    `switching` is true while nginx may or may not have taken the upstream file as it stands.
    """

    app: str
    ports: tuple[int, ...] = ()
    next_release: int = 1
    switching: bool = False
    upstream_file: str = ""
    releases: tuple[Release, ...] = ()

    @property
    def live(self) -> Release | None:
        """The release that serves."""
        return next((release for release in self.releases if release.state == LIVE), None)

    @property
    def canary(self) -> Release | None:
        """The release that has a share of the clients."""
        return next((release for release in self.releases if release.state == CANARY), None)

    @property
    def serving(self) -> set[int]:
        """Numbers of the releases that get traffic."""
        return {release.number for release in (self.live, self.canary) if release}

    @property
    def starting(self) -> Release | None:
        """The release that a run is, or was, about to put in place."""
        return next((release for release in self.releases if release.state == STARTING), None)

    def release(self, number: int) -> Release | None:
        """The release with that number."""
        return next((release for release in self.releases if release.number == number), None)

    def with_release(self, release: Release) -> AppState:
        """The state with this release in the place of the one that has its number."""
        others = [other for other in self.releases if other.number != release.number]
        ordered = tuple(sorted([*others, release], key=lambda item: item.number))
        return replace(self, releases=ordered, next_release=max(self.next_release, release.number + 1))

    def without(self, numbers: Iterable[int]) -> AppState:
        """The state without the releases with these numbers."""
        gone = set(numbers)
        return replace(self, releases=tuple(release for release in self.releases if release.number not in gone))

    def promoted(self, number: int, now: str = "") -> AppState:
        """The state in which that release is live, and the one before it retired, or rejected by a rollback; or, with a
        `share`, in which it is a canary beside the live one. Either way the canary before it is retired.

        Args:
            number: the release that serves from now on.
            now: the time, for the record.
        """
        return replace(self, releases=tuple(self._promoted(release, number, now) for release in self.releases))

    def _promoted(self, release: Release, number: int, now: str) -> Release:
        new = self.release(number)
        if release is new and release.share:
            return replace(release, state=CANARY, shared=now or release.created)
        if release is new:
            note = f"rollback to release {release.restores}" if release.restores else ""
            return replace(release, state=LIVE, note=note, served=now or release.created)
        if release.state == CANARY:
            return replace(release, state=RETIRED, share=0, note="replaced by a later release")
        if release.state != LIVE or (new and new.share):
            return release
        if new and new.restores and (new.hash, new.image_id) != (release.hash, release.image_id):
            return replace(release, state=REJECTED, note=f"rolled back on {now}{' by ' if new.by else ''}{new.by}")
        return replace(release, state=RETIRED)


def superfluous(state: AppState, keep: int) -> list[int]:
    """Numbers of the releases beyond the newest `keep`; the live and a starting one always stay.

    Those that never had all clients are counted apart: a row of failures, or of canaries, takes no release away that
    one could go back to. One that was found running, with no record of what it is, goes at once: there is no way back
    to it.
    """
    done = [release for release in reversed(state.releases) if release.state in {RETIRED, FAILED, REJECTED}]
    room = max(keep - (len(state.releases) - len(done)), 0)
    served = [release.number for release in done if release.served]
    never = [release for release in done if not release.served]
    failed = [release.number for release in never if release.state != RETIRED or release.shared]
    unknown = [release.number for release in never if release.state == RETIRED and not release.shared]
    return [*served[room:], *failed[room:], *unknown]


def to_json(state: AppState) -> str:
    """The text of the state file; newest release first."""
    whole = {"schema": SCHEMA, **asdict(state)}
    whole["releases"] = [asdict(release) for release in reversed(state.releases)]
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _release(item: Mapping[str, Any]) -> Release:
    return Release(**{**item, "others": tuple(Replica(**replica) for replica in item.get("others", ()))})


def from_json(text: str) -> AppState:
    """The state that a file holds.

    Raises:
        StateError: the file is not one that this version can read.
    """
    try:
        whole = json.loads(text)
        if whole.pop("schema") != SCHEMA:
            raise StateError("it was written by another version of Portside")
        releases = sorted((_release(release) for release in whole.pop("releases")), key=lambda item: item.number)
        return AppState(**{**whole, "ports": tuple(whole["ports"]), "releases": tuple(releases)})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise StateError(str(error)) from error
