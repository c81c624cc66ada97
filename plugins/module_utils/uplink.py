"""Where a host meets the internet: the interfaces that lead there, and its addresses on them."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text


def interfaces() -> list[str]:
    """Interfaces that a default route leaves by, from the kernel's own tables."""
    found = set()
    for line in (read_text(Path("/proc/net/route")) or "").splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[7] == "00000000":
            found.add(fields[0])
    for line in (read_text(Path("/proc/net/ipv6_route")) or "").splitlines():
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00":
            found.add(fields[9])
    return sorted(found - {"lo"})


def lasting(text: str, names: Collection[str]) -> list[str]:
    """The addresses that stay and lead outside: no link-local ones, and none of IPv6's that change every day.

    IPv4 comes first; the order is not that in which they came to be, which another boot would change.

    Args:
        text: what `ip -json address show` says.
        names: the interfaces that count; those of containers and of virtual machines don't.
    """
    found = [
        str(entry["local"])
        for link in json.loads(text)
        if link.get("ifname") in names
        for entry in link.get("addr_info", ())
        if entry.get("scope") == "global" and not entry.get("temporary") and not entry.get("deprecated")
    ]
    return sorted(found, key=lambda address: (":" in address, address))


def addresses() -> list[str]:
    """The host's addresses on the interfaces that lead outside. Raises CommandError where `ip` can't be run."""
    return lasting(run(["ip", "-json", "address", "show"]).stdout, interfaces())
