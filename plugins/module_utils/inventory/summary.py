"""The table that stands at the end of a run: what runs where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = tuple[str, str, str, str, str, str]

HEADER: Row = ("app", "url", "image", "loopback", "certificate", "this run")


def _url(certificate: Mapping[str, Any] | None) -> str:
    return f"https://{certificate['domains'][0]}/" if certificate and certificate.get("domains") else "-"


def _days(certificate: Mapping[str, Any] | None) -> str:
    if certificate is None:
        return "-"
    days = certificate.get("days_left")
    return "none yet" if days is None else f"{days} days left"


def rows(apps: Iterable[Mapping[str, Any]], certificates: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each app, in the inventory's order, then for certificates that no app is called like."""
    by_name = {certificate["name"]: certificate for certificate in certificates}
    found: list[Row] = []
    for app in apps:
        certificate = by_name.pop(app["name"], None)
        port = app.get("host_port")
        found.append(
            (
                str(app["name"]),
                _url(certificate),
                str(app.get("image") or "-"),
                f"{app.get('bind', '127.0.0.1')}:{port}" if port else "-",
                _days(certificate),
                str(app.get("action") or ("changed" if app.get("changed") else "unchanged")),
            )
        )
    for name, certificate in by_name.items():
        found.append((name, _url(certificate), "-", "-", _days(certificate), "-"))
    return found


def table(body: Sequence[Row]) -> list[str]:
    """The rows under their header, as lines with aligned columns."""
    everything = [HEADER, *body]
    widths = [max(len(row[column]) for row in everything) for column in range(len(HEADER))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in everything
    ]


def verdict(totals: Mapping[str, int], check_mode: bool = False) -> str:
    """How the run ended for the host, in a few words.

    Args:
        totals: Ansible's own sums for the host.
        check_mode: nothing was really done.
    """
    if totals.get("unreachable"):
        return "unreachable"
    if totals.get("failures"):
        return "FAILED, see the message above; what is listed here stands"
    changed = totals.get("changed", 0)
    if not changed:
        return "nothing to change" if check_mode else "nothing changed"
    return f"{changed} to change, nothing was touched" if check_mode else f"{changed} changed"
