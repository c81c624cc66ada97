"""A change of the firewall, made so that it is taken back unless somebody confirms it.

Before a change, the files as they are go to PENDING and two things are armed: a timer, and a unit that acts at the next
boot, before ufw starts. Confirming renames PENDING away; taking back renames it to REVERTING. A rename has one winner,
so a change is either confirmed or taken back, whatever dies meanwhile.

Two runs at once take turns. The second goes on from the first one's change, which waits with it: who confirms the last
change confirms both, and the other is told so.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.files import (
    link_atomic,
    read_text,
    remove_tree,
    write_atomic,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw import guard, live
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import FAMILIES, Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.host import (
    BOOT_LINK,
    STATE_DIR,
    STATE_FILE,
    UFW_INIT,
    present,
    ufw_lock,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import FILES, Plan, Present, State, loaded_text

PENDING = STATE_DIR / "pending"
REVERTING = STATE_DIR / "reverting"
# In PENDING: the names of the changes that wait, one a line, the last made at the end.
NAMES = "changes"
# What PENDING becomes when it is confirmed, until its names are in the list of those confirmed last.
KEPT = STATE_DIR / "confirmed"
CONFIRMED = STATE_DIR / "confirmed-changes"
REMEMBERED = 50
REVERT_UNIT = "portside-ufw-revert"
AT_BOOT = Path(f"/etc/systemd/system/{REVERT_UNIT}-at-boot.service")
AT_BOOT_LINK = AT_BOOT.parent / "multi-user.target.wants" / AT_BOOT.name
RESTORE: Mapping[Family, str] = {"4": "iptables-restore", "6": "ip6tables-restore"}
# What a slow host needs to put the old firewall back, and a little more.
REVERT_SECONDS = 45


class ApplyError(Exception):
    """A change failed and was taken back."""


# `revert`: takes the change back, now. `revert boot`: before ufw starts, which then loads what was put back.
# `revert again`: goes on with what another revert began. `boot` does that too.
REVERT = f"""#!/bin/sh
# Puts back the firewall that stood before a change which nobody confirmed. Run by {REVERT_UNIT}.timer, or at boot by
# {AT_BOOT.name}.
cd {STATE_DIR} || exit 1
if [ -z "$1" ] || [ ! -d {REVERTING.name} ]; then
    mv -T {PENDING.name} {REVERTING.name} || exit 0
fi
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
if [ "$1" != boot ]; then
    {UFW_INIT} force-stop
    if grep -qi '^ENABLED=yes' {FILES["conf"]}; then
        {UFW_INIT} start || failed=1
    fi
    grep -qs '^{guard.BEGIN}' {FILES["after4"]} || iptables-restore -n < {REVERTING}/no-guard4 2>/dev/null
    grep -qs '^{guard.BEGIN}' {FILES["after6"]} || ip6tables-restore -n < {REVERTING}/no-guard6 2>/dev/null
fi
echo "the firewall that stood before the last change is back: nobody confirmed that change" >&2
rm -f {AT_BOOT_LINK} {AT_BOOT}
rm -rf {REVERTING}
exit $failed
"""

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


def pending_change() -> str:
    """The name of the change that waits for its confirmation, the last if several do; empty if none does."""
    return next(reversed(_names(PENDING / NAMES)), "")


def _names(path: Path) -> list[str]:
    return (read_text(path) or "").split()


def settle() -> None:
    """Let a revert that is under way end, and end one that died. The caller holds the lock and has not looked yet."""
    if not REVERTING.exists():
        return
    state = run(["systemctl", "is-active", f"{REVERT_UNIT}.service"], expect=()).stdout.strip()
    if state in ("active", "activating") and wait_until_taken_back(REVERT_SECONDS):
        return
    if REVERTING.exists():
        run(["/bin/sh", str(REVERTING / "revert"), "again"], expect=(), timeout=120)


def is_as_seen(waiting: str) -> bool:
    """Whether nothing was taken back since `pending_change` said this; the timer doesn't ask for the lock."""
    return pending_change() == waiting and not REVERTING.exists()


