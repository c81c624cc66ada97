"""One screen for each server: its apps, disks, ports and system, and what differs from the inventory."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.status.drift import Drift

# A line and what it says: ok, broken, warning or plain.
Line = tuple[str, str]
OK, BROKEN, WARNING, PLAIN = "ok", "broken", "warning", "plain"
HEADER = ("app", "release", "image", "health", "certificate", "port")
WIDTH = 140
# Percent of a file system.
FULL = 90
# Days; certbot renews long before.
SOON = 14
GB = 1_000_000_000
# Kinds whose items are told in a sentence of their own; what is said of the others goes on after the name.
SENTENCES = ("container", "certificate", "problem")


def _days(certificate: Mapping[str, Any] | None) -> str:
    if certificate is None:
        return "-"
    days = certificate.get("days_left")
    return "none yet" if days is None else f"{days} days left"


def _row(app: Mapping[str, Any], certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    release = f"r{app['release']}" if app["release"] else "-"
    if app["canary"]:
        release += f", r{app['canary']['release']} for {app['canary']['share']} %"
    ports = ", ".join(app["ports"]) or "-"
    return (app["name"], release, app["image"] or "-", app["health"], _days(certificate), ports)


def _mark(app: Mapping[str, Any], certificate: Mapping[str, Any] | None) -> str:
    days = (certificate or {}).get("days_left")
    return BROKEN if not app["healthy"] else WARNING if days is not None and days < SOON else OK


def apps(seen: Sequence[Mapping[str, Any]], certificates: Mapping[str, Mapping[str, Any]]) -> Iterator[Line]:
    """The table of apps."""
    rows = [_row(app, certificates.get(app["name"])) for app in seen]
    widths = [max(len(row[column]) for row in [HEADER, *rows]) for column in range(len(HEADER))]

    def aligned(row: Sequence[str]) -> str:
        return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()

    yield aligned(HEADER), PLAIN
    marks = [_mark(app, certificates.get(app["name"])) for app in seen]
    yield from ((aligned(row), mark) for row, mark in zip(rows, marks, strict=True))


def rights(seen: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """A line for each app that has more than its container."""
    for app in seen:
        if app["host_access"]:
            what = ", ".join(app["host_access"])
            yield f"rights  {app['name']} has {what}: whoever gets into it has the server", WARNING


def disks(seen: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """A line for each file system."""
    for one in seen:
        text = f"{one['path']}: {one['used']} % of {one['total'] / GB:.1f} GB used, {one['free'] / GB:.1f} GB free"
        yield f"disk    {text}", WARNING if one["used"] >= FULL else OK


def ports(seen: Sequence[Mapping[str, Any]], error: str) -> Iterator[Line]:
    """The ports that others may connect to, each once with to whom it is open."""
    if error:
        yield f"ports   not known: {error}", WARNING
        return
    found: dict[tuple[str, str], None] = {}
    for row in seen:
        port = f"{row['port']}/{row['protocol']}"
        found.update({(port, whom): None for whom in row["open_to"]})
    yield f"ports   {', '.join(f'{port} to {whom}' for port, whom in found) or 'none is open to others'}", PLAIN


def system(seen: Mapping[str, Any]) -> Iterator[Line]:
    """The operating system, and what waits to be looked at."""
    days, rest = divmod(seen["up"], 86400)
    said = [seen["name"], f"up {days} d {rest // 3600} h" if days else f"up {rest // 3600} h {rest % 3600 // 60} min"]
    said += ["a reboot is due"] if seen["reboot"] else []
    said += [f"failed: {', '.join(seen['failed'])} (`systemctl status` says why)"] if seen["failed"] else []
    yield f"system  {', '.join(said)}", WARNING if seen["reboot"] or seen["failed"] else OK


def drifts(found: Sequence[Drift]) -> Iterator[Line]:
    """What differs, an item a line or more."""
    if not found:
        yield "Nothing differs from the inventory.", OK
        return
    yield (
        "Differs from the inventory (`ansible-playbook site.yml` mends it; `--check --diff` only shows it in full):",
        BROKEN,
    )
    kinds = max(len(one["kind"]) for one in found)
    for one in found:
        colon = ":" if one["kind"] in SENTENCES else ""
        text = " ".join(f"{one['name']}{colon} {one['what']}".split())
        head = f"  {one['kind'].ljust(kinds)}  "
        yield from (
            (line, BROKEN)
            for line in textwrap.wrap(
                text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head) + "  ", break_long_words=False
            )
        )


def title(found: Sequence[Drift]) -> str:
    """The result in a few words."""
    return f"{len(found)} {'thing differs' if len(found) == 1 else 'things differ'}" if found else "as declared"


def lines(status: Mapping[str, Any]) -> Iterator[Line]:
    """The whole screen.

    Args:
        status: `server`, what the module server_status returned, empty where it did not; `certificates`, what
            certbot_certificates returned; `drift`.
    """
    server = status["server"]
    if server:
        yield from apps(server["apps"], {one["name"]: one for one in status["certificates"]})
        yield "", PLAIN
        yield from rights(server["apps"])
        yield from disks(server["disks"])
        yield from ports(server["ports"], server["ports_error"])
        yield from system(server["system"])
        yield "", PLAIN
    yield from drifts(status["drift"])
