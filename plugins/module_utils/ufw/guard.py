"""The Docker guard: the block in after.rules and after6.rules that outsiders can't pass to reach containers.

Docker rewrites the destination of a packet for a published port before ufw's INPUT rules see it, and then forwards it.
DOCKER-USER is the one chain that Docker promises to ask first and never to fill
(Docker's manual, "Packet filtering and firewalls"). What stands here decides by the interface on which the first
packet of a connection *arrives*, so it doesn't matter which networks Docker has or will have.

The rules live in a chain of their own: Docker may append its RETURN to DOCKER-USER, and others may put theirs in front.

For IPv6 there is a second lock. Docker 20.10 (Debian 12) with `ip6tables: true` never asks DOCKER-USER about IPv6, and
puts its own rules in front of ufw's whenever a network is made. So the same decision is taken once more in the table
`security`, which a packet passes after `filter` has let it through, and which neither Docker nor ufw touches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw import outbound
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import Published
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import CHAIN_PREFIX, Family

CHAIN = "ufw-docker-guard"
DOCKER_CHAIN = "DOCKER-USER"
SECOND_TABLE = outbound.TABLE
BEGIN = "# BEGIN portside docker guard"
END = "# END portside docker guard"
# Docker names the bridge of a network `br-` and twelve hexadecimal digits of the network's id (moby, bridge driver). A
# host's own bridge may be called br-lan. iptables knows no pattern but a prefix, so DOCKERS stands for one prefix for
# each first digit, and a bridge of the host that has such a first letter all the same is excepted by its name.
DOCKERS = "br-+"
DEFAULT_INTERFACES = ("docker0", "docker_gwbridge", DOCKERS)
INNER_CHAIN = "ufw-docker-inner"

_DOCKERS_NAME = re.compile(r"br-[0-9a-f]{12}")
_BLOCK = re.compile(rf"\n*^{BEGIN}.*?^{END}$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Guard:
    """Which interfaces are Docker's own, which published ports are open, and which bridges only look like Docker's.

    `+` at the end of an interface stands for anything, and `br-+` for the names that Docker gives. `metadata`:
    whether containers may reach where a cloud hands out credentials. `confined`: the networks that are shut.
    """

    interfaces: tuple[str, ...] = DEFAULT_INTERFACES
    published: tuple[Published, ...] = ()
    foreign: tuple[str, ...] = ()
    metadata: bool = False
    confined: tuple[outbound.Confined, ...] = ()

    @property
    def patterns(self) -> list[str]:
        """The interfaces in iptables' terms."""
        return _patterns(self.interfaces)


def _patterns(interfaces: Sequence[str]) -> list[str]:
    first_digits = [f"br-{digit}+" for digit in "0123456789abcdef"]
    return [each for name in interfaces for each in (first_digits if name == DOCKERS else [name])]


def foreign_bridges(interfaces: Sequence[str], present: Iterable[str]) -> tuple[str, ...]:
    """Interfaces of the host that DOCKERS would match and that have no name of Docker's, unless named in full."""
    if DOCKERS not in interfaces:
        return ()
    dockers = _patterns([DOCKERS])
    return tuple(
        name
        for name in sorted(present)
        if name not in interfaces and _matching(name, dockers) and not _DOCKERS_NAME.fullmatch(name)
    )


