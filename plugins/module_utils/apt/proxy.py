"""apt's file of outbound proxies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic, wrong_rights
from ansible_collections.portside.vps.plugins.module_utils.quiet import LOGIN, without_logins

CONF = Path("/etc/apt/apt.conf.d/95portside-proxy")


@dataclass(frozen=True)
class Change:
    """What the file says and what it is to say; empty is no file."""

    before: str
    after: str
    mode: int
    rights: str = ""

    def diff(self) -> dict[str, str]:
        """In Ansible's form, without passwords."""
        before, after = (without_logins(text) for text in (self.before, self.after))
        before = f"({self.rights})\n{before}" if self.rights else before
        return {"before_header": str(CONF), "after_header": str(CONF), "before": before, "after": after}


def passwords(text: str | None) -> set[str]:
    """User and password of every URL, and the password alone."""
    found = set(LOGIN.findall(text or ""))
    return found | {part.partition(":")[2] for part in found if ":" in part}


def mode(text: str) -> int:
    """apt runs as any user, so all may read the file; but not a password."""
    return 0o600 if passwords(text) else 0o644


def change(text: str | None, path: Path = CONF) -> Change | None:
    """What is to be done about the file; None when it is as wanted, or nothing is wanted of it (`text` is None)."""
    if text is None:
        return None
    before = read_text(path)
    if before is None:
        return Change("", text, mode(text)) if text else None
    rights = wrong_rights(path, mode(text))
    if before == text and not rights:
        return None
    return Change(before, text, mode(text), rights)


def apply(wanted: Change | None, path: Path = CONF) -> None:
    """Write the file, or remove it."""
    if wanted is None:
        return
    if wanted.after:
        write_atomic(path, wanted.after, mode=wanted.mode)
    else:
        path.unlink(missing_ok=True)
