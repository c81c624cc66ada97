"""One run at a time: a lock on a file, which the kernel takes from its holder when that ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

POLL = 0.2


class LockError(Exception):
    """Another run holds the lock; the message says which process, and since when."""


def wait_for(handle: TextIO, patience: float, take: Callable[[TextIO, int], None] = fcntl.flock) -> None:
    """Take the lock of a file that is open for writing; closing the file lets go of it.

    Args:
        handle: the file.
        patience: seconds to wait for another run.
        take: `fcntl.lockf` where other programs use that kind of lock on the file.

    Raises:
        LockError: another run still holds it.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            take(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        # fcntl(2): either says of a lock of lockf(3) that somebody else holds it.
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= deadline:
                holder = Path(handle.name).read_text(encoding="utf-8").strip()
                raise LockError(
                    f"another run has been at work on this host for more than {patience:g} s"
                    f" ({f'{holder}; ' if holder else ''}lock: {handle.name}): wait for it, then run again"
                ) from None
            time.sleep(POLL)


@contextlib.contextmanager
def alone(path: Path, patience: float) -> Iterator[None]:
    """Hold the lock; what is read after that is still true when it is written.

    Args:
        path: the file that is locked (flock(2)); made if it is not there, with the directory that it is in.
        patience: seconds to wait for another run.

    Raises:
        LockError: another run still holds it.
    """
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        os.chmod(path, 0o600)
        wait_for(handle, patience)
        handle.truncate(0)
        handle.write(f"pid {os.getpid()} since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
        handle.flush()
        yield
