"""Rules as a user declares them: checked as a whole list, then turned into ufw's entries for each address family."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import ANYWHERE, FAMILIES, Entry, Family

ACTIONS = ("allow", "deny", "reject", "limit")
PROTOCOLS = ("tcp", "udp", "any")
DIRECTIONS = ("in", "out", "routed")
STATES = ("present", "absent")
# Seconds. Applying a change takes two, an ssh handshake on a slow line as much again.
MINIMUM_TIMEOUT = 10

# ufw/common.py `set_interface`: what the kernel and iptables take, without anything a shell would read.
_INTERFACE = re.compile(r"[a-zA-Z0-9_\-.+,=%@]{1,15}")


class RuleError(Exception):
    """What is wrong with a list of rules: one sentence each, with the rule's number and text."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


@dataclass(frozen=True)
class Declared:
    """One declared rule: its name in messages, and its entries (two for proto `any` with a range of ports)."""

    label: str
    present: bool
    entries: Mapping[Family, tuple[Entry, ...]]


@dataclass
class _Item:
    """One item of the list while it is being checked."""

    label: str
    given: Mapping[str, Any]
    problems: list[str] = field(default_factory=list)

    def wrong(self, text: str) -> None:
        self.problems.append(f"{self.label}: {text}")

    def choice(self, key: str, allowed: Sequence[str]) -> str:
        value = str(_given(self.given, key) or allowed[0])
        if value not in allowed:
            self.wrong(f"{key} '{value}' is unknown; write {', '.join(allowed[:-1])} or {allowed[-1]}")
        return value


def _given(item: Mapping[str, Any], key: str) -> Any:
    value = item.get(key)
    return None if value in (None, "") else value


# In the order in which a person would say them; what is as by default goes without saying.
_WORDS = {
    "port": None,
    "proto": "any",
    "from": None,
    "to": None,
    "interface": None,
    "interface_out": None,
    "direction": "in",
    "action": "allow",
    "comment": None,
    "state": "present",
}


def label(name: str, number: int, item: Mapping[str, Any]) -> str:
    """A rule's number and text for messages: `ufw_rules, rule 3 (port: 443, proto: tpc)`."""
    text = ", ".join(f"{key}: {item[key]}" for key, usual in _WORDS.items() if item.get(key) not in (None, "", usual))
    return f"{name}, rule {number} ({text})"


def declare(
    items: Sequence[Mapping[str, Any]], name: str = "ufw_rules", interfaces: Collection[str] | None = None
) -> list[Declared]:
    """Check a whole list of rules and turn it into ufw's terms.

    Args:
        items: the rules, with the keys of the role's `ufw_rules`.
        name: what the list is called in messages.
        interfaces: the host's network interfaces; None where they are not known (on the controller).

    Raises:
        RuleError: with all that is wrong in the list, not only the first.
    """
    problems: list[str] = []
    declared: list[Declared] = []
    for number, given in enumerate(items, 1):
        item = _Item(label(name, number, given), given)
        entries = _entries(item, interfaces)
        problems += item.problems
        if not item.problems:
            declared.append(Declared(item.label, given.get("state") != "absent", entries))
    problems += _twice(declared)
    if problems:
        raise RuleError(problems)
    return declared


def _entries(item: _Item, interfaces: Collection[str] | None) -> dict[Family, tuple[Entry, ...]]:
    given = item.given
    action, protocol = item.choice("action", ACTIONS), item.choice("proto", ("any", "tcp", "udp"))
    direction = item.choice("direction", DIRECTIONS)
    item.choice("state", STATES)
    port = check_port(item, given)
    addresses = {key: _address(item, key) for key in ("from", "to")}
    arrives, leaves = _interfaces(item, direction, interfaces)
    comment = str(_given(given, "comment") or "")
    if "'" in comment or not comment.isprintable():
        item.wrong("a comment can't hold a single quote or a control character: ufw would refuse it")
    if not item.problems and port == protocol == "any" and not any((*addresses.values(), arrives, leaves)):
        item.wrong(f"matches everything; set ufw_default_{_default_of(direction)} instead")
    families = _families(item, addresses)
    if item.problems:
        return {}
    # ufw: "Must specify 'tcp' or 'udp' with multiple ports" (backend_iptables.py `set_rule`).
    protocols = ("tcp", "udp") if protocol == "any" and ":" in port else (protocol,)
    return {
        family: tuple(
            Entry(
                action=action,
                protocol=each,
                dport=port,
                dst=addresses["to"] or ANYWHERE[family],
                sport="any",
                src=addresses["from"] or ANYWHERE[family],
                direction="out" if direction == "out" or (leaves and not arrives) else "in",
                interface_in=arrives,
                interface_out=leaves,
                routed=direction == "routed",
                comment=comment,
            )
            for each in protocols
        )
        for family in families
    }


