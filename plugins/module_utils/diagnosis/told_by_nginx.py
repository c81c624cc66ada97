"""What nginx's own logs say of requests that it didn't pass on as they were sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# 2026/12/01 00:09:42 [error] 780#780: *27 <words>, client: …, server: shop.example.com, request: "GET /a?b HTTP/1.1"
LINE = re.compile(r"^(?P<time>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) \[\w+\] \d+#\d+: (?:\*\d+ )?(?P<words>.*)$", re.MULTILINE)
SERVER = re.compile(r", server: ([^,]+),")
# Printable alone: what a client sent raw may stand in this log, line breaks too.
REQUEST = re.compile(r'request: "[A-Z]+ ([!#->@-~]*)')
LARGE = "upstream sent too big header"
# Written at level `info` alone; of the header its name is enough.
UNDERSCORE = re.compile(r'client sent invalid header line: "([A-Za-z0-9-]*_[A-Za-z0-9_-]*)')
NO_PROXY_LINE = re.compile(r'broken header: "')
# The default server's log, in nginx's format `combined`; 444 is an answer that was none.
UNANSWERED = re.compile(
    r'\[(?P<time>[^\]]+)\] "(?:GET|HEAD|OPTIONS) (?P<path>[^ ?"]*)[^"]*" 444 \d+ "[^"]*" "(?P<agent>[^"]*)"', re.ASCII
)
CHECKER = re.compile(r"health|probe|GoogleHC", re.IGNORECASE)
# What clients offer as a matter of course, and do without: HTTP/2 and TLS on the same connection.
OFFERED = re.compile(r"h2c|tls/|http/", re.IGNORECASE)


def _seconds(text: str, form: str) -> float:
    try:
        return time.mktime(time.strptime(text, form))
    except ValueError:
        return 0.0


def complaints(log: str, since: Mapping[str, float]) -> Iterator[dict[str, str]]:
    """The requests that a site's configuration was in the way of: `{kind, server, what}`, each but once.

    Args:
        log: the end of nginx's error log.
        since: when the configuration was written that holds for a name, by server name; of names that are not in it,
            nothing is told, and nothing of the time before.
    """
    told: set[tuple[str, str, str]] = set()
    for line in LINE.finditer(log):
        words = line["words"]
        server = SERVER.search(f"{words},")
        name = server[1] if server else ""
        if name not in since or _seconds(line["time"], "%Y/%m/%d %H:%M:%S") < since[name]:
            continue
        request = REQUEST.search(words)
        underscore = UNDERSCORE.search(words)
        if LARGE in words:
            one = ("header", name, request[1] if request else "/")
        elif underscore:
            one = ("underscore", name, underscore[1])
        else:
            continue
        if one not in told:
            told.add(one)
            yield dict(zip(("kind", "server", "what"), one, strict=True))


def without_proxy_line(log: str, since: float) -> int:
    """How many connections came without the PROXY protocol's line since then, going by the error log's end."""
    return sum(
        1
        for line in LINE.finditer(log)
        if NO_PROXY_LINE.search(line["words"]) and _seconds(line["time"], "%Y/%m/%d %H:%M:%S") >= since
    )


def unanswered_checks(log: str, since: float) -> list[dict[str, str]]:
    """The load balancers that asked the default server since then and got no answer: `{path, agent}`, each but once."""
    found = [
        (one["path"], one["agent"])
        for one in UNANSWERED.finditer(log)
        if CHECKER.search(one["agent"]) and _seconds(one["time"].partition(" ")[0], "%d/%b/%Y:%H:%M:%S") >= since
    ]
    return [{"path": path, "agent": agent} for path, agent in dict.fromkeys(found)]


def dropped_upgrades(entries: Iterator[dict[str, Any]], let_through: Sequence[str]) -> list[str]:
    """The upgrades that clients asked for in a site's access log and that are not among those that it lets through."""
    known = {token.lower() for token in let_through}
    asked = dict.fromkeys(str(entry.get("upgrade") or "") for entry in entries if entry.get("status") != 101)
    return [token for token in asked if token and token.lower() not in known and not OFFERED.match(token)]
