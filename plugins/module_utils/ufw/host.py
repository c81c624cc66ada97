"""The host: reads what a policy is compared with, and applies a plan so that it can be taken back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.ufw import docker, guard, live, ssh
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import FAMILIES, Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import (
    FILES,
    Plan,
    Present,
    State,
    loaded_text,
    parse_state,
)

STATE_DIR = Path("/var/lib/portside/ufw")
STATE_FILE = STATE_DIR / "state.json"
# Present from the moment before a change until it is confirmed or taken back: the files as they were, and `revert`.
PENDING = STATE_DIR / "pending"
# What `revert` renames PENDING to: a rename has one winner, so a change is either confirmed or taken back.
REVERTING = STATE_DIR / "reverting"
REVERT_UNIT = "portside-ufw-revert"
UFW_LOCK = Path("/run/ufw.lock")  # the one that the ufw command takes (ufw/util.py `create_lock`)
UFW_INIT = "/lib/ufw/ufw-init"
BOOT_LINK = Path("/etc/systemd/system/multi-user.target.wants/ufw.service")
SAVE: Mapping[Family, str] = {"4": "iptables-save", "6": "ip6tables-save"}
RESTORE: Mapping[Family, str] = {"4": "iptables-restore", "6": "ip6tables-restore"}


class ApplyError(Exception):
    """A change failed and was taken back."""


def installed() -> bool:
    """Whether ufw is there at all."""
    return Path(UFW_INIT).exists()


def has_ipv6() -> bool:
    """Whether the kernel has IPv6 (it hasn't with ipv6.disable=1), as ufw itself asks."""
    return Path("/proc/sys/net/ipv6").exists()


def interfaces() -> list[str]:
    """Names of the network interfaces."""
    return sorted(path.name for path in Path("/sys/class/net").iterdir() if (path / "ifindex").exists())


def outside_interfaces() -> list[str]:
    """Interfaces that a default route leaves by, from the kernel's own tables."""
    found = set()
    for line in (read_text(Path("/proc/net/route")) or "").splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000" and fields[7] == "00000000":
            found.add(fields[0])
    for line in (read_text(Path("/proc/net/ipv6_route")) or "").splitlines():
        fields = line.split()
        if fields[0] == "0" * 32 and fields[1] == "00":
            found.add(fields[9])
    return sorted(found - {"lo"})


def present() -> Present:
    """The firewall as it is, read without changing anything."""
    return Present(
        files={name: read_text(Path(path)) or "" for name, path in FILES.items()},
        state=parse_state(read_text(STATE_FILE) or ""),
        saved=saved(),
        boots=BOOT_LINK.is_symlink(),
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


def ssh_ports() -> set[int]:
    """Every port that sshd listens on, or will after its next start."""
    ports = _sshd_ports() | _listening("sshd", "dropbear")
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


def _listening(*programs: str) -> set[int]:
    """TCP ports on which these programs listen for more than the host itself."""
    sockets = {}
    for table in ("tcp", "tcp6"):
        for line in (read_text(Path("/proc/net") / table) or "").splitlines()[1:]:
            fields = line.split()
            address, _, port = fields[1].rpartition(":")
            loopback = address.endswith("7F") if table == "tcp" else address == "0" * 24 + "01000000"
            if fields[3] == "0A" and not loopback:
                sockets[f"socket:[{fields[9]}]"] = int(port, 16)
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "comm").read_text().strip() in programs:
                links = {os.readlink(link) for link in (process / "fd").iterdir()}
                found |= {port for name, port in sockets.items() if name in links}
    return found


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


def why_docker_is_unguardable(filter_rules: str) -> str:
    """Empty if the guard works with the Docker engine of this host, or there is none."""
    command_line: list[str] = []
    with contextlib.suppress(OSError, ValueError):
        process = int(Path("/run/docker.pid").read_text())
        arguments = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        command_line = arguments if "dockerd" in arguments[0] else []
    options = docker.daemon_options("", command_line)
    file = Path(str(options.get("config-file", docker.DAEMON_FILE)))
    options = docker.daemon_options(read_text(file) or "", command_line)
    return docker.why_unguardable(options, running=bool(command_line), filter_rules=filter_rules)


@contextlib.contextmanager
def ufw_lock() -> Iterator[None]:
    """Keeps the ufw command and other runs out: what was read is still true when it is written."""
    with UFW_LOCK.open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        yield


def is_pending() -> bool:
    """Whether a change waits for its confirmation."""
    return PENDING.is_dir()


def apply(plan: Plan, before: Present, timeout: int) -> None:
    """Make the host match the plan. The caller holds the lock, since before it looked.

    Args:
        plan: what to do.
        before: the host as the plan saw it.
        timeout: seconds until the change is taken back unless `confirm` is called; 0 for never.

    Raises:
        ApplyError: a step failed; the old firewall stands again.
    """
    _save_for_revert()
    try:
        if timeout:
            _arm(timeout)
        for name, text in plan.files.items():
            path = Path(FILES[name])
            write_atomic(path, text, _mode(path))
        _load(plan, before)
        remember(plan)
        if plan.enable_boot:
            run(["systemctl", "enable", "ufw.service"])
    except (CommandError, OSError) as error:
        taken_back = run(["/bin/sh", str(PENDING / "revert")], expect=())
        _disarm()
        outcome = (
            "the old one stands again" if taken_back.status == 0 else f"taking it back failed too: {taken_back.said}"
        )
        raise ApplyError(f"the new firewall could not be loaded, and {outcome}. {error}") from error
    if not timeout:
        confirm()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _load(plan: Plan, before: Present) -> None:
    if plan.restart:
        # `ufw reload` and `ufw enable` do the same, but each waits for the lock that is held here.
        run([UFW_INIT, "force-stop"], expect=(), timeout=120)
        run([UFW_INIT, "start"], timeout=120)
        for family in plan.rules:
            _remove_guard(plan, before, family)
        return
    for family in plan.rules:
        text = ""
        if f"after{family}" in plan.files:
            text += guard.guard_of(plan.files[f"after{family}"])
        if text or f"rules{family}" in plan.files:
            text += plan.files.get(f"rules{family}") or before.files[f"rules{family}"]
            # One transaction for each table: no packet meets half a rule set, and none is let in meanwhile.
            run([RESTORE[family], "-n"], stdin=text)
        _remove_guard(plan, before, family)


def _remove_guard(plan: Plan, before: Present, family: Family) -> None:
    text = plan.files.get(f"after{family}")
    if text is not None and not guard.guard_of(text) and f":{guard.CHAIN} " in before.saved.get(family, ""):
        run([RESTORE[family], "-n"], stdin=guard.render_removal(family))


REVERT = f"""#!/bin/sh
# Puts back the firewall that stood before a change which nobody confirmed. Run by {REVERT_UNIT}.timer.
cd {STATE_DIR} || exit 1
mv -T {PENDING.name} {REVERTING.name} || exit 0
failed=0
put_back() {{
    if [ -e "{REVERTING}/$1" ]; then
        cp -p "{REVERTING}/$1" "$2.revert" && mv "$2.revert" "$2" || failed=1
    else
        rm -f "$2"
    fi
}}
{os.linesep.join(f"put_back {name} {path}" for name, path in {**FILES, "state.json": str(STATE_FILE)}.items())}
[ -e "{REVERTING}/boots" ] || rm -f {BOOT_LINK}
{UFW_INIT} force-stop
if grep -qi '^ENABLED=yes' {FILES["conf"]}; then
    {UFW_INIT} start || failed=1
fi
grep -qs '^{guard.BEGIN}' {FILES["after4"]} || iptables-restore -n < {REVERTING}/no-guard4 2>/dev/null
grep -qs '^{guard.BEGIN}' {FILES["after6"]} || ip6tables-restore -n < {REVERTING}/no-guard6 2>/dev/null
echo "the firewall that stood before the last change is back: nobody confirmed that change" >&2
rm -rf {REVERTING}
exit $failed
"""


def _save_for_revert() -> None:
    """Keep the files as they are. What an earlier change saved and nobody confirmed is the last good firewall."""
    if PENDING.is_dir():
        return
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    aside = STATE_DIR / "saving"
    for leftover in (aside, REVERTING):
        shutil.rmtree(leftover, ignore_errors=True)
    aside.mkdir(mode=0o700)
    for name, path in {**FILES, "state.json": str(STATE_FILE)}.items():
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(path, aside / name)
    if BOOT_LINK.is_symlink():
        (aside / "boots").touch()
    for family in FAMILIES:
        write_atomic(aside / f"no-guard{family}", guard.render_removal(family))
    write_atomic(aside / "revert", REVERT, 0o700)
    aside.rename(PENDING)


def _arm(seconds: int) -> None:
    _disarm()
    run(
        [
            "systemd-run",
            f"--unit={REVERT_UNIT}",
            f"--on-active={seconds}s",
            "--timer-property=AccuracySec=100ms",
            "--description=Take back an unconfirmed firewall change",
            "--collect",
            "/bin/sh",
            str(PENDING / "revert"),
        ]
    )


def _disarm() -> None:
    run(["systemctl", "stop", f"{REVERT_UNIT}.timer"], expect=())


def confirm() -> bool:
    """Keep a change that waits. False if there is none any more: it was taken back."""
    kept = STATE_DIR / "confirmed"
    shutil.rmtree(kept, ignore_errors=True)
    try:
        PENDING.rename(kept)
    except FileNotFoundError:
        return False
    _disarm()
    shutil.rmtree(kept, ignore_errors=True)
    return True


def wait_until_taken_back(seconds: float) -> bool:
    """Wait for a revert that is under way to end. False if it has not within the time, or has not begun."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not PENDING.exists() and not REVERTING.exists():
            return True
        time.sleep(0.2)
    return False


def remember(plan: Plan) -> None:
    """Write down whose rules are whose, and how the kernel shows what was loaded."""
    now = present()
    seen = {family: live.seen(now.saved[family], loaded_text(now.files, family), family) for family in plan.rules}
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    write_atomic(STATE_FILE, State(plan.owned, seen).to_json(), 0o600)
