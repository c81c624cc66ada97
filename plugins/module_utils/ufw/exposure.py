"""Which ports of a host are open to whom: as its firewall declares it, and as somebody outside sees it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import (
    ANYWHERE,
    FAMILIES,
    Entry,
    Family,
    includes_port,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import CHAIN
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import identity

ANYONE = "anyone"
# Between those who may connect and those of them whom an earlier rule shuts out.
BUT = " but "
# So many of the latter are shown in the table; fail2ban may have banned hundreds.
SHOWN = 3
# What a probe can find (modules/firewall_probe.py).
OPEN, REFUSED, SILENT, UNREACHABLE = "open", "refused", "silent", "unreachable"


@dataclass(frozen=True)
class Socket:
    """A listening socket, or a port that Docker publishes. `container_port` is 0 for a socket of the host itself."""

    protocol: str
    address: str
    port: int
    who: str
    container_port: int = 0

    @property
    def loopback(self) -> bool:
        """Whether only the host itself can connect."""
        return ipaddress.ip_address(self.address).is_loopback


# The state in which a socket waits for strangers: TCP_LISTEN, TCP_CLOSE (the kernel's include/net/tcp_states.h).
_WAITING = {"tcp": "0A", "udp": "07"}


def parse_proc_net(text: str, protocol: str) -> dict[str, tuple[str, int]]:
    """Inode -> address and port of the sockets that wait, from /proc/net/tcp, tcp6, udp or udp6."""
    found = {}
    for line in text.splitlines()[1:]:
        fields = line.split()
        address, _, port = fields[1].rpartition(":")
        if fields[3] == _WAITING[protocol]:
            found[fields[9]] = (_proc_address(address), int(port, 16))
    return found


def _proc_address(text: str) -> str:
    """The kernel prints each 32 bits as a number in the host's byte order, which is little-endian on all we support."""
    words = (bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8))
    return str(ipaddress.ip_address(b"".join(words)))


def published_ports(containers: Iterable[Mapping[str, Any]]) -> list[Socket]:
    """Ports of running containers, from Docker's `GET /containers/json`."""
    found = []
    for container in containers:
        name = str(container["Names"][0]).lstrip("/")
        for port in container.get("Ports") or ():
            if port.get("PublicPort"):
                address = str(port.get("IP") or "0.0.0.0")  # noqa: S104  # what Docker says, not where anything binds
                who = f"container {name}"
                found.append(Socket(port["Type"], address, port["PublicPort"], who, port["PrivatePort"]))
    return found


def forwarded_ports(saved: str) -> set[tuple[str, int]]:
    """Protocol and port of what Docker forwards to containers, from iptables-save."""
    rules = re.findall(r"^-A DOCKER .*-p (tcp|udp) .*--dport (\d+) .*-j DNAT", saved, re.MULTILINE)
    return {(protocol, int(port)) for protocol, port in rules}


@dataclass(frozen=True)
class Declared:
    """The firewall of one address family, as far as it decides about incoming connections."""

    rules: Sequence[Entry]
    incoming: str
    guard: str
    forwarded: Collection[tuple[str, int]]
    active: bool = True
    # Identities of the rules that the role wrote; None on a host where it has not been, and all count as declared.
    owned: Collection[str] | None = None

    def open_to(self, socket: Socket) -> list[str]:
        """Who may connect: `anyone`, or addresses and networks; nobody for an empty list."""
        if socket.loopback:
            return []
        if not self.active:
            return [ANYONE]
        if socket.container_port and (socket.protocol, socket.port) in self.forwarded:
            return self._open_container(socket)
        return self._open_host(socket)

    def undeclared(self, socket: Socket) -> list[str]:
        """To whom rules that others wrote open it, beside those that are declared."""
        if socket.loopback or not self.active or self.owned is None:
            return []
        declared = self.open_to(socket)
        everybody = replace(self, owned=None).open_to(socket)
        return [] if ANYONE in declared else [who for who in everybody if who not in declared]

    def _declares(self, entry: Entry) -> bool:
        return self.owned is None or identity(entry) in self.owned

    def _open_host(self, socket: Socket) -> list[str]:
        found: list[str] = []
        shut: list[str] = []
        for entry in self.rules:
            if entry.routed or entry.direction != "in" or not _about(entry, socket.protocol, socket.port):
                continue
            unlimited = _who(entry) == ANYONE
            if entry.action not in ("allow", "limit"):
                shut.append(_who(entry))
            elif self._declares(entry):
                found.append(_without(_who(entry), shut))
            if unlimited and (entry.action not in ("allow", "limit") or self._declares(entry)):
                return found
        return [*found, _without(ANYONE, shut)] if self.incoming == "allow" else found

    def _open_container(self, socket: Socket) -> list[str]:
        if not self.guard:
            return [ANYONE]
        found = []
        opening = rf"-A {CHAIN}(?: -s (\S+))? -p {socket.protocol} .*--ctorigdstport (\d+)(?::(\d+))? -j RETURN"
        for source, first, last in re.findall(opening, self.guard.partition("COMMIT")[0]):
            if int(first) <= socket.port <= int(last or first):
                found.append(source or ANYONE)
        for entry in self.rules:
            if (
                entry.routed
                and entry.action == "allow"
                and self._declares(entry)
                and _about(entry, socket.protocol, socket.container_port)
            ):
                found.append(_who(entry))
        return list(dict.fromkeys(found))


def _without(who: str, shut: Sequence[str]) -> str:
    return f"{who}{BUT}{', '.join(dict.fromkeys(shut))}" if shut else who


def _about(entry: Entry, protocol: str, port: int) -> bool:
    return entry.protocol in ("any", protocol) and entry.sport == "any" and includes_port(entry.dport, port)


