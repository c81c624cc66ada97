"""What a backup may bring to a server: certificates, keys, accounts, and how lineages are renewed. Nothing that is run.

An archive that was encrypted to a public key can be anybody's. certbot runs as root: its hooks, `cli.ini` and the
commands in renewal configurations are the server's own and are put there by the role, never by a backup.
"""

from __future__ import annotations

import base64
import binascii
import io
import lzma
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

DIRECTORY, FILE, LINK = "directory", "file", "link"
# Bytes. A lineage is 20 kB with its older versions in `archive`.
LARGEST = 64 << 20
# What certbot or its hooks run, or read commands from.
OWN = ("renewal-hooks", "cli.ini", "portside/deploy.json", "portside/check.json", "portside/ca-bundle.pem")
# Of certbot's files and ours, those that are data (using.rst, "Where are my certificates?"; certbot/configuration.py).
DATA = re.compile(
    r"(README|(accounts|archive|csr|keys|live|renewal)(/.+)?"
    r"|portside(/accounts\.json|/(own|dns|set-aside)(/.+)?)?)"
)
LINKS = re.compile(r"(accounts|portside/own|portside/set-aside)/.+|live/[^/]+/[^/]+")
CONF = re.compile(r"renewal/[^/]+\.conf")
# ConfigObj's own words for headings, and for texts of several lines, which certbot never writes.
HEADING = re.compile(r"\s*\[+[^\[\]]+\]+\s*")
TRIPLE = re.compile("'{3}|\"{3}")

# Options of a renewal configuration that name no program and no file outside (certbot/renewal.py, STR_CONFIG_ITEMS and
# the like). Further ones are those of DNS plugins: where their credentials are, and how long they wait.
PATHS = frozenset(["archive_dir", "cert", "chain", "fullchain", "privkey"])
DIRECTORIES = {
    "config_dir": "/etc/letsencrypt",
    "work_dir": "/var/lib/letsencrypt",
    "logs_dir": "/var/log/letsencrypt",
}
KNOWN = frozenset(
    [
        *(
            "version",
            "renew_before_expiry",
            "account",
            "server",
            "authenticator",
            "installer",
            "autorenew",
            "reuse_key",
        ),
        *("key_type", "rsa_key_size", "elliptic_curve", "must_staple", "allow_subset_of_names", "preferred_chain"),
        *("preferred_profile", "required_profile", "pref_challs", "webroot_path", "user_agent", "issuance_timeout"),
        *("http01_port", "http01_address", "domains", "ip_addresses"),
    ]
)
DNS_OPTION = re.compile(r"([a-z0-9_-]+:)?dns_[a-z0-9_]+_(credentials|propagation_seconds)|dns_[a-z0-9]+")


class ArchiveError(Exception):
    """It is no such archive, or it must not be unpacked here."""


@dataclass(frozen=True)
class Entry:
    """A directory, file or link of an archive, under its path in certbot's directory."""

    name: str
    kind: str
    mode: int = 0
    content: bytes = b""
    target: str = ""


