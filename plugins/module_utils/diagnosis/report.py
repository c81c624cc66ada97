"""The report for the terminal: the path of each app, top to bottom, then what is broken and what mends it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes import BROKEN, WARNING

# A line and what it says: ok, broken, warning, unseen, or plain.
Line = tuple[str, str]
PLAIN = "plain"
MARKS = {"ok": "✔", BROKEN: "✘", WARNING: "!", "unseen": "·"}
WIDTH = 110
TITLE = max(len(title) for title in hops.TITLES.values())


def headline(diagnosis: Mapping[str, Any]) -> str:
    """One sentence about an app."""
    broken = [one for one in diagnosis["findings"] if one["level"] == BROKEN]
    if not broken:
        warned = len(diagnosis["findings"])
        return f"{diagnosis['app']}: nothing is broken" + (f", {warned} to look at" if warned else "")
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return f"{diagnosis['app']}: broken at {hops.TITLES[broken[0]['hop']]}: {broken[0]['seen']}{more}"


def drawn(diagnosis: Mapping[str, Any]) -> Iterator[Line]:
    """The path of an app, a hop a line, the way in joined by a line that ends at the first broken hop."""
    way = diagnosis["path"]
    reached = True
    for number, hop in enumerate(way):
        spent = f"{hop['ms']:>6} ms" if hop["ms"] is not None else " " * 9
        head = f"  {MARKS[hop['mark']]} {hop['title']:<{TITLE}} {spent}  "
        lines = textwrap.wrap(hop["seen"], WIDTH - len(head)) or [""]
        reached = reached and hop["mark"] != BROKEN
        rail = "│" if reached else "┊"
        last = number == len(way) - 1 or way[number + 1]["hop"] == hops.EGRESS
        yield head + lines[0], hop["mark"]
        indent = " " * (len(head) - 3)
        yield from ((f"  {' ' if last else rail}{indent}{line}", hop["mark"]) for line in lines[1:])
        if not last:
            yield f"  {rail}", PLAIN


def _paragraph(label: str, text: str) -> Iterator[str]:
    yield from textwrap.wrap(
        text,
        WIDTH,
        initial_indent=f"  {label:<8}",
        subsequent_indent=" " * 10,
        break_on_hyphens=False,
        break_long_words=False,
    )


def explained(findings: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """What is broken, why it matters, what mends it; the first one first."""
    for number, one in enumerate(findings):
        kind = "WARNING" if one["level"] == WARNING else "FIRST" if number == 0 else "THEN"
        yield "", PLAIN
        yield from ((line, one["level"]) for line in _paragraph(kind, f"{hops.TITLES[one['hop']]}: {one['seen']}"))
        yield from ((line, PLAIN) for line in _paragraph("why", one["why"]))
        yield from ((line, PLAIN) for line in _paragraph("mend", one["cure"]))
        yield from ((f"  log     {line}"[: WIDTH * 2], PLAIN) for line in one["log"])


def attempted(attempts: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """The last webhook requests that nginx logged."""
    if not attempts:
        return
    yield "", PLAIN
    yield "  Last webhook requests:", PLAIN
    for one in attempts:
        signed = "signed" if one["signed"] else "unsigned"
        answered = f"{one['time']}  {one['status']}  {one['seconds']} s"
        yield f"    {answered}  {one['method']} {one['uri']}  {one['client']}  {signed}", PLAIN


def lines(diagnosis: Mapping[str, Any]) -> list[Line]:
    """Everything about one app."""
    broken = not diagnosis["ok"]
    return [
        (headline(diagnosis), BROKEN if broken else WARNING if diagnosis["findings"] else "ok"),
        ("", PLAIN),
        *drawn(diagnosis),
        *explained(diagnosis["findings"]),
        *attempted(diagnosis["attempts"]),
    ]


def message(host: str, diagnoses: Sequence[Mapping[str, Any]]) -> str:
    """The one message of a host that fails: for each broken app its first cause, and what mends it."""
    found = []
    for diagnosis in diagnoses:
        if not diagnosis["ok"]:
            found.append(f"{host}: {headline(diagnosis)}. To mend it: {diagnosis['findings'][0]['cure']}")
    return "\n".join(found)