def _who(entry: Entry) -> str:
    words = ANYONE if entry.src in ANYWHERE.values() else entry.src
    if entry.dst not in ANYWHERE.values() and not entry.routed:
        words += f" to {entry.dst}"
    return words + (f" on {entry.interface_in}" if entry.interface_in else "")


def exposure(sockets: Iterable[Socket], declared: Mapping[Family, Declared]) -> list[dict[str, Any]]:
    """One row for each port and address family: who listens, where, and who may connect.

    A socket at :: takes IPv4 too, unless another has the same port there.
    """
    found = list(sockets)
    taken = {(socket.protocol, socket.port) for socket in found if ":" not in socket.address}
    rows: dict[tuple[int, str, str], dict[str, Any]] = {}
    for socket in sorted(found, key=lambda one: (one.port, one.protocol, one.who, one.address)):
        both = socket.address == "::" and not socket.container_port and (socket.protocol, socket.port) not in taken
        for family in FAMILIES:
            if family not in declared or not (both or (":" in socket.address) == (family == "6")):
                continue
            row = rows.setdefault(
                (socket.port, socket.protocol, family),
                {
                    "port": socket.port,
                    "protocol": socket.protocol,
                    "family": family,
                    "who": [],
                    "open_to": [],
                    "undeclared": [],
                },
            )
            row["who"] = list(dict.fromkeys([*row["who"], socket.who]))
            row["open_to"] = list(dict.fromkeys([*row["open_to"], *declared[family].open_to(socket)]))
            row["undeclared"] = list(dict.fromkeys([*row["undeclared"], *declared[family].undeclared(socket)]))
    return [rows[key] for key in sorted(rows)]


def targets(rows: Sequence[Mapping[str, Any]], addresses: Sequence[str]) -> list[dict[str, Any]]:
    """What somebody outside has to try: every port at every address of its family."""
    return [
        {"address": address, "port": row["port"], "protocol": row["protocol"]}
        for row in rows
        for address in addresses
        if (":" in address) == (row["family"] == "6")
    ]


def _expected(open_to: Iterable[str], source: str) -> bool | None:
    """Whether the port should be open for an observer; None if that hangs on more than a known address."""
    found = [_reaches(who, source) for who in open_to]
    return True if True in found else None if None in found else False


def _reaches(who: str, source: str) -> bool | None:
    words, _, shut = who.partition(BUT)
    inside = _is_of(words, source)
    shut_out = [_is_of(each, source) for each in shut.split(", ") if each]
    if inside is False or True in shut_out:
        return False
    return None if None in shut_out else inside


def _is_of(words: str, source: str) -> bool | None:
    """Whether the address is one of those that `192.0.2.0/24 to 198.51.100.1 on eth0` is about, if that can be told."""
    name, *more = words.split()
    if name != ANYONE and not source:
        return None
    inside = name == ANYONE or ipaddress.ip_address(source) in ipaddress.ip_network(name, strict=False)
    return None if inside and more else inside


def _source(result: Mapping[str, Any]) -> str:
    """The address that the host sees; empty where a router on the way puts its own there."""
    source = str(result["source"])
    translated = ipaddress.ip_address(result["address"]).is_global and not ipaddress.ip_address(source).is_global
    return "" if translated else source


def compare(rows: Sequence[Mapping[str, Any]], seen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows with what was seen (`open`, `silent` ...) and whether that is as declared (None: it can't be told).

    Args:
        rows: from `exposure`.
        seen: what a probe found for each of the targets, with the observer's own address as `source`.
    """
    found: dict[tuple[int, str, str], list[Mapping[str, Any]]] = {}
    for result in seen:
        family = "6" if ":" in result["address"] else "4"
        found.setdefault((result["port"], result["protocol"], family), []).append(result)
    compared = []
    for row in rows:
        results = found.get((row["port"], row["protocol"], row["family"]), [])
        verdicts = [_as_declared(row["open_to"], result) for result in results]
        known = [verdict for verdict in verdicts if verdict is not None]
        answers = list(dict.fromkeys(result["answer"] for result in results))
        compared.append({**row, "seen": answers, "as_declared": all(known) if known else None})
    return compared


def _as_declared(open_to: Sequence[str], result: Mapping[str, Any]) -> bool | None:
    if result["answer"] == UNREACHABLE or not result["source"]:
        return None
    expected = _expected(open_to, _source(result))
    if expected is None or (result["protocol"] == "udp" and result["answer"] == SILENT and expected):
        return None
    return (result["answer"] == OPEN) is expected


HEADINGS = ("PORT", "IP", "PROCESS OR CONTAINER", "DECLARED OPEN TO", "SEEN", "AS DECLARED")
_VERDICT = {True: "yes", False: "NO", None: "can't be told"}


def _declared_open(row: Mapping[str, Any]) -> str:
    words = ", ".join(map(_shortened, row["open_to"])) or "nobody"
    others = ", ".join(map(_shortened, row.get("undeclared", ())))
    return f"{words} (by a foreign rule: {others})" if others else words


def _shortened(who: str) -> str:
    words, _, shut = who.partition(BUT)
    names = shut.split(", ")
    return f"{words}{BUT}{', '.join(names[:SHOWN])} and {len(names) - SHOWN} more" if len(names) > SHOWN else who


def table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The compared rows as lines of a table."""
    cells = [
        (
            f"{row['port']}/{row['protocol']}",
            f"v{row['family']}",
            ", ".join(row["who"]),
            _declared_open(row),
            ", ".join(row["seen"]) or "not tried",
            _VERDICT[row["as_declared"]],
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in [HEADINGS, *cells]) for column in range(len(HEADINGS))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in [HEADINGS, *cells]]
