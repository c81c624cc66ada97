"""Under which addresses the internet reaches a host, as far as that can be known."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache


def is_global(address: str) -> bool:
    """Whether the internet can reach the address at all (private and unique-local ones it can't)."""
    return ipaddress.ip_address(address).is_global


def of_family(addresses: Iterable[str], family: str) -> list[str]:
    """Those that are IPv4 or IPv6 (`4`, `6`)."""
    return [address for address in addresses if (":" in address) == (family == "6")]


@lru_cache
def resolve(name: str) -> tuple[str, ...]:
    """The addresses of a name, as this machine's resolver gives them; none where it knows none."""
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(sorted({str(answer[4][0]) for answer in answers if "%" not in str(answer[4][0])}))


def reached(
    own: Iterable[str],
    declared: Iterable[str],
    ansible_host: str,
    resolver: Callable[[str], Sequence[str]] = resolve,
) -> list[str]:
    """The addresses under which the internet reaches a host; none where nothing is known.

    Those that were declared; else the host's own and `ansible_host`. A name is looked up there for each family of which
    the host has no public address itself: what DNS says is to be judged, and not to be believed. Private
    ones are left out once a public one is known, of whichever family: nobody outside can try them.

    Args:
        own: what the host has on its outside interfaces; empty where it could not be asked.
        declared: the value of `portside_addresses`.
        ansible_host: how Ansible reaches it.
        resolver: gives the addresses of a name.
    """
    if list(declared):
        return list(declared)
    found = list(own)
    try:
        found.append(str(ipaddress.ip_address(ansible_host)))
    except ValueError:
        found += _named(found, resolver(ansible_host))
    public = [address for address in found if is_global(address)]
    return list(dict.fromkeys(public or found))


def _named(own: Sequence[str], found: Iterable[str]) -> list[str]:
    """What of a name's addresses helps: without the host's own all, else public ones of a family that is private."""
    usable = [address for address in found if not _local(address)]
    if not own:
        return usable
    hidden = [family for family in "46" if (mine := of_family(own, family)) and not any(map(is_global, mine))]
    return [address for family in hidden for address in of_family(usable, family) if is_global(address)]


def _local(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified


def to_try(addresses: Sequence[str], named: Iterable[str]) -> list[str]:
    """Where somebody outside knocks: at the host's addresses.

    Where they are unknown, or private while the names lead to public ones, at those of the names.

    Args:
        addresses: the host's, as far as they are known.
        named: those that the apps' names lead to.
    """
    there = list(dict.fromkeys(named))
    public = [address for address in there if is_global(address)]
    if not addresses:
        return there
    return list(addresses) if not public or any(map(is_global, addresses)) else public
