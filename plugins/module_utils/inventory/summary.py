"""The table that stands at the end of a run: what runs where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = tuple[str, str, str, str, str, str]

HEADER: Row = ("app", "url", "image", "loopback", "certificate", "this run")


def _days(certificate: Mapping[str, Any] | None) -> str:
    if certificate is None:
        return "-"
    days = certificate.get("days_left")
    return "none yet" if days is None else f"{days} days left"


def _done(app: Mapping[str, Any] | None, certificate: Mapping[str, Any] | None) -> str:
    """What this run did to the app: its release, its certificate, both, or nothing."""
    released = str(app.get("action") or "unchanged") if app else "not reached"
    if certificate is None or not certificate.get("changed"):
        return released
    changed = "certificate changed"
    return changed if released == "unchanged" else f"{released}, {changed}"


def _row(
    name: str, declared: Mapping[str, str], app: Mapping[str, Any] | None, certificate: Mapping[str, Any] | None
) -> Row:
    live = app or {}
    domains = (certificate or {}).get("domains") or []
    ports = [str(port) for port in live.get("host_ports") or [live.get("host_port")] if port]
    return (
        name,
        declared.get("url") or (f"https://{domains[0]}/" if domains else "-"),
        str(live.get("image") or declared.get("image") or "-"),
        f"{live.get('bind', '127.0.0.1')}:{','.join(ports)}" if ports else "-",
        _days(certificate),
        _done(app, certificate),
    )


def rows(
    declared: Iterable[Mapping[str, str]],
    apps: Iterable[Mapping[str, Any]],
    certificates: Iterable[Mapping[str, Any]],
) -> list[Row]:
    """One row for each app and each certificate, in the inventory's order.

    Args:
        declared: name, url and image of the apps in the inventory.
        apps: what the module app_release returned; empty when the run didn't get so far.
        certificates: what the module certbot_certificates returned, likewise.
    """
    wanted = {item["name"]: item for item in declared}
    live = {app["name"]: app for app in apps}
    issued = {certificate["name"]: certificate for certificate in certificates}
    names = dict.fromkeys([*wanted, *live, *issued])
    return [_row(name, wanted.get(name, {}), live.get(name), issued.get(name)) for name in names]


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
