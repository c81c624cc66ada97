"""/etc/letsencrypt as one text, and back: certificates, keys, renewal configurations and ACME accounts."""

from __future__ import annotations

import base64
import io
import os
import shutil
import tarfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import brought
from ansible_collections.portside.vps.plugins.module_utils.certbot.brought import ArchiveError, Entry
from ansible_collections.portside.vps.plugins.module_utils.files import remove_tree


def _same_everywhere(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without what differs between two archives of the same files."""
    member.mtime = 0
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def pack(folder: Path) -> str:
    """The directory as a compressed tar archive in base64; the same files give the same text.

    Raises:
        ArchiveError: there is no such directory.
    """
    if not folder.is_dir():
        raise ArchiveError(f"{folder} is not there: this host has no certificates")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() or path.is_symlink() or path.is_dir():
                archive.add(path, str(path.relative_to(folder)), recursive=False, filter=_same_everywhere)
    return base64.b64encode(stream.getvalue()).decode("ascii")


def lineages(folder: Path) -> list[str]:
    """The lineages in certbot's directory."""
    return sorted(path.stem for path in folder.glob("renewal/*.conf"))


def same(text: str, folder: Path) -> bool:
    """Whether all that an archive may bring is what the directory has.

    Raises:
        ArchiveError: it is no archive, or must not be unpacked.
    """
    wanted = _content(text)
    if not folder.is_dir():
        return False
    try:
        return wanted == _content(pack(folder))
    except ArchiveError:  # what is there is none of ours: that is for `force` to decide
        return False


def _content(text: str) -> list[Entry]:
    return [entry for entry in brought.taken(brought.entries(text))[0] if entry.kind != brought.DIRECTORY]


def check(text: str, folder: Path, *, force: bool) -> list[str]:
    """See that an archive is one, and may be unpacked here.

    Returns:
        What of it is not restored, a sentence each.

    Raises:
        ArchiveError: it is none, or must not be unpacked, or the directory has lineages.
    """
    present = lineages(folder)
    if present and not force:
        raise ArchiveError(
            f"{folder} has certificates already ({', '.join(present)}): nothing was restored. "
            "Set portside_restore_force: true to replace them; they are kept beside."
        )
    return brought.taken(brought.entries(text))[1]


def unpack(text: str, folder: Path, now: datetime, *, force: bool = False) -> Path | None:
    """Put an archive in the directory's place, in one step.

    Args:
        text: what `pack` gave.
        folder: certbot's directory.
        now: names where the old directory is kept.
        force: whether one that has lineages may be replaced.

    Returns:
        Where what stood there before is kept; None if there was nothing.

    Raises:
        ArchiveError: it is no archive, or must not be unpacked, or the directory has lineages.
    """
    check(text, folder, force=force)
    wanted, _ = brought.taken(brought.entries(text))
    beside = folder.with_name(f".{folder.name}.restored")
    remove_tree(beside)
    beside.mkdir(mode=0o755, parents=True)
    try:
        _write(wanted, beside)
        _keep_own(folder, beside)
    except (ArchiveError, OSError):
        remove_tree(beside)
        raise
    kept = None
    if folder.exists():
        kept = folder.with_name(f"{folder.name}.before-{now:%Y%m%dT%H%M%SZ}")
        os.rename(folder, kept)
    os.rename(beside, folder)
    return kept


def _write(wanted: Sequence[Entry], folder: Path) -> None:
    """Directories and files first: no link of the archive is there yet that something could be written through."""
    links = [entry for entry in wanted if entry.kind == brought.LINK]
    for entry in wanted:
        path = folder / entry.name
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if entry.kind == brought.DIRECTORY:
            path.mkdir(mode=entry.mode, exist_ok=True)
        elif entry.kind == brought.FILE:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, entry.mode)
            with os.fdopen(handle, "wb") as file:
                file.write(entry.content)
    for entry in links:
        (folder / entry.name).symlink_to(entry.target)
    # Where one leads may depend on another.
    for entry in links:
        if not Path(os.path.realpath(folder / entry.name)).is_relative_to(os.path.realpath(folder)):
            raise ArchiveError(f"this is no backup of certificates: {entry.name} is a link that leads outside")


def _keep_own(folder: Path, beside: Path) -> None:
    """Whatever is run by certbot or its hooks is the server's own, before and after."""
    for name in brought.OWN:
        source, target = folder / name, beside / name
        if source.is_dir() and not source.is_symlink():
            shutil.copytree(source, target, symlinks=True)
        elif source.is_file():
            target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copy2(source, target)