def apply(plan: Plan, before: Present, waiting: str, timeout: int) -> None:
    """Make the host match the plan. The caller holds the lock, since before it looked.

    Args:
        plan: what to do.
        before: the host as the plan saw it.
        waiting: what `pending_change` said before the look.
        timeout: seconds until the change is taken back unless `confirm` is called; 0 for never.

    Raises:
        ApplyError: a step failed; the old firewall stands again.
    """
    _disarm()
    if not is_as_seen(waiting):
        raise ApplyError("an earlier change was just being taken back, and nothing was changed. Run again")
    try:
        _save_for_revert()
        if timeout:
            _arm(timeout)
        for name, text in plan.files.items():
            path = Path(FILES[name])
            write_atomic(path, text, _mode(path))
        _load(plan, before)
        remember(plan)
        if plan.enable_boot:
            run(["systemctl", "unmask", "ufw.service"])
            run(["systemctl", "enable", "ufw.service"])
    except (CommandError, OSError) as error:
        taken_back = run(["/bin/sh", str(PENDING / "revert")], expect=(), timeout=120)
        _disarm()
        outcome = (
            "the old one stands again" if taken_back.status == 0 else f"taking it back failed too: {taken_back.said}"
        )
        raise ApplyError(f"the new firewall could not be loaded, and {outcome}. {error}") from error
    if not timeout:
        _keep()


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


def _save_for_revert() -> None:
    """Keep the files as they are. What an earlier change saved and nobody confirmed is the last good firewall."""
    name = secrets.token_hex(8)
    if PENDING.is_dir():
        write_atomic(PENDING / NAMES, "\n".join([*_names(PENDING / NAMES), name]))
        return
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    aside = STATE_DIR / "saving"
    remove_tree(aside)
    aside.mkdir(mode=0o700)
    for saved, path in {**FILES, "state.json": str(STATE_FILE)}.items():
        text = read_text(Path(path))
        if text is not None:
            write_atomic(aside / saved, text, _mode(Path(path)))
    if BOOT_LINK.is_symlink():
        (aside / "boots").touch()
    for family in FAMILIES:
        write_atomic(aside / f"no-guard{family}", guard.render_removal(family))
    write_atomic(aside / "revert", REVERT, 0o700)
    write_atomic(aside / NAMES, name)
    write_atomic(AT_BOOT, AT_BOOT_UNIT)
    AT_BOOT_LINK.parent.mkdir(exist_ok=True)
    link_atomic(AT_BOOT_LINK, str(AT_BOOT))
    aside.rename(PENDING)
    for directory in (AT_BOOT_LINK.parent, AT_BOOT.parent, PENDING, STATE_DIR):
        _sync(directory)


def _sync(directory: Path) -> None:
    """What was renamed in it is on the disk when this returns, and survives a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _arm(seconds: int) -> None:
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


def confirm(change: str) -> str:
    """Keep a change that waits.

    Args:
        change: its name; empty for whichever waits.

    Returns:
        `kept`; `kept by another` if a run that waited for it too, or has changed more since, has confirmed it;
        `superseded` if one that has changed more has to yet; `gone` if the change was taken back.
    """
    with ufw_lock():
        if change and change != pending_change():
            if change in _names(PENDING / NAMES):
                return "superseded"
            return "kept by another" if change in _confirmed() else "gone"
        return "kept" if _keep() else "gone"


def _keep() -> bool:
    earlier = _confirmed()
    remove_tree(KEPT)
    try:
        PENDING.rename(KEPT)
    except FileNotFoundError:
        return False
    write_atomic(CONFIRMED, "\n".join([*earlier, *_names(KEPT / NAMES)][-REMEMBERED:]), 0o600)
    _disarm()
    for path in (AT_BOOT_LINK, AT_BOOT):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    remove_tree(KEPT)
    return True


def _confirmed() -> list[str]:
    return list(dict.fromkeys([*_names(CONFIRMED), *_names(KEPT / NAMES)]))


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
