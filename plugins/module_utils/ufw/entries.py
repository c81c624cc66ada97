"""One line of `### tuple ###` in ufw's user.rules, with the iptables rules it stands for.

The formats are those of ufw 0.36 (ufw/common.py `format_rule`, ufw/backend_iptables.py `_read_rules`, `_write_rules`,
`_get_rules_from_formatted`): what is written here is byte for byte what ufw itself would write.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

Family = Literal["4", "6"]
FAMILIES: tuple[Family, ...] = ("4", "6")
ANYWHERE: dict[Family, str] = {"4": "0.0.0.0/0", "6": "::/0"}
CHAIN_PREFIX: dict[Family, str] = {"4": "ufw", "6": "ufw6"}

TUPLE_MARK = "### tuple ###"
# At most so many new connections in so many seconds before ufw's action `limit` refuses an address (ufw(8)).
LIMIT_SECONDS, LIMIT_HITS = 30, 6


class EntryError(Exception):
    """A tuple line that ufw itself would skip as malformed."""


@dataclass(frozen=True)
class Entry:
    """One rule of one address family, in ufw's own terms: `any` for no port, 0.0.0.0/0 or ::/0 for no address."""

    action: str
    protocol: str
    dport: str
    dst: str
    sport: str
    src: str
    direction: str = "in"
    interface_in: str = ""
    interface_out: str = ""
    routed: bool = False
    log: str = ""
    dapp: str = ""
    sapp: str = ""
    comment: str = ""

    @property
    def match(self) -> tuple[str, ...]:
        """What the rule matches, whatever it does with it: two rules with the same are one rule to ufw."""
        return (
            "routed" if self.routed else self.direction,
            self.protocol,
            self.dport,
            self.dst,
            self.sport,
            self.src,
            self.interface_in,
            self.interface_out,
            self.dapp,
            self.sapp,
        )


def parse_entry(line: str) -> Entry:
    """Read one `### tuple ###` line.

    Raises:
        EntryError: ufw would not understand it either.
    """
    text, _, encoded = line.strip().partition(" comment=")
    fields = text.removeprefix(TUPLE_MARK).split()
    if not text.startswith(TUPLE_MARK) or not 6 <= len(fields) <= 9:
        raise EntryError(f"not a tuple of 6 to 9 fields: {line.strip()!r}")
    try:
        comment = bytes.fromhex(encoded).decode("utf-8")
    except ValueError as error:
        raise EntryError(f"the comment of {line.strip()!r} is not hexadecimal UTF-8") from error
    routed = fields[0].startswith("route:")
    action, _, log = fields[0].removeprefix("route:").partition("_")
    protocol, dport, dst, sport, src = fields[1:6]
    entry = Entry(action, protocol, dport, dst, sport, src, routed=routed, log=log, comment=comment)
    if len(fields) >= 8:
        application, source_application = ("" if name == "-" else name.replace("%20", " ") for name in fields[6:8])
        entry = replace(entry, dapp=application, sapp=source_application)
    if len(fields) in (7, 9):
        entry = _with_interfaces(entry, fields[-1])
    return entry


def _with_interfaces(entry: Entry, field: str) -> Entry:
    both = re.fullmatch(r"in_(\S+)!out_(\S+)", field)
    if both:
        return replace(entry, interface_in=both[1], interface_out=both[2])
    direction, _, interface = field.partition("_")
    if direction not in ("in", "out"):
        raise EntryError(f"{field!r} is neither in nor out")
    if direction == "in":
        return replace(entry, direction=direction, interface_in=interface)
    return replace(entry, direction=direction, interface_out=interface)


def render_entry(entry: Entry, family: Family) -> str:
    """The tuple line and the iptables rules under it, as ufw writes them to user.rules or user6.rules."""
    action = ("route:" if entry.routed else "") + entry.action + (f"_{entry.log}" if entry.log else "")
    fields = [action, entry.protocol, entry.dport, entry.dst, entry.sport, entry.src]
    if entry.dapp or entry.sapp:
        fields += [name.replace(" ", "%20") or "-" for name in (entry.dapp, entry.sapp)]
    fields.append(_interfaces(entry))
    line = f"{TUPLE_MARK} {' '.join(fields)}"
    if entry.comment:
        line += f" comment={entry.comment.encode().hex()}"
    return "".join(f"{text}\n" for text in (line, *_iptables(entry, family)))


def _interfaces(entry: Entry) -> str:
    if entry.interface_in and entry.interface_out:
        return f"in_{entry.interface_in}!out_{entry.interface_out}"
    name = entry.interface_in or entry.interface_out
    return f"{entry.direction}_{name}" if name else entry.direction


