"""Reading nginx: its configuration's server blocks, and what `nginx -t` says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

TOKEN = re.compile(
    r"""\s+|#[^\n]*|(?P<mark>[{};])|"(?P<double>(?:\\.|[^"\\])*)"|'(?P<single>(?:\\.|[^'\\])*)'|(?P<word>(?:\\.|\$\{|[^\s{};\\])+)"""
)
# nginx: [emerg] unknown directive "foo" in /etc/nginx/sites-enabled/shop.conf:12
COMPLAINT = re.compile(
    r"\[(?P<level>emerg|alert|crit|error|warn)\] (?:\d+#\d+: )?(?P<words>.*?)(?: in (?P<path>/\S+):(?P<line>\d+))?$"
)

GAVE_UP_BINDING = "still could not bind()"


@dataclass(frozen=True)
class Server:
    """A server block: the addresses it listens on, those it is the default of, and its names."""

    addresses: frozenset[str]
    defaults: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True)
class Complaint:
    """A line of nginx's: level, words, and the place it names (empty and 0 where it names none)."""

    level: str
    words: str
    path: str = ""
    line: int = 0


def _tokens(text: str) -> Iterator[tuple[bool, str]]:
    """The configuration's tokens; True for one of `{`, `}` and `;`."""
    position = 0
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            position += 1
            continue
        position = match.end()
        if match["mark"]:
            yield True, match["mark"]
        else:
            word = next((match[kind] for kind in ("double", "single", "word") if match[kind] is not None), None)
            if word is not None:
                yield False, word


def _address(listen: str) -> str:
    """The address of a `listen` as nginx compares it: `80`, `*:80` and `0.0.0.0:80` are one."""
    if listen.isdigit():
        return f"0.0.0.0:{listen}"
    if listen.startswith("*:"):
        return f"0.0.0.0:{listen[2:]}"
    if listen.startswith("unix:") or re.search(r":\d+$", listen):
        return listen
    return f"{listen}:80"


def servers(text: str) -> list[Server]:
    """The server blocks of a file that nginx includes in its http block."""
    found: list[Server] = []
    blocks: list[str] = []
    words: list[str] = []
    addresses: set[str] = set()
    defaults: set[str] = set()
    names: set[str] = set()
    for is_mark, part in _tokens(text):
        if not is_mark:
            words.append(part)
            continue
        if part == "{":
            blocks.append(words[0] if words else "")
            if blocks[-1] == "server":
                addresses, defaults, names = set(), set(), set()
        elif part == ";" and blocks and blocks[-1] == "server" and len(words) > 1:
            if words[0] == "listen":
                addresses.add(_address(words[1]))
                if {"default_server", "default"} & set(words[2:]):
                    defaults.add(_address(words[1]))
            elif words[0] == "server_name":
                names |= {name.lower() for name in words[1:]} - {"_", ""}
        elif part == "}" and blocks and blocks.pop() == "server":
            found.append(Server(frozenset(addresses or {_address("80")}), frozenset(defaults), frozenset(names)))
        words = []
    return found


def directives(text: str) -> list[list[str]]:
    """The words of each directive that stands in the text itself and not in a block of it."""
    found: list[list[str]] = []
    words: list[str] = []
    depth = 0
    for is_mark, part in _tokens(text):
        if not is_mark:
            words.append(part)
            continue
        if part == ";" and depth == 0 and len(words) > 1:
            found.append(words)
        depth += {"{": 1, "}": -1}.get(part, 0)
        words = []
    return found


def collisions(own: Iterable[str], foreign: Mapping[str, str]) -> list[str]:
    """What files of others claim that the role's own files claim too, a sentence each.

    Args:
        own: the texts of the role's files.
        foreign: the texts of all other files that nginx reads for its sites, by path.
    """
    ours = [server for text in own for server in servers(text)]
    defaults = {address for server in ours for address in server.defaults}
    owners: dict[str, set[str]] = {}
    for server in ours:
        for name in server.names:
            owners.setdefault(name, set()).update(server.addresses)
    found = []
    for path, text in sorted(foreign.items()):
        theirs = servers(text)
        for address in sorted({address for server in theirs for address in server.defaults} & defaults):
            found.append(
                f"{path} (not of this role) is the default server of {address} too: take `default_server` out of it"
            )
        names = {name for server in theirs for name in server.names if owners.get(name, set()) & server.addresses}
        if names:
            found.append(
                f"{path} (not of this role) also has {', '.join(sorted(names))}: nginx uses only one of the two, take "
                "the name out of one"
            )
    return found


def complaints(said: str) -> list[Complaint]:
    """What nginx complains of, from `nginx -t` or its error log, in its order."""
    found = []
    for line in said.splitlines():
        match = COMPLAINT.search(line)
        if match:
            found.append(Complaint(match["level"], match["words"], match["path"] or "", int(match["line"] or 0)))
    return found


def gave_up(log: str) -> bool:
    """Whether the log says that a reload failed for good. A port that is taken is tried five times in 2.5 s before that
    (ngx_open_listening_sockets), and what is on disk at the end of them is not what nginx would go on with.
    """
    fatal = [complaint.words for complaint in complaints(log) if complaint.level == "emerg"]
    if any(words.startswith("bind() to ") for words in fatal):
        return any(words.startswith(GAVE_UP_BINDING) for words in fatal)
    return bool(fatal)


def _named_in(words: str, owners: Mapping[str, str]) -> str:
    """The site of which the words name something: a directory, a file or an address as a whole."""
    for name, site in owners.items():
        if site and re.search(re.escape(name) + ("" if name.endswith("/") else r"(?![\w.-])"), words):
            return site
    return ""


def explanation(said: str, owners: Mapping[str, str], lines: Mapping[str, str], own: Iterable[str]) -> str:
    """Which site nginx refuses, where, and in nginx's own words.

    Args:
        said: what `nginx -t` or the error log says.
        owners: the site by what nginx would name: its configuration's path, its certificate's directory, its upstream
            file, an address that it alone listens on.
        lines: the text by path, to quote the line that is meant.
        own: the paths that the role manages.
    """
    # The log repeats a failed bind(2) for each attempt.
    fatal = list(dict.fromkeys(complaint for complaint in complaints(said) if complaint.level != "warn"))
    fatal = [complaint for complaint in fatal if not complaint.words.startswith(GAVE_UP_BINDING)] or fatal
    if not fatal:
        return f"nginx says: {said.strip() or 'nothing'}"
    found = []
    for complaint in fatal:
        site = owners.get(complaint.path, "") or _named_in(complaint.words, owners)
        subject = f"site `{site}`: " if site else ""
        if not complaint.path:
            found.append(f"{subject}nginx says: {complaint.words}")
            continue
        text = lines.get(complaint.path, "").splitlines()
        quoted = f": `{text[complaint.line - 1].strip()}`" if 0 < complaint.line <= len(text) else ""
        stranger = "" if complaint.path in set(own) else " (a file that this role does not manage)"
        found.append(
            f"{subject}nginx says: {complaint.words}\n  at {complaint.path}:{complaint.line}{stranger}{quoted}"
        )
    return "\n".join(found)