def _default_of(direction: str) -> str:
    return {"in": "incoming", "out": "outgoing"}.get(direction, "routed")


def check_port(item: _Item, given: Mapping[str, Any]) -> str:
    """`any`, a number, or `first:last`; what is wrong with it goes to the item."""
    value = _given(given, "port")
    if value is None or value == "any":
        return "any"
    text = str(value)
    problem = check_range(text)
    if problem:
        item.wrong(f"port '{text}' {problem}")
        return "any"
    return ":".join(str(int(part)) for part in text.split(":"))


def check_range(text: str) -> str:
    """What is wrong with a port or a range of ports, the rest of a sentence; empty for nothing."""
    parts = text.split(":")
    if not re.fullmatch(r"[0-9]+(:[0-9]+)?", text):
        return "is neither a number nor a range such as 8000:8010; a list of ports is one rule each"
    if not all(1 <= int(part) <= 65535 for part in parts):
        return "is not within 1 to 65535"
    if len(parts) == 2 and int(parts[0]) >= int(parts[1]):
        return "is a range that runs backwards; write the lower port first"
    return ""


def _address(item: _Item, key: str) -> str:
    """An address or network in ufw's spelling; empty for anywhere."""
    value = _given(item.given, key)
    if value is None or str(value) in ("any", "0.0.0.0/0", "::/0"):
        if str(value) in ("0.0.0.0/0", "::/0"):
            item.wrong(f"{key} '{value}' is one address family only; leave it out, and the rule counts for both")
        return ""
    text = str(value)
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        item.wrong(f"{key} '{text}' {_why_no_network(text)}")
        return ""
    whole = network.prefixlen == network.max_prefixlen
    odd = _why_never(network.network_address) if whole else ""
    if odd:
        item.wrong(f"{key} '{text}' {odd}")
    return str(network.network_address if whole else network)