def _iptables(entry: Entry, family: Family) -> list[str]:
    """The rules in the order in which they take effect; `any` with a port is one for tcp and one for udp."""
    prefix = CHAIN_PREFIX[family]
    suffix = "forward" if entry.routed else {"in": "input", "out": "output"}[entry.direction]
    head, target = f"-A {prefix}-user-{suffix}", _target(entry)
    rules: list[str] = []
    if entry.protocol != "any":
        protocols = [entry.protocol]
    elif entry.dport != "any" or entry.sport != "any":
        protocols = ["tcp", "udp"]
    else:
        protocols = [""]
    for protocol in protocols:
        reset = " --reject-with tcp-reset" if entry.action == "reject" and protocol == "tcp" else ""
        match = f"{head}{_matches(entry, protocol)}"
        application = _application(entry)
        if entry.log:
            rules += _logging(entry, match, f"{prefix}-user-logging-{suffix}")
        if entry.action == "limit":
            new = f"{match} -m conntrack --ctstate NEW -m recent"
            rules += [
                f"{new} --set{application}",
                f"{new} --update --seconds {LIMIT_SECONDS} --hitcount {LIMIT_HITS} -j {prefix}-user-limit{application}",
                f"{match} -j {prefix}-user-limit-accept{application}",
            ]
        else:
            rules.append(f"{match} -j {target}{reset}{application}")
    return rules


def _target(entry: Entry) -> str:
    return {"allow": "ACCEPT", "reject": "REJECT", "limit": "LIMIT"}.get(entry.action, "DROP")


def _matches(entry: Entry, protocol: str) -> str:
    """The part of an iptables rule between the chain and the target, in the order in which ufw writes it."""
    parts = []
    if entry.interface_in:
        parts.append(f"-i {entry.interface_in}")
    if entry.interface_out:
        parts.append(f"-o {entry.interface_out}")
    if protocol:
        parts.append(f"-p {protocol}")
    several = any(mark in port for mark in ",:" for port in (entry.dport, entry.sport))
    if several and entry.dport != "any":
        parts.append(f"-m multiport --dports {entry.dport}")
    if several and entry.sport != "any":
        parts.append(f"-m multiport --sports {entry.sport}")
    if entry.dst not in ANYWHERE.values():
        parts.append(f"-d {entry.dst}")
    if not several and entry.dport != "any":
        parts.append(f"--dport {entry.dport}")
    if entry.src not in ANYWHERE.values():
        parts.append(f"-s {entry.src}")
    if not several and entry.sport != "any":
        parts.append(f"--sport {entry.sport}")
    return "".join(f" {part}" for part in parts)


def _application(entry: Entry) -> str:
    names = [
        f"{kind}_{name.replace(' ', '%20')}" for kind, name in (("dapp", entry.dapp), ("sapp", entry.sapp)) if name
    ]
    return f" -m comment --comment '{','.join(names)}'" if names else ""


def _logging(entry: Entry, match: str, chain: str) -> list[str]:
    rest = re.sub(r"^-A \S+", "", match)
    word = {"allow": "ALLOW", "limit": "LIMIT"}.get(entry.action, "BLOCK")
    new = "" if entry.log == "log-all" else " -m conntrack --ctstate NEW"
    limit = "-m limit --limit 3/min --limit-burst 10"
    return [
        f'-A {chain}{rest}{new} {limit} -j LOG --log-prefix "[UFW {word}] "',
        f"-A {chain}{rest} -j RETURN",
        f"{match} -j {chain}",
    ]


def describe(entry: Entry, *, with_comment: bool = True) -> str:
    """The rule as a person would read it: `allow 443/tcp from 192.0.2.0/24 on eth0`."""
    words = ["route " + entry.action if entry.routed else entry.action]
    if not entry.routed and entry.direction == "out":
        words.append("out")
    if entry.log:
        words.append(entry.log)
    words.append(_service(entry.dport, entry.protocol, entry.dapp))
    if entry.src not in ANYWHERE.values() or entry.sport != "any" or entry.sapp:
        words.append(f"from {_place(entry.src)}")
        if entry.sport != "any" or entry.sapp:
            words.append(f"port {entry.sapp or entry.sport}")
    if entry.dst not in ANYWHERE.values():
        words.append(f"to {_place(entry.dst)}")
    for word, name in (("on", entry.interface_in), ("out on", entry.interface_out)):
        if name:
            words.append(f"{word} {name}")
    if entry.comment and with_comment:
        words.append(f"# {entry.comment}")
    return " ".join(words)


def _service(port: str, protocol: str, application: str) -> str:
    if application:
        return f"'{application}' ({port}{'' if protocol == 'any' else '/' + protocol})"
    if port == "any":
        return "anything" if protocol == "any" else protocol
    return port if protocol == "any" else f"{port}/{protocol}"


def _place(address: str) -> str:
    return "anywhere" if address in ANYWHERE.values() else address


@dataclass(frozen=True)
class Packet:
    """The first packet of a connection from outside."""

    source: str
    destination: str
    port: int
    protocol: str = "tcp"


def applies(entry: Entry, packet: Packet) -> bool:
    """Whether an incoming rule matches the packet, the interface left aside."""
    return (
        not entry.routed
        and entry.direction == "in"
        and entry.protocol in ("any", packet.protocol)
        and entry.sport == "any"
        and _contains(entry.src, packet.source)
        and _contains(entry.dst, packet.destination)
        and includes_port(entry.dport, packet.port)
    )


def _contains(network: str, address: str) -> bool:
    if network in ANYWHERE.values():
        return True
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:  # a dotted netmask with holes, which ufw lets through
        return False


def includes_port(ports: str, port: int) -> bool:
    """Whether ufw's spelling of ports (`any`, `80`, `80,443`, `8000:8010`) has the port."""
    if ports == "any":
        return True
    for part in ports.split(","):
        first, _, last = part.partition(":")
        if int(first) <= port <= int(last or first):
            return True
    return False
