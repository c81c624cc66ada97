"""What an older certbot can't do, by name and version."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# certbot's CHANGELOG.
PROFILES = (4, 0, 0)
ADDRESSES = (5, 4, 0)
_REMEDY = "set `certbot_source: pypi` for a newer one, or leave it out"


def parsed(version: str) -> tuple[int, ...]:
    """`4.0.0` as numbers."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def lacking(where: str, addresses: Sequence[str], profile: str, version: str) -> Iterator[str]:
    """One sentence for each thing that this certbot can't do for a certificate.

    Args:
        where: the certificate, as it is named in the message.
        addresses: the IP addresses that are to be in it.
        profile: its ACME profile; empty for none.
        version: certbot's; empty if it is not known.
    """
    have = parsed(version)
    if not have:
        return
    if profile and have < PROFILES:
        yield f"{where}: `profile: {profile}` needs certbot 4.0.0 or newer, this is {version}: {_REMEDY}"
    if addresses and have < ADDRESSES:
        yield f"{where}: the IP address `{addresses[0]}` needs certbot 5.4.0 or newer, this is {version}: {_REMEDY}"
