"""Where sshd listens, and from where the present connection comes: what a firewall must never shut."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

# sshd_config(5): the port where nothing else is said.
DEFAULT_PORT = 22
# Where openssh-server and dropbear-bin put the programs that listen. A session of OpenSSH 9.8 and later is a program of
# its own (/usr/lib/openssh/sshd-session), and listens for what its user forwards alone.
PROGRAMS = ("/usr/sbin/sshd", "/usr/sbin/dropbear")


@dataclass(frozen=True)
class Connection:
    """The ssh connection that a program runs under, as sshd saw it (SSH_CONNECTION in ssh(1))."""

    client: str
    server: str
    port: int


def parse_ssh_connection(value: str) -> Connection | None:
    """`client port server port`; None for anything else. A zone (fe80::1%eth0) is left off."""
    fields = value.split()
    if len(fields) != 4 or not fields[3].isdigit():
        return None
    try:
        client, server = (str(_address(fields[index])) for index in (0, 2))
    except ValueError:
        return None
    return Connection(client, server, int(fields[3]))


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@dataclass(frozen=True)
class Process:
    """A process that runs one of PROGRAMS: its number, its parent's, and its real and effective user."""

    number: int
    parent: int
    users: tuple[int, int]


def parse_process(number: int, status: str) -> Process:
    """A process from its /proc/PID/status (proc_pid_status(5))."""
    fields = dict(re.findall(r"^(\w+):\s+(.*)$", status, re.MULTILINE))
    real, effective, *_ = map(int, fields["Uid"].split())
    return Process(number, int(fields["PPid"]), (real, effective))


def daemons(processes: Iterable[Process]) -> list[int]:
    """Those that take in connections for the whole host: root's, and no session.

    Anybody can run a program that is called sshd, or sshd itself, on a port of their own. And a session, which is a
    child of the daemon, listens for what its user forwards (`ssh -R`).
    """
    found = list(processes)
    numbers = {process.number for process in found}
    return [process.number for process in found if set(process.users) == {0} and process.parent not in numbers]


def parse_sshd_dump(text: str) -> set[int]:
    """Ports of `sshd -T`, those bound to loopback alone left out.

    `sshd -T` prints every ListenAddress with its port and, whether they are used or not, the Port lines.
    """
    listen = re.findall(r"^listenaddress (\S+):(\d+)$", text, re.MULTILINE)
    if listen:
        return {int(port) for address, port in listen if not _is_loopback(address)}
    return {int(port) for port in re.findall(r"^port (\d+)$", text, re.MULTILINE)}


def parse_socket(text: str) -> set[int]:
    """Ports of an active `ssh.socket`, from `systemctl show --property=ActiveState,Listen`."""
    if "ActiveState=active" not in text.splitlines():
        return set()
    listen = re.findall(r"^Listen=(?:(\S+):)?(\d+) \(Stream\)$", text, re.MULTILINE)
    return {int(port) for address, port in listen if not _is_loopback(address)}


def parse_sshd_config(texts: Iterable[str]) -> set[int]:
    """Ports of sshd's configuration files, for a host whose `sshd -T` doesn't answer."""
    found = {int(port) for text in texts for port in re.findall(r"^[ \t]*[Pp]ort[ \t=]+\"?(\d+)", text, re.MULTILINE)}
    return found or {DEFAULT_PORT}


def _is_loopback(address: str) -> bool:
    try:
        return _address(address.strip("[]")).is_loopback
    except ValueError:  # a name, or nothing
        return False
