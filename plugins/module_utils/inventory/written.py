"""What stands in a file of variables, letter by letter, where YAML made something else of it.

YAML 1.1 reads `0123` as 83, `12:30` as 750, `24.10` as 24.1, `no` as false (yaml.org/type: int, float, bool). Then the
letters are gone, but Ansible's values remember the file, the line and the column that they come from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

try:
    from ansible._internal._datatag._tags import Origin
except ImportError:  # Ansible calls it internal: where it has moved, nothing is known of what was written.
    Origin = None

# What may stand before a scalar: an anchor and a tag.
_PROPERTIES = r"(?:[&!]\S*\s+)*"
# A date with a time (yaml.org/type/timestamp) holds blanks; nothing else that isn't text does.
_SCALAR = re.compile(_PROPERTIES + r"(\d{4}-\d\d?-\d\d?[Tt \t]+\d[\d:.]*(?:\s*(?:Z|[-+]\d\d?(?::\d\d)?))?|[-+.:~\w]+)")
_KEY = r"(?:\"[^\"]*\"|'[^']*'|[^\s:{}\[\],\"'][^:{}\[\],]*):\s+"
_AFTER_KEY = re.compile(_KEY + _SCALAR.pattern)
_FIRST_KEY = re.compile(r"\{?\s*" + _PROPERTIES + r"([-+.~\w]+)\s*:\s")
_LAST_KEY = re.compile(r"([-+.~\w]+)\s*:\s+" + _PROPERTIES + "$")


@dataclass(frozen=True)
class Written:
    """A scalar as somebody wrote it.

    Attributes:
        text: its letters; None where they can't be had.
        place: file and line, for messages; empty where they aren't known.
        encrypted: the file is Ansible Vault's as a whole, so that its letters can't be read.
    """

    text: str | None = None
    place: str = ""
    encrypted: bool = False


@lru_cache
def _read(path: Path, _changed: int) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="utf-8").splitlines())


def _lines(path: str) -> tuple[str, ...]:
    try:
        return _read(Path(path), Path(path).stat().st_mtime_ns)
    except (OSError, UnicodeDecodeError):
        return ()


def _place(path: str, line: int) -> str:
    here = Path.cwd()
    file = Path(path)
    return f"{file.relative_to(here) if file.is_relative_to(here) else file}, line {line}"


def _same(text: str, value: Any) -> bool:
    """Whether YAML reads the text as that value: else it stands elsewhere, or a template made it."""
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return False
    return isinstance(value, type(read)) and (read == value or repr(read) == repr(value))


def _found(origin: Any, pattern: re.Pattern[str], value: Any, *, before: bool = False) -> Written:
    """What the pattern finds at the place (before it, if so said), where it is that value."""
    if origin is None or not origin.path or not origin.line_num:
        return Written()
    path, number = str(origin.path), int(origin.line_num)
    lines = _lines(path)
    place = _place(path, number)
    if lines and lines[0].startswith("$ANSIBLE_VAULT"):
        return Written(place=place, encrypted=True)
    line = lines[number - 1] if number <= len(lines) else ""
    column = int(origin.col_num or 1) - 1
    match = pattern.search(line[:column]) if before else pattern.match(line, column)
    return Written(match[1] if match and _same(match[1], value) else None, place)


def _origin(value: Any) -> Any:
    return Origin.get_tag(value) if Origin else None


def scalar(value: Any, holder: Any = None, key: Any = None) -> Written:
    """How a number, a date, a truth value or nothing at all was written.

    Args:
        value: as Ansible hands it to a filter.
        holder: the dictionary that it stands in. Truth values don't remember where they come from, but keys do.
        key: its key there.
    """
    if (origin := _origin(value)) is not None:
        return _found(origin, _SCALAR, value)
    if isinstance(holder, Mapping):
        own = next((name for name in holder if name == key and type(name) is not bool), None)
        return _found(_origin(own), _AFTER_KEY, value)
    return Written()


def key(name: Any, value: Any, holder: Any) -> Written:
    """How a key that isn't text was written, as itself, before its value, or where its dictionary begins."""
    ways = (
        (_origin(name), _SCALAR, False),
        (_origin(value), _LAST_KEY, True),
        (_origin(holder), _FIRST_KEY, False),
    )
    tries = [_found(origin, pattern, name, before=before) for origin, pattern, before in ways]
    return next((found for found in tries if found.text), max(tries, key=lambda found: bool(found.place)))


def follow(raw: Any, path: Iterable[Any]) -> Any:
    """The value at the end of a path of keys and positions, with what it remembers."""
    for step in path:
        raw = raw[step]
    return raw
