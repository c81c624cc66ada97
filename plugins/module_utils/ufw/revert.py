"""How a change of the firewall that nobody confirmed is taken back: the program, its timer, its unit for the next boot.

What a change may write is saved before, each file beside the one that it is a copy of. Putting it back is a rename
(rename(2)): it needs no space on a full disk, and what could not be put back is still there. Then timer and unit stay
armed, and the next one of them goes on.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.ufw import guard
from ansible_collections.portside.vps.plugins.module_utils.ufw.host import BOOT_LINK, STATE_DIR, STATE_FILE, UFW_INIT
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import FILES

PENDING = STATE_DIR / "pending"
REVERTING = STATE_DIR / "reverting"
REVERT_UNIT = "portside-ufw-revert"
AT_BOOT = Path(f"/etc/systemd/system/{REVERT_UNIT}-at-boot.service")
AT_BOOT_LINK = AT_BOOT.parent / "multi-user.target.wants" / AT_BOOT.name
# What a slow host needs to put the old firewall back, and a little more.
REVERT_SECONDS = 45
# A revert that failed is tried again after so many seconds.
RETRY_SECONDS = 60
NOT_BACK = (
    f"After {REVERT_SECONDS} s of waiting the firewall is not the one from before. It is tried again every"
    f" {RETRY_SECONDS} s, and at the next boot; `journalctl -u {REVERT_UNIT}` says what stands against it."
)


def saved_beside(path: Path) -> Path:
    """Where a file is kept as it was: in its own directory, since a rename can't leave a file system."""
    return path.with_name(f"{path.name}.portside-saved")


def put_back_paths() -> dict[str, Path]:
    """What a change may write, by a short name."""
    return {**{name: Path(path) for name, path in FILES.items()}, "state.json": STATE_FILE}


def program() -> str:
    """What takes a change back: at once; `boot`, before ufw starts, which then loads what was put back; or `again`.

    `again` and `boot` go on with what another run of it began. Nothing that it needs is removed before all is back.
    """
    files = "\n".join(f"put_back {name} {path} {saved_beside(path)}" for name, path in put_back_paths().items())
    return f"""#!/bin/sh
# Puts back the firewall that stood before a change which nobody confirmed. Run by {REVERT_UNIT}.timer, or at boot by
# {AT_BOOT.name}.
cd {STATE_DIR} || exit 1
if [ -z "$1" ] || [ ! -d {REVERTING.name} ]; then
    mv -T {PENDING.name} {REVERTING.name} || exit 0
fi
failed=
put_back() {{
    if [ -e "{REVERTING}/absent-$1" ]; then
        rm -f "$2" || failed="$failed $2"
    elif [ -e "$3" ]; then
        mv -fT "$3" "$2" || failed="$failed $2"
    fi
}}
{files}
[ -e "{REVERTING}/boots" ] || rm -f {BOOT_LINK} || failed="$failed {BOOT_LINK}"
if [ "$1" != boot ]; then
    {UFW_INIT} force-stop
    if grep -qi '^ENABLED=yes' {FILES["conf"]}; then
        {UFW_INIT} start || failed="$failed loading"
    fi
    grep -qs '^{guard.BEGIN}' {FILES["after4"]} || iptables-restore -n < {REVERTING}/no-guard4 2>/dev/null
    grep -qs '^{guard.BEGIN}' {FILES["after6"]} || ip6tables-restore -n < {REVERTING}/no-guard6 2>/dev/null
fi
if [ -n "$failed" ]; then
    echo "the firewall that stood before the last change is NOT back, failed:$failed;" \
        "it is tried again every {RETRY_SECONDS} s, and at the next boot" >&2
    systemctl is-active --quiet {REVERT_UNIT}.timer || {shlex.join(timer(RETRY_SECONDS))} ||
        echo "no timer could be set for that" >&2
    exit 1
fi
rm -f {AT_BOOT_LINK} {AT_BOOT}
rm -rf {REVERTING}
systemctl stop {REVERT_UNIT}.timer
echo "the firewall that stood before the last change is back: nobody confirmed that change" >&2
exit 0
"""


def timer(seconds: int) -> list[str]:
    """Runs the revert in so many seconds, and again and again until it has put everything back and stops the timer."""
    # Without `$`, which systemd would expand (systemd.service(5), COMMAND LINES).
    found = "; ".join(f"[ ! -e {path}/revert ] || exec /bin/sh {path}/revert again" for path in (REVERTING, PENDING))
    return [
        "systemd-run",
        f"--unit={REVERT_UNIT}",
        f"--on-active={seconds}s",
        f"--on-unit-inactive={RETRY_SECONDS}s",
        "--timer-property=AccuracySec=100ms",
        "--description=Take back an unconfirmed firewall change",
        "--collect",
        "/bin/sh",
        "-c",
        f"{found}; systemctl stop {REVERT_UNIT}.timer",
    ]


AT_BOOT_UNIT = f"""# There is this file only while a change of the firewall waits for its confirmation.
[Unit]
Description=Take back a firewall change that was not confirmed before the reboot
DefaultDependencies=no
RequiresMountsFor={STATE_DIR}
After=local-fs.target
Before=ufw.service network-pre.target
ConditionPathExists=|{PENDING}
ConditionPathExists=|{REVERTING}

[Service]
Type=oneshot
ExecStart=-/bin/sh {REVERTING}/revert boot
ExecStart=-/bin/sh {PENDING}/revert boot

[Install]
WantedBy=multi-user.target
"""
