"""A cause as it was met: the table's words with what was seen filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import causes
from ansible_collections.portside.vps.plugins.module_utils.releases import hints

Finding = dict[str, Any]
Seen = dict[str, Any]


def finding(cause: str, *, log: Sequence[str] = (), **words: Any) -> Finding:
    """One finding.

    Args:
        cause: its id in the table.
        log: lines to show with it. What they are known to mean comes before what the table says.
        words: what the table's sentences have in braces.

    Raises:
        KeyError: a sentence needs a word that isn't given; a unit test gives each cause its words.
    """
    entry = causes.BY_ID[cause]
    return {
        "cause": cause,
        "hop": entry.hop,
        "level": entry.level,
        "seen": entry.seen.format(**words),
        "why": entry.why.format(**words),
        "cure": _cure(entry.cure.format(**words), log),
        "log": list(log),
    }


def _cure(text: str, log: Sequence[str]) -> str:
    known = hints.said(hints.Case(lines=log))
    return f"{known[0][0].upper()}{known[0][1:]}. {text}" if known else text


def listed(values: Sequence[Any], nothing: str = "none") -> str:
    """The values with commas between them."""
    return ", ".join(str(value) for value in values) or nothing
