"""One run at a time: a lock on a file, which the kernel takes from its holder when that ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

POLL = 0.2


class LockError(Exception):
    """Another run holds the lock; the message says which process, and since when."""


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
    deadline = time.monotonic() + patience
    with path.open("a+", encoding="utf-8") as handle:
        os.chmod(path, 0o600)
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    handle.seek(0)
                    raise LockError(
                        f"another run has been at work on this host for more than {patience:g} s "
                        f"({handle.read().strip() or 'which one is not known'}; lock: {path}): "
                        "wait for it, then run again"
                    ) from None
                time.sleep(POLL)
        handle.truncate(0)
        handle.write(f"pid {os.getpid()} since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n")
        handle.flush()
        yield
