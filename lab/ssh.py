"""How the controller gets in: a key for each lab, host keys read from the hosts, one ssh configuration."""

import shlex
import shutil
import socket
import subprocess
import time
from pathlib import Path

from lab.errors import LabError
from lab.identity import Lab
from lab.locks import private_directory

KEY, KNOWN_HOSTS, CONFIG = "id_ed25519", "known_hosts", "ssh_config"
HOST_KEYS = ("ssh_host_ed25519_key.pub", "ssh_host_ecdsa_key.pub", "ssh_host_rsa_key.pub")


def ensure_key(lab: Lab) -> bytes:
    """The lab's public key; the pair is made when missing."""
    key = lab.state / KEY
    if not key.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"portside-lab-{lab.name}", "-f", str(key)],
            check=True,
        )
    return key.with_suffix(".pub").read_bytes()


def known_hosts(keys: dict[str, list[str]]) -> str:
    """Text of a known_hosts file from address -> lines of the host's public key files."""
    lines = [f"{address} {' '.join(line.split()[:2])}" for address, found in keys.items() for line in found]
    return "\n".join(lines) + "\n"


def configuration(state: Path, sockets: Path, hosts: dict[str, str]) -> str:
    """Text of an ssh configuration for hosts (name -> IPv4 address), with host keys checked.

    It is used with `ssh -F`, so nothing of the user's own configuration applies.
    """
    blocks = [
        f"Host {name}\n  HostName {address}\n  HostKeyAlias {address}\n" for name, address in sorted(hosts.items())
    ]
    common = [
        "Host *",
        "  User root",
        f'  IdentityFile "{state / KEY}"',
        "  IdentitiesOnly yes",
        "  IdentityAgent none",
        f'  UserKnownHostsFile "{state / KNOWN_HOSTS}"',
        "  GlobalKnownHostsFile none",
        "  StrictHostKeyChecking yes",
        "  UpdateHostKeys no",
        "  LogLevel ERROR",
        f'  ControlPath "{sockets}/%C"',
        "  ControlMaster auto",
        "  ControlPersist 60s",
        "  ServerAliveInterval 15",
        "  ConnectTimeout 10",
    ]
    return "\n".join([*blocks, *common]) + "\n"


def wait_for_port(address: str, port: int, seconds: float) -> None:
    """Return when a TCP port answers; LabError after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=2).close()
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(f"{address} port {port} did not answer within {seconds:.0f} s: {error}") from error
            time.sleep(0.2)
        else:
            return


def command(lab: Lab, host: str, *argv: str) -> list[str]:
    """argv of ssh to a host of the lab."""
    return ["ssh", "-F", str(lab.state / CONFIG), host, *argv]


def run(lab: Lab, host: str, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a program on a host of the lab (the host's shell reads the words), whatever its exit status.

    Raises LabError when it takes longer than `timeout` seconds.
    """
    words = command(lab, host, *argv)
    try:
        return subprocess.run(
            words, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{host} did not do within {timeout:.0f} s: {shlex.join(argv)}") from error


def wait_until_booted(lab: Lab, host: str, seconds: float = 90) -> str:
    """Wait until systemd has started everything on a host, and return its word for the state.

    `degraded` is accepted: systemd-modules-load fails where a kernel has no loadable modules. LabError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    answer = ""
    while time.monotonic() < deadline:
        result = run(lab, host, "systemctl", "is-system-running")
        answer = result.stdout.strip() or result.stderr.strip()
        if answer in {"running", "degraded"}:
            return answer
        time.sleep(0.2)
    raise LabError(f"{host} did not finish booting within {seconds:.0f} s: {answer}")


def forget_connections(lab: Lab) -> None:
    """End the shared connections to the lab's hosts: after a reboot they lead nowhere."""
    for path in lab.sockets.glob("*"):
        subprocess.run(
            ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "lab"], capture_output=True, check=False
        )
        path.unlink(missing_ok=True)


def ensure_sockets(lab: Lab) -> None:
    """Make the directory of the control sockets, for this user alone."""
    private_directory(lab.sockets)


def remove_sockets(lab: Lab) -> None:
    """Remove the directory of the control sockets."""
    # A master that is just ending removes its own socket meanwhile.
    shutil.rmtree(lab.sockets, ignore_errors=True)
