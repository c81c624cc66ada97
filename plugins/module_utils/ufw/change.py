"""A change of the firewall, made so that it is taken back unless somebody confirms it.

Before a change, the files as they are are saved and two things are armed: a timer, and a unit that acts at the next
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
from ansible_collections.portside.vps.plugins.module_utils.ufw import guard, live, revert
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

# In PENDING: the names of the changes that wait, one a line, the last made at the end.
NAMES = "changes"
# What PENDING becomes when it is confirmed, until its names are in the list of those confirmed last.
KEPT = STATE_DIR / "confirmed"
CONFIRMED = STATE_DIR / "confirmed-changes"
REMEMBERED = 50
RESTORE: Mapping[Family, str] = {"4": "iptables-restore", "6": "ip6tables-restore"}


class ApplyError(Exception):
    """A change failed and was taken back."""


def pending_change() -> str:
    """The name of the change that waits for its confirmation, the last if several do; empty if none does."""
    return next(reversed(_names(revert.PENDING / NAMES)), "")


def _names(path: Path) -> list[str]:
    return (read_text(path) or "").split()


def settle() -> None:
    """Let a revert that is under way end, and end one that died. The caller holds the lock and has not looked yet.

    Raises:
        ApplyError: it can't be ended; it stays armed.
    """
    if not revert.REVERTING.exists():
        return
    state = run(["systemctl", "is-active", f"{revert.REVERT_UNIT}.service"], expect=()).stdout.strip()
    if state in ("active", "activating") and wait_until_taken_back(revert.REVERT_SECONDS):
        return
    if revert.REVERTING.exists():
        again = run(["/bin/sh", str(revert.REVERTING / "revert"), "again"], expect=(), timeout=120)
        if again.status and revert.REVERTING.exists():
            raise ApplyError(
                "an earlier change of the firewall was not confirmed and could not be taken back yet, so nothing else"
                f" is changed. It is tried again every {revert.RETRY_SECONDS} s, and at the next boot. What the host"
                f" reports: {again.said}"
            )


def is_as_seen(waiting: str) -> bool:
    """Whether nothing was taken back since `pending_change` said this; the timer doesn't ask for the lock."""
    return pending_change() == waiting and not revert.REVERTING.exists()


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
        if revert.REVERTING.exists():
            _arm(revert.RETRY_SECONDS)
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
        if not revert.PENDING.is_dir():
            raise ApplyError(f"the firewall could not be saved, and nothing was changed. {error}") from error
        taken_back = run(["/bin/sh", str(revert.PENDING / "revert")], expect=(), timeout=120)
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
            _remove_leftovers(plan, before, family)
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
        _remove_leftovers(plan, before, family)


def _remove_leftovers(plan: Plan, before: Present, family: Family) -> None:
    name = f"after{family}"
    block = guard.guard_of(plan.files.get(name) or before.files.get(name, ""))
    text = guard.render_leftovers(before.saved.get(family, ""), block)
    if text:
        run([RESTORE[family], "-n"], stdin=text)


def _remove_guard(plan: Plan, before: Present, family: Family) -> None:
    text = plan.files.get(f"after{family}")
    if text is not None and not guard.guard_of(text) and f":{guard.CHAIN} " in before.saved.get(family, ""):
        run([RESTORE[family], "-n"], stdin=guard.render_removal(family))


def _save_for_revert() -> None:
    """Keep the files as they are. What an earlier change saved and nobody confirmed is the last good firewall."""
    name = secrets.token_hex(8)
    if revert.PENDING.is_dir():
        write_atomic(revert.PENDING / NAMES, "\n".join([*_names(revert.PENDING / NAMES), name]))
        return
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    aside = STATE_DIR / "saving"
    remove_tree(aside)
    aside.mkdir(mode=0o700)
    for saved, path in revert.put_back_paths().items():
        text = read_text(path)
        if text is None:
            (aside / f"absent-{saved}").touch()
        else:
            write_atomic(revert.saved_beside(path), text, _mode(path))
    if BOOT_LINK.is_symlink():
        (aside / "boots").touch()
    for family in FAMILIES:
        write_atomic(aside / f"no-guard{family}", guard.render_removal(family))
    write_atomic(aside / "revert", revert.program(), 0o700)
    write_atomic(aside / NAMES, name)
    write_atomic(revert.AT_BOOT, revert.AT_BOOT_UNIT)
    revert.AT_BOOT_LINK.parent.mkdir(exist_ok=True)
    link_atomic(revert.AT_BOOT_LINK, str(revert.AT_BOOT))
    aside.rename(revert.PENDING)
    beside = {path.parent for path in revert.put_back_paths().values()}
    for directory in (*beside, revert.AT_BOOT_LINK.parent, revert.AT_BOOT.parent, revert.PENDING, STATE_DIR):
        if directory.is_dir():
            _sync(directory)


def _sync(directory: Path) -> None:
    """What was renamed in it is on the disk when this returns, and survives a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _arm(seconds: int) -> None:
    run(revert.timer(seconds))


def _disarm() -> None:
    run(["systemctl", "stop", f"{revert.REVERT_UNIT}.timer"], expect=())


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
            if change in _names(revert.PENDING / NAMES):
                return "superseded"
            return "kept by another" if change in _confirmed() else "gone"
        return "kept" if _keep() else "gone"


def _keep() -> bool:
    earlier = _confirmed()
    remove_tree(KEPT)
    try:
        revert.PENDING.rename(KEPT)
    except FileNotFoundError:
        return False
    _disarm()
    write_atomic(CONFIRMED, "\n".join([*earlier, *_names(KEPT / NAMES)][-REMEMBERED:]), 0o600)
    for path in (revert.AT_BOOT_LINK, revert.AT_BOOT, *map(revert.saved_beside, revert.put_back_paths().values())):
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
        if not revert.PENDING.exists() and not revert.REVERTING.exists():
            return True
        time.sleep(0.2)
    return False


def remember(plan: Plan) -> None:
    """Write down whose rules are whose, and how the kernel shows what was loaded."""
    now = present()
    seen = {family: live.seen(now.saved[family], loaded_text(now.files, family), family) for family in plan.rules}
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    write_atomic(STATE_FILE, State(plan.owned, seen).to_json(), 0o600)
