"""Paths as other proxies write them, with places for what may stand there: nginx gets paths that it compares as they
are, so that such a path would match nothing."""

from __future__ import annotations

import re

# Where a pattern begins, in the ways of Traefik, Caddy and HAProxy (`*`), Express (`:id`), Go and OpenAPI (`{id}`) and
# Flask (`<id>`), and regular expressions. Parentheses, `:` and `+` elsewhere are letters like others (RFC 3986, pchar).
_PLACES = re.compile(r"\*|(?<=/):[A-Za-z_]|\{[^}]*\}|<[^>]*>|\([^)]*[|*?\\]|\[[^\]]*\]|(?<=.)\^|\\|\$$|\.[+?]")
# nginx's own ways to say how a path is compared.
_REGULAR = re.compile(r"\s*[=~^][=~^*\s]*(?=/)|~\*?\s")
# What a redirect could fill in elsewhere: a group or a part of the path that was matched.
_FILLED = re.compile(r"\$\d|\$\{|\*|(?<=/):[A-Za-z_]|\{")


def _literal(path: str) -> str:
    """What stands before the first place, up to a whole segment; empty if nothing does."""
    bare = _REGULAR.sub("", path, count=1)
    place = _PLACES.search(bare)
    before = bare[: place.start()] if place else bare
    return before.rpartition("/")[0] if place else before.rstrip("/")


def path_problem(path: str, *, below: bool) -> str | None:
    """What is wrong with a path that is a pattern, and what to write.

    Args:
        path: as declared.
        below: whether the option means all that lies below its path, too.
    """
    if not (_PLACES.search(path) or _REGULAR.match(path)):
        return None
    literal = _literal(path)
    if not literal.startswith("/"):
        literal = ""
    if not below:
        return (
            "is a pattern, and nginx compares paths as they are written: list each path, or redirect all below one in "
            f"`extra_config`, `rewrite ^{literal or '/old'}/(.*)$ /new/$1 permanent;` for instance"
        )
    instead = f"write `{literal}`, which" if literal else "write the path that they have in common, which"
    return f"is a pattern, and nginx compares paths as they are written: {instead} has all that lies below it, too"


def target_problem(target: str) -> str | None:
    """What is wrong with a redirect that is to take something of the path along."""
    if _FILLED.search(target):
        return "is taken as it is written, and nothing is filled in: write the whole path or URL"
    return None
