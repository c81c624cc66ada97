"""What is taken out of a text that may quote secrets, and what stays in it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

# A shorter one occurs everywhere by chance: masked, it would make texts unreadable, and tell where it occurs. It is not
# masked at all. What the roles take as a secret of an app may not be so short (releases/containers.py).
SHORTEST = 6
MASK = "********"


def parts(secrets: Iterable[str]) -> set[str]:
    """What is looked for: each secret, and each of its lines, for a program may print a key line by line."""
    found = {part for secret in secrets for part in (secret, *(line.strip() for line in secret.splitlines()))}
    return {part for part in found if len(part) >= SHORTEST}


def _spans(text: str, wanted: Iterable[str]) -> list[tuple[int, int]]:
    found = []
    for part in wanted:
        at = text.find(part)
        while part and at >= 0:
            found.append((at, at + len(part)))
            at = text.find(part, at + 1)
    return found


def masked(text: str, secrets: Iterable[str], public: Collection[str] = ()) -> str:
    """The text without these values.

    Args:
        text: what is to be shown.
        secrets: what must not be.
        public: names of apps, domains, images and the like. A secret that is a part of one stays where the name stands:
            the name is no secret, and half of it, masked, would say what the secret is.
    """
    named = _spans(text, public)
    spans = sorted(
        (begin, end)
        for begin, end in _spans(text, parts(secrets))
        if not any(first <= begin and end <= last for first, last in named)
    )
    shown, done = [], 0
    for begin, end in spans:
        if begin >= done:
            shown += [text[done:begin], MASK]
        done = max(done, end)
    return "".join([*shown, text[done:]])
