"""The host: reads what a policy is compared with."""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import lock
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text
from ansible_collections.portside.vps.plugins.module_utils.ufw import docker, outbound, ssh
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import FAMILIES, Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import FILES, Present, parse_state

STATE_DIR = Path("/var/lib/portside/ufw")
STATE_FILE = STATE_DIR / "state.json"
UFW_LOCK = Path("/run/ufw.lock")  # the one that the ufw command takes (ufw/util.py `create_lock`)
LOCK_LIMIT = 120.0
DOCKER_SOCKET = "/run/docker.sock"
DOCKER_SECONDS = 10
PROC = Path("/proc")
UFW_INIT = "/lib/ufw/ufw-init"
SYSTEMD = Path("/etc/systemd/system")
BOOT_LINK = SYSTEMD / "multi-user.target.wants" / "ufw.service"
# Of Debian's packages none puts a link there; `systemctl mask` does.
MASK = SYSTEMD / "ufw.service"
SAVE: Mapping[Family, str] = {"4": "iptables-save", "6": "ip6tables-save"}


def installed() -> bool:
    """Whether ufw is there at all."""
    return Path(UFW_INIT).exists()


def has_ipv6() -> bool:
    """Whether the kernel has IPv6 (it hasn't with ipv6.disable=1), as ufw itself asks."""
    return Path("/proc/sys/net/ipv6").exists()


def interfaces() -> list[str]:
    """Names of the network interfaces."""
    return sorted(path.name for path in Path("/sys/class/net").iterdir() if (path / "ifindex").exists())


def present() -> Present:
    """The firewall as it is, read without changing anything."""
    return Present(
        files={name: read_text(Path(path)) or "" for name, path in FILES.items()},
        state=parse_state(read_text(STATE_FILE) or ""),
        saved=saved(),
        boots=BOOT_LINK.is_symlink() and not MASK.is_symlink(),
    )


def saved() -> dict[Family, str]:
    """iptables-save for each family; empty where it can't be had."""
    found: dict[Family, str] = {}
    for family in FAMILIES:
        try:
            found[family] = run([SAVE[family]], expect=()).stdout
        except CommandError:  # not installed yet
            found[family] = ""
    return found


def shut(bridge: str) -> bool:
    """Whether the running firewall has shut a network of Docker's, by its bridge; in every address family there is."""
    families = FAMILIES if has_ipv6() else FAMILIES[:1]
    found = saved()
    return all(outbound.blocks(bridge, found[family]) for family in families)


def ssh_ports() -> set[int]:
    """Every port that sshd listens on, or will after its next start."""
    ports = _sshd_ports() | _listening()
    with contextlib.suppress(CommandError):
        show = run(["systemctl", "show", "ssh.socket", "--property=ActiveState,Listen"], expect=())
        ports |= ssh.parse_socket(show.stdout)
    return ports


def _sshd_ports() -> set[int]:
    configuration = Path("/etc/ssh/sshd_config")
    if not configuration.exists():
        return set()
    with contextlib.suppress(CommandError):
        dump = run([shutil.which("sshd") or "/usr/sbin/sshd", "-T"], expect=())
        if dump.status == 0:
            return ssh.parse_sshd_dump(dump.stdout)
    # Without its run-time directory, or with a host key missing, sshd -T says nothing.
    files = [configuration, *sorted(Path("/etc/ssh/sshd_config.d").glob("*.conf"))]
    return ssh.parse_sshd_config(read_text(path) or "" for path in files)


