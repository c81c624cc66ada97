"""File locks, so that runs at the same time wait for each other where they share something."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from lab.errors import LabError


def private_directory(path: Path) -> Path:
    """Make a directory for this user alone under a name that others can guess. LabError when it is somebody else's."""
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise LabError(f"{path} belongs to another user: remove it, or set TMPDIR to a directory of your own")
    return path


def machine_directory() -> Path:
    """Directory for what all checkouts of a user on this machine share."""
    return private_directory(Path(tempfile.gettempdir()) / f"portside-{os.getuid()}")


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on `path` (created when missing); wait as long as another process holds one that excludes it."""
    while True:
        with _open(path) as file:
            fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if _is_still_there(file.fileno(), path):
                yield
                return


@contextmanager
def machine_lock(name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock that all checkouts on this machine respect."""
    path = machine_directory() / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"
    with locked(path, shared=shared):
        yield


def remove_unused(directory: Path) -> None:
    """Remove the lock files that nobody holds, and the directory if that leaves it empty."""
    for path in directory.glob("*.lock"):
        with path.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            # Whoever waits for this file finds it gone when it gets the lock, and makes another.
            path.unlink(missing_ok=True)
    remove_if_empty(directory)


def remove_if_empty(directory: Path) -> None:
    """Remove a directory unless there is something in it, or it is not there."""
    try:
        directory.rmdir()
    except OSError:
        return


def _open(path: Path) -> TextIO:
    for _attempt in range(1000):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return path.open("a")
        except (FileExistsError, FileNotFoundError):
            # Another process is removing the directory in between.
            continue
    raise LabError(f"the lock {path} cannot be made: is something in the way of its directory?")


def _is_still_there(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