def _why_never(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Why no packet that ufw sees has this address; empty for a usual one."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "names a zone, which no firewall rule can; leave it off and write interface"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return f"is an IPv4 address, and travels as one; write {address.ipv4_mapped}"
    return "is nobody's address; leave it out if you mean anywhere" if address.is_unspecified else ""


def _why_no_network(text: str) -> str:
    try:
        return f"has bits set behind its prefix; the network is {ipaddress.ip_network(text, strict=False)}"
    except ValueError:
        return "is no IP address or network in CIDR notation, such as 192.0.2.7 or 2001:db8::/32"


def _interfaces(item: _Item, direction: str, known: Collection[str] | None) -> tuple[str, str]:
    """Where the traffic arrives and where it leaves; `interface` is the one that the direction is about."""
    names = {key: str(_given(item.given, key) or "") for key in ("interface", "interface_out")}
    for key, name in names.items():
        if not name:
            continue
        if not _INTERFACE.fullmatch(name):
            item.wrong(f"{key} '{name}' is no name for an interface")
        elif known is not None and item.given.get("state") != "absent" and not name.endswith("+") and name not in known:
            there = ", ".join(sorted(other for other in known if not other.startswith("veth")))
            item.wrong(
                f"{key} '{name}' doesn't exist on this host, which has {there};"
                " for one that comes and goes write a pattern such as wg+"
            )
    if names["interface_out"] and direction != "routed":
        item.wrong("interface_out is for direction: routed; elsewhere write interface")
    if direction == "out":
        return "", names["interface"]
    return names["interface"], names["interface_out"]


def _families(item: _Item, addresses: Mapping[str, str]) -> tuple[Family, ...]:
    found: set[Family] = {"6" if ":" in address else "4" for address in addresses.values() if address}
    if len(found) > 1:
        item.wrong("from and to are of different address families")
    return tuple(family for family in FAMILIES if not found or family in found)


def _twice(declared: Sequence[Declared]) -> list[str]:
    """Two rules that match the same traffic: ufw keeps one, and nobody could say which was meant."""
    first: dict[tuple[Family, tuple[str, ...]], Declared] = {}
    problems: dict[str, None] = {}
    for rule in declared:
        for family, entries in rule.entries.items():
            for entry in entries:
                other = first.setdefault((family, entry.match), rule)
                if other is not rule:
                    problems[f"{rule.label}: matches the same traffic as {other.label}; keep one of the two"] = None
    return list(problems)


def declare_addresses(values: Sequence[str], name: str = "ufw_ssh_exempt") -> list[str]:
    """Check a list of addresses and networks.

    Raises:
        RuleError: with all that is wrong in the list.
    """
    problems: list[str] = []
    addresses: list[str] = []
    for number, value in enumerate(values, 1):
        item = _Item(f"{name}, item {number}", {"address": value})
        addresses.append(_address(item, "address"))
        if not item.problems and not addresses[-1]:
            item.wrong("stands for every address")
        problems += item.problems
    if problems:
        raise RuleError(problems)
    return addresses


def check_interfaces(values: Sequence[str], name: str = "ufw_docker_interfaces") -> None:
    """Names of interfaces that iptables takes; they need not exist yet.

    Raises:
        RuleError: with all that is wrong in the list.
    """
    problems = [
        f"{name}, item {number}: '{value}' is no name for an interface"
        for number, value in enumerate(values, 1)
        if not _INTERFACE.fullmatch(str(value))
    ]
    if problems:
        raise RuleError(problems)


def check_timeout(seconds: int, name: str = "ufw_confirm_timeout") -> None:
    """A revert timer that leaves a new connection the time to come through, or none.

    Raises:
        RuleError: it would take back every change.
    """
    if seconds and seconds < MINIMUM_TIMEOUT:
        raise RuleError(
            [f"{name}: {seconds} s is too short for a new ssh connection; {MINIMUM_TIMEOUT} or more, or 0 for no timer"]
        )


@dataclass(frozen=True)
class Published:
    """A port published by Docker that outsiders may reach, as it is published on the host."""

    port: str
    protocol: str
    sources: Mapping[Family, str]
    comment: str = ""


def declare_published(items: Sequence[Mapping[str, Any]], name: str = "ufw_docker_allow") -> list[Published]:
    """Check a list of published ports to open.

    Raises:
        RuleError: with all that is wrong in the list.
    """
    problems: list[str] = []
    published: list[Published] = []
    first: dict[tuple[str, str, Family, str], str] = {}
    for number, given in enumerate(items, 1):
        item = _Item(label(name, number, given), given)
        protocol = item.choice("proto", ("tcp", "udp"))
        item.choice("state", STATES)
        port = check_port(item, given)
        if port == "any" and not item.problems:
            item.wrong("a port is missing: the one that Docker publishes on the host")
        source = _address(item, "from")
        comment = str(_given(given, "comment") or "")
        if not comment.isprintable():
            item.wrong("a comment can't hold a control character")
        families = _families(item, {"from": source})
        if not item.problems:
            others = [first.setdefault((port, protocol, family, source), item.label) for family in families]
            if others[0] != item.label:
                item.wrong(f"opens the same as {others[0]}; keep one of the two")
        problems += item.problems
        if not item.problems and given.get("state") != "absent":
            published.append(Published(port, protocol, dict.fromkeys(families, source), comment))
    if problems:
        raise RuleError(problems)
    return published
