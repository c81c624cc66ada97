"""Files that are whole or absent: atomic replacement, with the mode right from the first byte."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path


def read_text(path: Path) -> str | None:
    """The file's text, or None where there is no file."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def wrong_rights(path: Path, mode: int) -> str:
    """Mode and owner of a file, in words, where they are not this mode and this user; empty where they are."""
    found = os.stat(path)
    right = found.st_mode & 0o777 == mode and found.st_uid == os.geteuid()
    return "" if right else f"mode {found.st_mode & 0o777:04o}, owner {found.st_uid}"


def write_atomic(path: Path, content: str, mode: int = 0o644, owner: str | None = None) -> None:
    """Replace the file in one step (rename(2)); it is on the disk when this returns.

    Args:
        path: where the file goes; its directory must exist.
        content: the whole text.
        mode: permission bits, in force before the first byte is written.
        owner: user whose file it is, also from before the first byte; none is whoever runs this.

    Raises:
        KeyError: there is no such user.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            if owner is not None:
                os.fchown(stream.fileno(), pwd.getpwnam(owner).pw_uid, -1)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def link_atomic(link: Path, target: str) -> None:
    """Make `link` a symbolic link to `target` in one step, whatever link stood there before.

    Raises:
        IsADirectoryError: a real directory stands where the link should go.
    """
    beside = link.parent / f".{link.name}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    beside.symlink_to(target)
    os.replace(beside, link)


def remove_tree(path: Path) -> None:
    """Remove a directory with all that is in it; one that is not there is fine.

    Raises:
        OSError: something in it can't be removed, so what was to go (a key, a secret) is still there.
    """
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
