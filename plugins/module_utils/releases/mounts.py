"""The volumes of an app, read from the text in which they are declared: `source:/path[:flags]`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

VOLUME = re.compile(
    r"(?P<source>/[^:\s]*|[A-Za-z0-9][A-Za-z0-9_.-]*):(?P<target>/[^:\s]*)(?::(?P<flags>[A-Za-z]+(?:,[A-Za-z]+)*))?"
)
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