def _listening(proc: Path = PROC) -> set[int]:
    """TCP ports on which an ssh daemon of a package listens for more than the host itself."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in (read_text(proc / "net" / table) or "").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            loopback = address.endswith("7F") if table == "tcp" else address == "0" * 24 + "01000000"
            if fields[3] == "0A" and not loopback:
                sockets[f"socket:[{fields[9]}]"] = int(port, 16)
    found = set()
    for daemon in ssh.daemons(_processes(proc)):
        with contextlib.suppress(OSError):  # it may be gone by now
            links = {os.readlink(link) for link in (proc / str(daemon) / "fd").iterdir()}
            found |= {port for name, port in sockets.items() if name in links}
    return found


def _processes(proc: Path) -> Iterator[ssh.Process]:
    """Processes whose program lies where packages put ssh daemons."""
    for path in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = os.readlink(path / "exe").removesuffix(" (deleted)")
            if program not in ssh.PROGRAMS:
                continue
            status = (path / "status").read_text(encoding="utf-8", errors="replace")
            # A container has files of the same names.
            if os.path.samestat(os.stat(path / "root"), os.stat("/")):
                yield ssh.parse_process(int(path.name), status)


def connection() -> ssh.Connection | None:
    """The ssh connection that this process runs under. sudo drops SSH_CONNECTION; a process further up has it."""
    process = os.getpid()
    while process > 1:
        try:
            environment = Path(f"/proc/{process}/environ").read_bytes()
            status = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return None
        for variable in environment.split(b"\0"):
            if variable.startswith(b"SSH_CONNECTION="):
                found = ssh.parse_ssh_connection(variable.partition(b"=")[2].decode(errors="replace"))
                if found:
                    return found
        # The name in parentheses may hold anything, spaces too (proc(5)); the parent comes two fields after it.
        process = int(status.rpartition(")")[2].split()[1])
    return None


def other_firewalls() -> list[str]:
    """What would empty ufw's chains at boot, or fill them with its own, and what to do.

    nftables.service loads a file that begins with `flush ruleset` in Debian's example, before or after ufw as it comes,
    and the rules of iptables-nft are part of that ruleset.
    """
    found = []
    if any(path.exists() for path in SYSTEMD.glob("*.wants/nftables.service")):
        text = read_text(Path("/etc/nftables.conf")) or ""
        if any(line.split("#")[0].split() == ["flush", "ruleset"] for line in text.replace(";", "\n").splitlines()):
            found.append(
                "nftables.service is enabled, and /etc/nftables.conf says `flush ruleset`: after a reboot that may"
                " empty ufw's rules. Take that line out (`flush table ...` for your own tables does as well), or"
                " `systemctl disable nftables`"
            )
    if any(path.exists() for path in SYSTEMD.glob("*.wants/firewalld.service")):
        found.append(
            "firewalld is enabled, and two programs can't own one firewall; `systemctl disable --now firewalld`"
        )
    return found


def why_docker_is_unguardable(filter_rules: str) -> str:
    """Empty if the guard works with the Docker engine of this host, or there is none."""
    command_line = _dockerd()
    options = docker.daemon_options("", command_line)
    file = Path(str(options.get("config-file", docker.DAEMON_FILE)))
    options = docker.daemon_options(read_text(file) or "", command_line)
    return docker.why_unguardable(options, running=bool(command_line), filter_rules=filter_rules)


def _dockerd() -> list[str]:
    """The command line of a running Docker engine; empty if there is none."""
    with contextlib.suppress(OSError, ValueError):
        process = int(Path("/run/docker.pid").read_text())
        arguments = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        return arguments if "dockerd" in arguments[0] else []
    return []


def docker_networks() -> list[dict[str, Any]]:
    """Docker's networks; none where no engine runs. A question to its socket would start one that was stopped."""
    return ask_docker("/networks") if _dockerd() else []


class _UnixConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DOCKER_SECONDS)
        self.sock.connect(DOCKER_SOCKET)


def ask_docker(question: str) -> list[dict[str, Any]]:
    """A list that Docker's API has at this address; an empty one where it doesn't answer."""
    connection = _UnixConnection("localhost")
    try:
        connection.request("GET", question)
        answer = connection.getresponse()
        content = json.loads(answer.read()) if answer.status == 200 else []
    except OSError:
        return []
    finally:
        connection.close()
    return list(content)


@contextlib.contextmanager
def ufw_lock() -> Iterator[None]:
    """Keeps the ufw command and other runs out: what was read is still true when it is written.

    Raises:
        LockError: one of them still holds it after two minutes.
    """
    with UFW_LOCK.open("w", encoding="ascii") as handle:
        lock.wait_for(handle, LOCK_LIMIT, fcntl.lockf)
        yield
