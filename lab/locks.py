"""File locks, so that runs at the same time wait for each other where they share something."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def machine_directory() -> Path:
    """Directory for what all checkouts of a user on this machine share."""
    path = Path(tempfile.gettempdir()) / f"portside-{os.getuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on `path` (created when missing); wait as long as another process holds one that excludes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextmanager
def machine_lock(name: str, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock that all checkouts on this machine respect."""
    path = machine_directory() / f"{re.sub(r'[^A-Za-z0-9.-]', '_', name)}.lock"
    with locked(path, shared=shared):
        yield
