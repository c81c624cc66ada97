"""What the remembered releases of an app say about the next one: which is refused, and which one to go back to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible_collections.portside.vps.plugins.module_utils.releases.state import (
    CANARY,
    LIVE,
    REJECTED,
    RETIRED,
    AppState,
    Release,
)


class NoSuchReleaseError(ValueError):
    """There is no release to go back to; the message lists those that there are."""


def refused(state: AppState, digest: str, image_id: str | None) -> Release | None:
    """The release that was rejected and that a deploy of this declaration would only repeat; None where there is none.

    Only the newest release of a declaration counts: one that was tried again and served is good. A tag that names
    another image than it did is another release.

    Args:
        state: what is remembered.
        digest: the hash of the declaration (spec.fingerprint).
        image_id: the image that the declaration's reference names on the host; None where the host doesn't have it.
    """
    if state.live is None or (state.live.hash == digest and image_id in {None, state.live.image_id}):
        return None
    same = [
        release
        for release in state.releases
        if release.hash == digest
        and release.state in {REJECTED, RETIRED, LIVE, CANARY}
        and (image_id is None or release.image_id == image_id)
    ]
    newest = max(same, key=lambda release: release.number, default=None)
    return newest if newest and newest.state == REJECTED else None


def _listed(releases: Iterable[Release]) -> str:
    return ", ".join(f"{release.number} ({release.image})" for release in releases) or "none"


def rollback_target(
    state: AppState, number: int | None = None, known: Callable[[Release], bool] = lambda _: True
) -> Release:
    """The release that a rollback restores.

    Args:
        state: what is remembered.
        number: the release that was asked for, of those that had clients; None for the newest that had all of them
            before the live one, was not rejected, and is not the same as the live one.
        known: whether it is known how a release was declared; without a number others are passed over.

    Raises:
        NoSuchReleaseError: there is no such release, or it never served.
    """
    ended = [release for release in state.releases if release.state in {RETIRED, REJECTED}]
    served = [release for release in ended if release.served or release.shared]
    live = state.live
    if number is not None:
        found = next((release for release in served if release.number == number), None)
        if found:
            return found
        if live and live.number == number:
            raise NoSuchReleaseError(f"release {number} is the one that serves now; there are: {_listed(served)}")
        raise NoSuchReleaseError(f"there is no release {number} that ever served; there are: {_listed(served)}")
    before = [
        release
        for release in served
        if release.served
        and known(release)
        and refused(state, release.hash, release.image_id) is None
        and not (live and (release.hash, release.image_id) == (live.hash, live.image_id))
        and not (live and release.number > live.number)
    ]
    if not before:
        raise NoSuchReleaseError(
            f"there is no earlier release to go back to; `-e release=N` takes one of these: {_listed(served)}"
        )
    return before[-1]


def _note(release: Release) -> str:
    parts = [
        release.note,
        f"{release.share} % of the clients" if release.state == CANARY else "",
        f"{len(release.replicas)} replicas" if release.others else "",
    ]
    return ", ".join(part for part in parts if part)


def rows(state: AppState) -> list[dict[str, str]]:
    """The releases for a person to read, the newest first.

    `when` is the time at which a release got traffic, or, where it never did, at which it was begun.
    """
    return [
        {
            "release": str(release.number),
            "state": release.state,
            "when": release.served or release.shared or release.created or "-",
            "image": release.image or "-",
            "digest": release.digest or release.image_id,
            "by": release.by or "-",
            "note": _note(release),
        }
        for release in reversed(state.releases)
    ]
