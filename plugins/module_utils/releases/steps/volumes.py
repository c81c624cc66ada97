"""The files and directories of the server that a container mounts, and whose its fresh volumes are."""

from __future__ import annotations

import os
from contextlib import suppress

from ansible_collections.portside.vps.plugins.module_utils.releases import mounts, rights
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job


def problem(app: App, *, restored: bool = False) -> str:
    """Why the app can't have its volumes, as the server is now; empty where it can.

    For a source that is not there Docker makes a directory, also where the app wants a file. A link may lead where the
    inventory gives no consent for.

    Args:
        app: what is wanted.
        restored: it is a release of the past, which had what it has.
    """
    agreed = rights.agreed(app.host_access)
    for mount in mounts.of(app.volumes):
        if mount.named:
            continue
        real = os.path.realpath(mount.source)
        if not os.path.lexists(mount.source) and mounts.is_file(mount):
            return (
                f"`volumes`: {mount.source} is not on the server, and Docker would make a directory of that name: put "
                "the file there, or correct the path"
            )
        linked = real != mount.source and not {mount.source, real} & agreed
        if linked and not restored and rights.reaches_host(real, read_only=mount.read_only):
            return (
                f"`volumes`: {mount.source} leads to {real} of the server, and whoever gets into the container has the "
                f"server with that: mount something else; if that is meant, add `{mount.source}` to `host_access`"
            )
    return ""


def make_directories(job: Job) -> None:
    """Make the directories of the server that are not there, as Docker would, but for whom they are."""
    owners = _owners(job.app)
    for mount in mounts.of(job.app.volumes):
        if not mount.named and not os.path.lexists(mount.source):
            os.makedirs(mount.source, mode=0o755)
            job.made_directories.append(mount.source)
            _own(mount.source, *owners.get(mount.source, (-1, -1)), given=True)


def remove_directories(job: Job) -> None:
    """Remove what was made for a release that came to nothing, unless something is in it."""
    for path in job.made_directories:
        with suppress(OSError):
            os.rmdir(path)
    job.made_directories.clear()


def explained(job: Job, said: str) -> str:
    """What Docker says of a start that failed, and what is behind it where it mounts a directory over a file (runc)."""
    if "not a directory" not in said.lower() or not job.made_directories:
        return said
    paths = ", ".join(job.made_directories)
    return f"{said}. {paths} was not on the server: where the image has a file, put one there"


def hand_over(job: Job) -> None:
    """Fresh named volumes belong to whom they are for.

    Docker gives a fresh volume what the image has at its place, with its owner, when a container is made; where the
    image has nothing there, or an empty directory of root's, only root could write it. To be called between the making
    of the container and its start.
    """
    given = job.app.container.get("volume_owners", {})
    for source, (user, group) in _owners(job.app).items():
        directory = "" if source.startswith("/") else job.host.engine.volume_directory(source)
        if directory:
            _own(directory, user, group, given=source in given)


def _owners(app: App) -> dict[str, tuple[int, int]]:
    return mounts.owners(app.volumes, app.container.get("volume_owners", {}), str(app.container.get("user", "")))


def _own(directory: str, user: int, group: int, *, given: bool) -> None:
    """Give an empty directory away; of one that is not root's, somebody has thought already, unless that is `given`."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(handle)
        if not os.listdir(handle) and (given or found.st_uid == os.geteuid()):
            os.fchown(handle, user, group)
    finally:
        os.close(handle)
