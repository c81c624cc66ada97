"""Which addresses a lab uses, derived from its identity so that labs rarely meet and a lab keeps its own."""

import hashlib
import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

# RFC 2544 reserves 198.18.0.0/15 for test networks. It is used because it is not private: a firewall rule that trusts
# 10/8 or 192.168/16 would otherwise let "the internet" of the lab in, and hide that it does.
POOL = ipaddress.IPv4Network("198.18.0.0/15")

GATEWAY = 1
FIRST_VPS = 11
LAST_VPS = 49
SERVICES = {"dns": 53, "challtestsrv": 54, "acme": 60, "registry": 61, "client": 100}


@dataclass(frozen=True)
class Subnets:
    """The two subnets of a lab's network."""

    v4: ipaddress.IPv4Network
    v6: ipaddress.IPv6Network

    def ipv4(self, number: int) -> str:
        """IPv4 address of the host with this number."""
        return str(self.v4[number])

    def ipv6(self, number: int) -> str:
        """IPv6 address of the host with this number."""
        return str(self.v6[number])


def ipv6_subnet(lab_id: str) -> ipaddress.IPv6Network:
    """The lab's /64: a unique local prefix (RFC 4193) whose 40 random bits and subnet number come from the identity."""
    digest = hashlib.sha256(lab_id.encode()).digest()
    return ipaddress.IPv6Network((b"\xfd" + digest[:7] + bytes(8), 64))


def ipv4_candidates(lab_id: str, taken: Iterable[ipaddress.IPv4Network]) -> Iterator[ipaddress.IPv4Network]:
    """Every free /24 of the pool, the lab's own first.

    The pool has 512 of them, so two labs can want the same one; the next is then as good.
    """
    occupied = list(taken)
    subnets = list(POOL.subnets(new_prefix=24))
    start = int.from_bytes(hashlib.sha256(lab_id.encode()).digest()[-4:], "big") % len(subnets)
    for subnet in subnets[start:] + subnets[:start]:
        if not any(subnet.overlaps(other) for other in occupied):
            yield subnet


def routes(table: str) -> list[ipaddress.IPv4Network]:
    """The networks in the text of /proc/net/route, without the default route.

    Addresses and masks are little-endian hexadecimal there (proc_pid_net(5)).
    """
    networks = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
        if mask:
            networks.append(ipaddress.IPv4Network((destination, mask.bit_count())))
    return networks


def free_number(used: Iterable[int]) -> int:
    """The lowest number a new VPS can have. Raises ValueError when all are in use."""
    taken = set(used)
    for number in range(FIRST_VPS, LAST_VPS + 1):
        if number not in taken:
            return number
    raise ValueError(f"a lab has at most {LAST_VPS - FIRST_VPS + 1} hosts")
