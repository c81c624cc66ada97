"""What containers may reach: the addresses where a cloud hands out credentials, and networks of Docker's that are shut.

A network is known by its bridge: a packet that a container sends arrives there, whatever address it claims to have.
The decision is taken in the table `filter`, where a refusal can be sent, so that a program fails at once; and in the
table `security`, for what is addressed to the host itself and, with IPv6, because Docker 20.10 doesn't ask before it
lets a packet by.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import Family

# Ends in a part of the bridge's name; iptables takes 28 characters.
CHAIN = "ufw-docker-out-"
HOST_CHAIN = "ufw-docker-host"
TABLE = "security"

# Where clouds answer their servers, and so what runs on them, without asking for a password: link-local addresses (AWS,
# its container roles at 169.254.170.2 and .23, Google, Azure, Hetzner, DigitalOcean, OpenStack, Oracle, Scaleway),
# Azure's wire server, Alibaba; for IPv6 AWS, Google, Oracle, Scaleway, Linode. Some are the resolver as well (Google's
# 169.254.169.254, AWS's .253, Azure's), and Docker's own resolver asks from within the container's network.
METADATA: Mapping[Family, tuple[str, ...]] = {
    "4": ("169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32"),
    "6": (
        "fd00:ec2::/64",
        "fd20:ce::254/128",
        "fd00:c1::a9fe:a9fe/128",
        "fd00:42::42/128",
        "fd00:a9fe:a9fe::1/128",
    ),
}
_DNS = 53
_REFUSAL: Mapping[Family, str] = {
    "4": "REJECT --reject-with icmp-admin-prohibited",
    "6": "REJECT --reject-with icmp6-adm-prohibited",
}
# Without them nobody on the link finds the other (RFC 4861, section 4.3 and 4.4).
_NEIGHBOURS = (135, 136)


@dataclass(frozen=True)
class Destination:
    """What may be reached all the same. An empty protocol is any, an empty port all."""

    family: Family
    network: str
    protocol: str = ""
    port: str = ""

    @property
    def match(self) -> str:
        """In iptables' words."""
        protocol = f" -p {self.protocol} -m {self.protocol}" if self.protocol else ""
        return f" -d {self.network}{protocol}" + (f" --dport {self.port}" if self.port else "")


@dataclass(frozen=True)
class Confined:
    """A network of Docker's whose containers reach each other, and beyond it the destinations alone."""

    bridge: str
    to: tuple[Destination, ...] = ()
    comment: str = ""

    @property
    def chain(self) -> str:
        """The chain that decides."""
        short = self.bridge.removeprefix("br-")
        return CHAIN + (short if len(short) <= 12 else hashlib.sha256(short.encode()).hexdigest()[:12])


def _chain(one: Confined, family: Family, end: str) -> list[str]:
    return [
        *(f"-A {one.chain}{place.match} -j RETURN" for place in one.to if place.family == family),
        f"-A {one.chain} -j {end}",
    ]


def declarations(confined: Sequence[Confined]) -> list[str]:
    """The chains of their own, empty."""
    return [f":{one.chain} - [0:0]" for one in confined]


def filter_rules(new: str, confined: Sequence[Confined], family: Family, *, metadata: bool) -> list[str]:
    """For the guard's chain in the table filter, after the replies have been let by.

    Args:
        new: `-A` and the chain.
        confined: the networks that are shut.
        family: of the addresses.
        metadata: whether containers may reach METADATA.
    """
    lines: list[str] = []
    for one in confined:
        lines += [f"# {one.comment}"] if one.comment else []
        lines += [f"{new} -i {one.bridge} -o {one.bridge} -j RETURN", f"{new} -i {one.bridge} -g {one.chain}"]
    lines += [] if metadata else [f"{new}{match} -j {_REFUSAL[family]}" for match in _metadata(family)]
    return lines + [line for one in confined for line in _chain(one, family, _REFUSAL[family])]


def _metadata(family: Family) -> list[str]:
    return [f" -d {network} -p tcp -m tcp ! --dport {_DNS}" for network in METADATA[family]]


def second_lock(new: str, confined: Sequence[Confined], *, metadata: bool) -> list[str]:
    """The same for the chain of the table `security` that forwarded packets of IPv6 pass. A refusal can't be sent."""
    lines = [
        line
        for one in confined
        for line in (f"{new} -i {one.bridge} -o {one.bridge} -j RETURN", f"{new} -i {one.bridge} -g {one.chain}")
    ]
    return lines + ([] if metadata else [f"{new}{match} -j DROP" for match in _metadata("6")])


def host_rules(confined: Sequence[Confined], family: Family) -> list[str]:
    """For the table `security`: what the containers send to the host itself. Nothing where no network is shut."""
    if not confined:
        return []
    new = f"-A {HOST_CHAIN}"
    neighbours = [f"{new} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j RETURN" for kind in _NEIGHBOURS]
    return [
        # Loaded again and again on top of itself: without this the jump would stand there once more each time.
        "-F INPUT",
        f"-A INPUT -j {HOST_CHAIN}",
        f"{new} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        *(neighbours if family == "6" else ()),
        *(f"{new} -i {one.bridge} -g {one.chain}" for one in confined),
        *(line for one in confined for line in _chain(one, family, "DROP")),
    ]


def chains(rules: str) -> set[str]:
    """Names of the chains of this module that iptables-save, or a block, has."""
    return set(re.findall(rf"^:({re.escape(CHAIN)}\S+|{HOST_CHAIN}) ", rules, re.MULTILINE))


def removal(table: str, rules: str, keep: Iterable[str]) -> list[str]:
    """What takes the chains of this module that are not to be kept out of a table, for iptables-restore -n.

    Args:
        table: its name.
        rules: its part of iptables-save.
        keep: names of chains that stay.
    """
    gone = sorted(chains(rules) - set(keep))
    if not gone:
        return []
    jumps = [f"-D INPUT -j {HOST_CHAIN}"] if f"-A INPUT -j {HOST_CHAIN}" in rules.splitlines() else []
    jumps = jumps if HOST_CHAIN in gone else []
    return [f"*{table}", *jumps, *(f":{name} - [0:0]" for name in gone), *(f"-X {name}" for name in gone), "COMMIT"]


def blocks(bridge: str, rules: str) -> bool:
    """Whether a network is shut in the running firewall.

    Args:
        bridge: its bridge.
        rules: the table filter, as iptables-save prints it.
    """
    return bool(re.search(rf"^-A \S+ -i {re.escape(bridge)} -g {re.escape(CHAIN)}\S+$", rules, re.MULTILINE))
