"""/etc/letsencrypt as one text, and back: certificates, keys, renewal configurations and ACME accounts."""

from __future__ import annotations

import base64
import binascii
import io
import os
import tarfile
from datetime import datetime
from pathlib import Path, PurePosixPath

from ansible_collections.portside.vps.plugins.module_utils.files import remove_tree


class ArchiveError(Exception):
    """It is no such archive, or it must not be unpacked here."""


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


def _members(text: str) -> tarfile.TarFile:
    try:
        return tarfile.open(fileobj=io.BytesIO(base64.b64decode(text, validate=True)), mode="r:xz")
    except (binascii.Error, tarfile.TarError, EOFError, ValueError) as error:
        raise ArchiveError(f"this is no backup of certificates: {error}") from error


def _write(archive: tarfile.TarFile, folder: Path) -> None:
    for member in archive:
        name = PurePosixPath(member.name)
        if name.is_absolute() or ".." in name.parts:
            raise ArchiveError(f"this is no backup of certificates: it has the path {member.name}")
        path = folder / name
        if member.isdir():
            path.mkdir(mode=member.mode & 0o755, exist_ok=True)
        elif member.issym():
            path.symlink_to(member.linkname)
        elif member.isreg():
            source = archive.extractfile(member)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode & 0o755)
            with os.fdopen(handle, "wb") as file:
                file.write(source.read() if source else b"")


def lineages(folder: Path) -> list[str]:
    """The lineages in certbot's directory."""
    return sorted(path.stem for path in folder.glob("renewal/*.conf"))


def check(text: str, folder: Path, *, force: bool) -> None:
    """See that an archive is one, and may be unpacked here.

    Raises:
        ArchiveError: it is none, or the directory has lineages.
    """
    present = lineages(folder)
    if present and not force:
        raise ArchiveError(
            f"{folder} has certificates already ({', '.join(present)}): nothing was restored. "
            "Set portside_restore_force: true to replace them; they are kept beside."
        )
    with _members(text):
        pass


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
        ArchiveError: it is no archive, or the directory has lineages.
    """
    check(text, folder, force=force)
    beside = folder.with_name(f".{folder.name}.restored")
    remove_tree(beside)
    beside.mkdir(mode=0o755, parents=True)
    try:
        with _members(text) as archive:
            _write(archive, beside)
    except (ArchiveError, tarfile.TarError, OSError):
        remove_tree(beside)
        raise
    kept = None
    if folder.exists():
        kept = folder.with_name(f"{folder.name}.before-{now:%Y%m%dT%H%M%SZ}")
        os.rename(folder, kept)
    os.rename(beside, folder)
    return kept
