"""Asking DNS, not /etc/hosts: what the world gets for a name. Just enough of RFC 1035 for A, AAAA and CAA."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

A, CNAME, AAAA, CAA = 1, 5, 28, 257
_IN = 1
# RFC 1035, section 4.1.1.
_NOERROR, _SERVFAIL, _NXDOMAIN = 0, 2, 3
_CODES = {1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED"}
_TRUNCATED = 0x0200
_POINTER = 0xC0
RESOLV_CONF = Path("/etc/resolv.conf")
# Seconds for one question to one resolver.
TIMEOUT = 5.0


class DnsError(Exception):
    """The name could not be looked up: the resolvers are silent, or answer with an error such as SERVFAIL.

    Attributes:
        of_zone: whether the name's own servers fail (SERVFAIL), for everybody; else it is this host's resolver.
    """

    def __init__(self, why: str, *, of_zone: bool = False) -> None:
        super().__init__(why)
        self.of_zone = of_zone


@dataclass(frozen=True)
class Record:
    """One record of an answer: an address as text, or a CAA record as `<tag> <value>`."""

    kind: int
    value: str


def resolvers(resolv_conf: str) -> list[str]:
    """The addresses of the `nameserver` lines of resolv.conf(5); 127.0.0.1 without any, as resolv.conf(5) has it."""
    lines = (line.split() for line in resolv_conf.splitlines())
    return [words[1] for words in lines if len(words) > 1 and words[0] == "nameserver"] or ["127.0.0.1"]


def question(name: str, kind: int, number: int) -> bytes:
    """The packet that asks for a name's records of one kind, with recursion."""
    labels = b"".join(bytes([len(label)]) + label for label in name.encode("ascii").split(b"."))
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, _IN)


def _skip_name(packet: bytes, at: int) -> int:
    while packet[at]:
        if packet[at] & _POINTER == _POINTER:
            return at + 2
        at += packet[at] + 1
    return at + 1


def _value(kind: int, data: bytes) -> str:
    if kind in {A, AAAA}:
        return str(ipaddress.ip_address(data))
    if kind == CAA:
        # RFC 8659, section 4.1: flags, length of the tag, tag, value.
        tag = data[2 : 2 + data[1]]
        return f"{tag.decode('ascii', 'replace').lower()} {data[2 + data[1] :].decode('ascii', 'replace')}"
    return ""


def answer(packet: bytes, kind: int) -> list[Record]:
    """The records of that kind in an answer; none for a name that does not exist.

    Raises:
        DnsError: the resolver answers with an error, or not in DNS.
    """
    try:
        _number, flags, questions, answers = struct.unpack("!4H", packet[:8])
        code = flags & 0x000F
        if code not in {_NOERROR, _NXDOMAIN}:
            raise DnsError(f"DNS answers {_CODES.get(code, f'error {code}')}", of_zone=code == _SERVFAIL)
        at = 12
        for _ in range(questions):
            at = _skip_name(packet, at) + 4
        found = []
        for _ in range(answers):
            at = _skip_name(packet, at)
            record, _class, _ttl, length = struct.unpack("!2HIH", packet[at : at + 10])
            at += 10
            if record == kind:
                found.append(Record(kind, _value(record, packet[at : at + length])))
            at += length
    except (IndexError, ValueError, struct.error) as error:
        raise DnsError("the resolver's answer is no DNS") from error
    return found


def _over_udp(resolver: str, packet: bytes) -> bytes:
    family = socket.AF_INET6 if ":" in resolver else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as connection:
        connection.settimeout(TIMEOUT)
        connection.connect((resolver, 53))
        connection.send(packet)
        while True:
            received = connection.recv(4096)
            if received[:2] == packet[:2]:
                return received


def _over_tcp(resolver: str, packet: bytes) -> bytes:
    with socket.create_connection((resolver, 53), TIMEOUT) as connection, connection.makefile("rb") as stream:
        connection.sendall(struct.pack("!H", len(packet)) + packet)
        (length,) = struct.unpack("!H", stream.read(2))
        return stream.read(length)


@dataclass(frozen=True)
class Resolver:
    """The host's resolvers, asked in turn."""

    addresses: Sequence[str]

    def records(self, name: str, kind: int) -> list[Record]:
        """A name's records; none if it has none of that kind, or does not exist.

        Raises:
            DnsError: no resolver gave an answer.
        """
        trouble = DnsError("no resolver is configured on this host")
        for address in self.addresses:
            packet = question(name, kind, secrets.randbelow(0x10000))
            try:
                received = _over_udp(address, packet)
                if struct.unpack("!H", received[2:4])[0] & _TRUNCATED:
                    received = _over_tcp(address, packet)
                return answer(received, kind)
            except DnsError as error:
                trouble = error
            except (OSError, struct.error) as error:
                trouble = DnsError(f"the resolver {address} does not answer ({error})")
        raise trouble

    def addresses_of(self, name: str) -> list[str]:
        """A name's addresses, IPv4 first."""
        return [record.value for kind in (A, AAAA) for record in self.records(name, kind)]

    def caa(self, name: str) -> tuple[str, list[str]]:
        """The name whose CAA records hold for a name (RFC 8659, section 3), and those, as `<tag> <value>`."""
        labels = name.split(".")
        for parent in (".".join(labels[start:]) for start in range(len(labels))):
            found = [record.value for record in self.records(parent, CAA)]
            if found:
                return parent, found
        return name, []


def host_resolver() -> Resolver:
    """The resolvers in the host's resolv.conf(5)."""
    try:
        text = RESOLV_CONF.read_text(encoding="utf-8")
    except OSError:
        text = ""
    return Resolver(resolvers(text))
