"""One cause that a diagnosis can name."""

from __future__ import annotations

from dataclasses import dataclass

BROKEN, WARNING = "broken", "warning"


@dataclass(frozen=True)
class Cause:
    """A cause.

    Attributes:
        id: its name in JSON.
        hop: where on the path.
        seen: what is seen of it; words in braces are filled in.
        why: why that matters.
        cure: the command or the variable that mends it.
        level: a warning doesn't stop anything yet.
    """

    id: str
    hop: str
    seen: str
    why: str
    cure: str
    level: str = BROKEN


# What most of them are mended by.
SITE = "`ansible-playbook site.yml`"