def entries(text: str) -> list[Entry]:
    """What is in an archive, ordered by path.

    Raises:
        ArchiveError: it is none, or holds what no backup does.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(text, validate=True)), mode="r:xz") as archive:
            found = list(_read(archive))
    except (binascii.Error, lzma.LZMAError, tarfile.TarError, EOFError, ValueError) as error:
        raise ArchiveError(f"this is no backup of certificates: {error}") from error
    if len({entry.name for entry in found}) < len(found):
        raise ArchiveError("this is no backup of certificates: it has a path twice")
    return sorted(found, key=lambda entry: entry.name)


def _read(archive: tarfile.TarFile) -> Iterator[Entry]:
    room = LARGEST
    for member in archive:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ArchiveError(f"this is no backup of certificates: it has the path {member.name}")
        name, mode = str(path), member.mode & 0o755
        if member.isdir():
            yield Entry(name, DIRECTORY, mode)
        elif member.issym():
            yield Entry(name, LINK, target=member.linkname)
        elif member.isreg():
            room -= member.size
            if room < 0:
                raise ArchiveError(f"this is no backup of certificates: it is larger than {LARGEST >> 20} MiB")
            source = archive.extractfile(member)
            yield Entry(name, FILE, mode, source.read() if source else b"")
        else:
            raise ArchiveError(f"this is no backup of certificates: {member.name} is no file, directory or link")


def taken(found: Iterable[Entry]) -> tuple[list[Entry], list[str]]:
    """What of an archive is restored, and a sentence for each thing that is left out and that somebody may miss.

    Raises:
        ArchiveError: a link stands where none belongs or leads outside, or a lineage is elsewhere on the server.
    """
    wanted: list[Entry] = []
    left: list[str] = []
    for entry in found:
        if entry.name in OWN or entry.name.startswith(f"{OWN[0]}/"):
            left += _missed(entry)
        elif not DATA.fullmatch(entry.name):
            if entry.kind != DIRECTORY:
                left.append(f"{entry.name} was not restored: a backup brings certbot's data and the role's alone")
        elif entry.kind == LINK and entry.target.startswith("/") and entry.name.startswith("portside/own/"):
            left.append(f"{entry.name} was not restored: it is a link to {entry.target}, which site.yml makes again")
        elif entry.kind == LINK and not _is_fit(entry):
            raise ArchiveError(
                f"nothing was restored: {entry.name} of the backup is a link to {entry.target}, and no backup of ours "
                "has one there"
            )
        elif CONF.fullmatch(entry.name):
            conf, dropped = _without_commands(entry)
            wanted.append(conf)
            left += dropped
        else:
            wanted.append(entry)
    return wanted, left


def _missed(entry: Entry) -> list[str]:
    ours = entry.name.startswith("portside/") or entry.name.endswith("/portside")
    return [] if ours or entry.kind == DIRECTORY else [f"{entry.name} was not restored: a backup brings no commands"]


def _is_fit(entry: Entry) -> bool:
    """Whether the link may stand there, and stays inside as it is written."""
    depth = len(PurePosixPath(entry.name).parent.parts)
    for part in PurePosixPath(entry.target).parts:
        depth += -1 if part == ".." else 1
        if depth < 0 or part == "/":
            return False
    return bool(LINKS.fullmatch(entry.name))


def _without_commands(entry: Entry) -> tuple[Entry, list[str]]:
    """A renewal configuration with those options alone that are known to run nothing.

    Raises:
        ArchiveError: its files are outside certbot's directory, where certbot would write.
    """
    lines, dropped = [], []
    section = ""
    for line in entry.content.decode("utf-8", errors="replace").splitlines():
        key, found, value = (part.strip() for part in line.partition("="))
        if TRIPLE.search(line) or not (found or HEADING.fullmatch(line) or line.lstrip().startswith("#") or not key):
            raise ArchiveError(
                f"nothing was restored: {entry.name} of the backup has a line that certbot doesn't write"
            )
        if HEADING.fullmatch(line):
            section = line.strip("[] \t")
        elif key in PATHS and found and not _inside(value):
            raise ArchiveError(
                f"nothing was restored: {entry.name} of the backup has its files elsewhere ({line.strip()})"
            )
        elif found and not (key.startswith("#") or section == "webroot_map" or _harmless(key, value)):
            dropped.append(key)
            continue
        lines.append(line)
    said = f"{entry.name}: left out {', '.join(dropped)}: a backup brings no commands; site.yml sets what is declared"
    text = "".join(f"{line}\n" for line in lines)
    return replace(entry, content=text.encode()), [said] if dropped else []


def _inside(value: str) -> bool:
    path = PurePosixPath(value.strip("\"'"))
    return path.is_relative_to("/etc/letsencrypt") and ".." not in path.parts


def _harmless(key: str, value: str) -> bool:
    if key in DIRECTORIES:
        return value.strip("\"'") == DIRECTORIES[key]
    return key in KNOWN or key in PATHS or bool(DNS_OPTION.fullmatch(key))
