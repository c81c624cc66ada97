"""How many connections nginx's workers take, and how many files they may open for that. Decisions only.

`worker_connections` stands in the block `events`, which there is once, in nginx.conf: no file beside it can say another
number. So that one number is changed in it, and nothing else.
"""

from __future__ import annotations

import re

from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import Change, Node, Text

EVENTS = re.compile(r"^([ \t]*events\s*\{)([^{}]*)\}", re.MULTILINE)
CONNECTIONS = re.compile(r"^([^#\n]*?\bworker_connections\s+)([0-9]+)(?=\s*;)", re.MULTILINE)
FILES = re.compile(r"^worker_rlimit_nofile ([0-9]+);$", re.MULTILINE)
# proc_pid_limits(5): name, soft limit, hard limit, units.
OPEN_FILES = re.compile(r"^Max open files\s+\S+\s+(\d+)", re.MULTILINE)
# ngx_event_core_init_conf: without the directive.
DEFAULT = 512


def hard_limit(limits: str) -> int | None:
    """The open files that a process may raise its limit to, from its /proc/PID/limits; None for no such line."""
    found = OPEN_FILES.search(limits)
    return int(found[1]) if found else None


def fitting(wanted: int, hard: int | None) -> tuple[int, int]:
    """Connections and open files of a worker, on a host that allows so many files.

    A worker that opens more files than it may stops taking connections, and one whose limit can't be raised keeps the
    usual 1024 (setrlimit(2)): both numbers stay below what there is. A connection is a file, and what is kept in files
    on the way another; a quarter is left for these at least.
    """
    files = min(2 * wanted, hard) if hard else 2 * wanted
    return min(wanted, files * 3 // 4), files


def connections(text: str) -> int | None:
    """The connections of a worker that nginx.conf names; None where it has no block `events` that can be read."""
    block = EVENTS.search(text)
    if block is None:
        return None
    found = CONNECTIONS.search(block[2])
    return int(found[2]) if found else DEFAULT


def with_connections(text: str, number: int) -> str:
    """nginx.conf with that number of connections, and all else as it is."""
    block = EVENTS.search(text)
    if block is None:
        return text
    body, count = CONNECTIONS.subn(rf"\g<1>{number}", block[2], count=1)
    if not count:
        body = f"\n    worker_connections {number};{body}"
    return f"{text[: block.start(2)]}{body}{text[block.end(2) :]}"


def with_files(text: str, most: int | None) -> str:
    """A configuration of the role's in which workers may open no more files than that; None is no bound."""
    return FILES.sub(lambda found: f"worker_rlimit_nofile {min(int(found[1]), most or int(found[1]))};", text)


def change(path: str, main: Node, wanted: int, files: int | None) -> tuple[list[Change], list[str]]:
    """What has to change in nginx.conf for so many connections a worker, and what stands in the way of them.

    Args:
        path: nginx.conf.
        main: what stands there; what is no file of its own (a link, nothing yet) is left alone.
        wanted: connections of a worker, at least; 0 leaves them as they are.
        files: how many files a worker may open at most, None where that isn't known.
    """
    if not (wanted and isinstance(main, Text)):
        return [], []
    present = connections(main.content)
    if present is None:
        return [], [f"{path} has no block `events` that can be read: workers take what it says there, not {wanted}"]
    number, _ = fitting(max(wanted, present), files)
    changed = Text(with_connections(main.content, number), main.mode, owner=main.owner)
    short = f"this host lets nginx open {files} files: a worker takes {number} connections, and not {wanted}"
    return [Change(path, main, changed)] if changed != main else [], [short] if number < wanted else []
