"""The volumes of an app, read from the text in which they are declared: `source:/path[:flags]`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

VOLUME = re.compile(
    r"(?P<source>/[^:\s]*|[A-Za-z0-9][A-Za-z0-9_.-]*):(?P<target>/[^:\s]*)(?::(?P<flags>[A-Za-z]+(?:,[A-Za-z]+)*))?"
)
# What a file is called: by its ending, among those that configuration, keys, scripts and databases have (`example.com`
# and `app-1.2` are directories), and files without one that programs look for.
ENDING = re.compile(
    r".+\.(cert?|cfg|cnf|conf|config|crt|csv|db|env|hcl|html?|ini|j2|jar|jks|js|json5?|key|lua|p12|pem|pfx|php|plist|"
    r"properties|py|rb|rules|service|sh|sock|sql|sqlite3?|te?mpl|toml|tpl|txt|vcl|ya?ml|xml)",
    re.IGNORECASE,
)
FILES = frozenset(
    ["Caddyfile", "Dockerfile", "Procfile", "hosts", "passwd", ".env", ".htpasswd", ".netrc", ".npmrc", ".pgpass"]
)
OWNER = re.compile(r"(?P<user>[0-9]{1,10})(?::(?P<group>[0-9]{1,10}))?")
FLAGS = frozenset(["ro", "rw", "nocopy", "z", "Z", "shared", "rshared", "slave", "rslave", "private", "rprivate"])


@dataclass(frozen=True)
class Mount:
    """One volume: a named one, or a file or directory of the server.

    source: the volume's name, or the path on the server without `.`, `..` and doubled slashes.
    target: the path in the container.
    flags: those behind it.
    """

    source: str
    target: str
    flags: frozenset[str] = frozenset()

    @property
    def named(self) -> bool:
        """Whether it is a volume that Docker keeps, and no path on the server."""
        return not self.source.startswith("/")

    @property
    def read_only(self) -> bool:
        """Whether the container can't write there."""
        return "ro" in self.flags


def canonical(path: str) -> str:
    """The one spelling of an absolute path."""
    return "/" + posixpath.normpath(path).lstrip("/")


def parse(volume: str) -> Mount | None:
    """The volume that the text declares; None where it is none."""
    parts = VOLUME.fullmatch(volume)
    if parts is None or parts["target"].rstrip("/") == "":
        return None
    source = canonical(parts["source"]) if parts["source"].startswith("/") else parts["source"]
    return Mount(source, parts["target"].rstrip("/"), frozenset((parts["flags"] or "rw").split(",")))


def of(volumes: Iterable[str]) -> list[Mount]:
    """The volumes of a list that was checked."""
    return [mount for volume in volumes if (mount := parse(volume))]


def is_file(mount: Mount) -> bool:
    """Whether what is mounted is a file and no directory, as far as its names tell."""
    names = [PurePosixPath(path).name for path in (mount.source, mount.target)]
    return not mount.named and any(ENDING.fullmatch(name) or name in FILES for name in names)


def overlap(one: str, other: str) -> bool:
    """Whether two sources are the same volume, or one path holds the other."""
    return one == other or f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def owners(volumes: Iterable[str], declared: Mapping[str, str], user: str) -> dict[str, tuple[int, int]]:
    """Whose the fresh volumes are to be: user and group by source, -1 for a group that is left alone.

    Args:
        volumes: as declared.
        declared: the owners that the app names, by source.
        user: whom the container runs as. A name is known to the image alone.
    """
    said = {canonical(source) if source.startswith("/") else source: owner for source, owner in declared.items()}
    found = {}
    for mount in of(volumes):
        parts = OWNER.fullmatch(said.get(mount.source) or ("" if mount.read_only else user))
        if parts:
            found[mount.source] = (int(parts["user"]), int(parts["group"] or -1))
    return found
