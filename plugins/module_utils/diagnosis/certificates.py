"""Certificates as nginx serves them, or, while it doesn't, as they lie on the disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot.check import alarm_below
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import OPENSSL, Unreadable, parse_leaf
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text

PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
SECONDS = 10


def facts(chain: Sequence[str], now: datetime, source: str) -> dict[str, Any]:
    """What can be said of a chain (PEM, the leaf first).

    Returns serial, names, issuer, `days` left (negative: expired; a fraction of a day counts as none), `late` (it
    should have been renewed long ago), `begun`, `self_signed`, and how many certificates there are.

    Raises:
        Unreadable, CommandError: openssl can't read the leaf.
    """
    described = run([*OPENSSL[:-1], "-subject", "-in", "/dev/stdin"], stdin=chain[0] + "\n", timeout=SECONDS).stdout
    leaf = parse_leaf(described)
    subject = next((line[8:] for line in described.splitlines() if line.startswith("subject=")), "")
    left = leaf.not_after - now
    return {
        "source": source,
        "serial": leaf.serial,
        "names": sorted(leaf.names),
        "issuer": leaf.issuer,
        "not_after": leaf.not_after.isoformat(),
        "days": left.days,
        "late": left < alarm_below(leaf.not_after - leaf.not_before),
        "begun": leaf.not_before <= now,
        "self_signed": subject.strip() == leaf.issuer,
        "chain": len(chain),
    }


def served(name: str) -> list[str]:
    """The chain that nginx shows for a name on this host, nothing where there is no handshake."""
    argv = ["openssl", "s_client", "-connect", "127.0.0.1:443", "-servername", name, "-showcerts"]
    try:
        return PEM.findall(run(argv, expect=(), timeout=SECONDS).stdout)
    except CommandError:
        return []


def look(name: str, file: Path) -> dict[str, Any] | None:
    """The certificate of a name: as it is served, else as the file has it; None where there is neither.

    `on_disk` is the serial number in the file; empty if there is none.

    Args:
        name: the domain.
        file: the chain that its site names.
    """
    now = datetime.now(UTC)
    shown = _readable(served(name), now, "served")
    stored = _readable(PEM.findall(read_text(file) or ""), now, str(file))
    found = shown or stored
    return {**found, "on_disk": stored["serial"] if stored else ""} if found else None


def _readable(chain: Sequence[str], now: datetime, source: str) -> dict[str, Any] | None:
    try:
        return facts(chain, now, source) if chain else None
    except (Unreadable, CommandError, OSError):
        return None