def cut_off(guard: Guard, networks: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each of Docker's networks whose containers the guard takes for outsiders.

    Args:
        guard: the guard.
        networks: from Docker's `GET /networks`.
    """
    found = []
    for network in networks:
        bridge = str((network.get("Options") or {}).get("com.docker.network.bridge.name") or "")
        if bridge and (bridge in guard.foreign or not _matching(bridge, guard.patterns)):
            found.append(
                f"Docker's network {network.get('Name')} has a bridge of its own name, {bridge}, which is not in"
                f" ufw_docker_interfaces: its containers can't start a connection. Add {bridge} to that list"
            )
    return found


def _matching(name: str, patterns: Sequence[str]) -> str:
    """The first pattern that matches the name; empty if none does."""
    for pattern in patterns:
        if name == pattern or (pattern.endswith("+") and name.startswith(pattern[:-1])):
            return pattern
    return ""


def render_guard(guard: Guard, family: Family) -> str:
    """The marked block for one address family, in iptables-restore's format."""
    forward = f"{CHAIN_PREFIX[family]}-user-forward"
    new = f"-A {CHAIN}"
    lines = [
        f"{BEGIN} (role portside.vps.ufw; changes made here by hand are lost)",
        "*filter",
        f":{CHAIN} - [0:0]",
        # Loaded after this file; declared, because a jump needs its target.
        f":{forward} - [0:0]",
        f":{DOCKER_CHAIN} - [0:0]",
        *outbound.declarations(guard.confined),
        f"-A {DOCKER_CHAIN} -j {CHAIN}",
        f"-A {DOCKER_CHAIN} -j RETURN",
        f"{new} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        f"{new} -m conntrack --ctstate INVALID -j DROP",
    ]
    if family == "4":
        # A neighbour can send us packets for 127.0.0.1, and Docker before 28 forwards them to what is published there
        # (moby#45610). For ::1 the kernel itself refuses (RFC 4291, 2.5.3).
        lines.append(f"{new} -m conntrack --ctorigdst 127.0.0.0/8 -j DROP")
    lines += outbound.filter_rules(new, guard.confined, family, metadata=guard.metadata)
    for open_port in guard.published:
        if family in open_port.sources:
            lines += [f"# {open_port.comment}"] if open_port.comment else []
            lines.append(f"{new}{_published(open_port, family)} -j RETURN")
    for name in guard.foreign:
        lines += [f"{new} -i {name} -j {forward}", f"{new} -i {name} -j DROP"]
    lines += [
        *(f"{new} -i {pattern} -j RETURN" for pattern in guard.patterns),
        # ufw's own routed rules (`ufw route allow ...`), for what else this host forwards.
        f"{new} -j {forward}",
        f'{new} -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW DOCKER GUARD] "',
        f"{new} -j DROP",
        "COMMIT",
    ]
    second = _second_lock(guard, family) if family == "6" else []
    host = outbound.host_rules(guard.confined, family)
    if second or host:
        declared = [f":{chain} - [0:0]" for chain in (CHAIN, INNER_CHAIN) if second]
        declared += [f":{outbound.HOST_CHAIN} - [0:0]"] if host else []
        lines += [f"*{SECOND_TABLE}", *declared, *outbound.declarations(guard.confined), *second, *host, "COMMIT"]
    return "\n".join([*lines, END]) + "\n"


def _second_lock(guard: Guard, family: Family) -> list[str]:
    """The same for packets that `filter` has accepted. What goes to no container is left to ufw's routed rules."""
    new, inner = f"-A {CHAIN}", f"-A {INNER_CHAIN}"
    return [
        # Loaded again and again on top of itself: without this the jump would stand there once more each time.
        "-F FORWARD",
        f"-A FORWARD -j {CHAIN}",
        f"{new} -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        *outbound.second_lock(new, guard.confined, metadata=guard.metadata),
        *(f"{new}{_published(port, family)} -j RETURN" for port in guard.published if family in port.sources),
        *(f"{new} -i {name} -g {INNER_CHAIN}" for name in guard.foreign),
        *(f"{new} -i {pattern} -j RETURN" for pattern in guard.patterns),
        f"{new} -j {INNER_CHAIN}",
        f"{inner} -m conntrack --ctstate DNAT -j DROP",
        *(f"{inner} -o {name} -j RETURN" for name in guard.foreign),
        *(f"{inner} -o {pattern} -j DROP" for pattern in guard.patterns),
    ]


def _published(port: Published, family: Family) -> str:
    """The original destination port: after Docker's DNAT the packet itself carries the container's."""
    source = port.sources[family]
    return (
        f" -s {source}" if source else ""
    ) + f" -p {port.protocol} -m conntrack --ctstate DNAT --ctorigdstport {port.port}"


def render_removal(family: Family) -> str:
    """What takes the guard out of the running firewall, for iptables-restore -n."""
    lines = ["*filter", f":{DOCKER_CHAIN} - [0:0]", f"-A {DOCKER_CHAIN} -j RETURN", f":{CHAIN} - [0:0]", f"-X {CHAIN}"]
    lines.append("COMMIT")
    if family == "6":
        chains = (CHAIN, INNER_CHAIN)
        lines += [f"*{SECOND_TABLE}", "-F FORWARD", *(f":{chain} - [0:0]" for chain in chains)]
        lines += [*(f"-X {chain}" for chain in chains), "COMMIT"]
    return "\n".join(lines) + "\n"


def render_leftovers(saved: str, block: str) -> str:
    """What takes out of the running firewall the chains of networks that are shut no more, for iptables-restore -n.

    Args:
        saved: iptables-save of the address family.
        block: the guard as it is to be.
    """
    lines = []
    for name in ("filter", SECOND_TABLE):
        lines += outbound.removal(name, _table(saved, name), outbound.chains(_table(block, name)))
    return "\n".join(lines) + "\n" if lines else ""


def _table(rules: str, name: str) -> str:
    found = re.search(rf"^\*{name}$(.*?)^COMMIT$", rules, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


def with_guard(text: str, block: str) -> str:
    """The text of after.rules with the block at its end, or without one if the block is empty."""
    bare = _BLOCK.sub("\n", text).rstrip("\n") + "\n" if _BLOCK.search(text) else text
    if not block:
        return bare
    return bare.rstrip("\n") + "\n\n" + block if bare.strip() else block


def guard_of(text: str) -> str:
    """The block that stands in a text of after.rules; empty if there is none."""
    found = _BLOCK.search(text)
    return found[0].lstrip("\n") if found else ""


def rival(text: str) -> str:
    """The line outside the block that declares DOCKER-USER too; each such line empties the chain for the other."""
    for number, line in enumerate(_BLOCK.sub(lambda found: "\n" * found[0].count("\n"), text).splitlines(), 1):
        if line.startswith(f":{DOCKER_CHAIN} "):
            return f"line {number}: {line}"
    return ""


def trusted_by_mistake(interfaces: Sequence[str], outside: Sequence[str]) -> list[tuple[str, str]]:
    """Interfaces that lead out of the host and that the guard would take for Docker's, each with the pattern."""
    found = [(name, _matching(name, _patterns(interfaces))) for name in outside]
    return [(name, pattern) for name, pattern in found if pattern]
