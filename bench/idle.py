"""Memory of our nginx and of HAProxy while thousands of clients keep a connection that does nothing, and WebSockets.

Each connection has had one answer and was kept, as a browser does. How many there can be is set by the limit of open
files of a lab server (20,000), of which HAProxy's one process needs one for each, and by nginx_worker_connections.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from typing import Any

from bench.results import sample, versions
from bench.runs import Bed, note
from bench.slow import clients
from bench.wire import HOST, PLAYBOOK, PORTS
from lab import ssh

PROXIES = ("portside", "haproxy")
PROCESSES, EACH, SOCKETS, OPENING, ROUNDS = 4, 3500, 384, 45, 2
ROOM = {"connections": 8192, "haproxy_connections": 16000, "files": 20000}
UNITS = {"portside": "nginx", "haproxy": "wire-haproxy"}


def parse(text: str) -> int:
    """Kilobytes of all processes together, from their smaps_rollup (proc(5)): each one's share of what they share."""
    found = [int(kilobytes) for kilobytes in re.findall(r"^Pss:\s+(\d+) kB$", text, re.MULTILINE)]
    if not found:
        raise ValueError(f"not smaps_rollup:\n{text}")
    return sum(found)


def measure() -> dict[str, Any]:
    """In each round every proxy once, started afresh: memory that a proxy keeps is not in the next round's."""
    with Bed("idle", [HOST]) as bed:
        bed.play(PLAYBOOK, HOST, ROOM)
        rounds = [{proxy: _turn(bed, proxy) for proxy in _order(number)} for number in range(ROUNDS)]
        found = versions(bed.lab, HOST, "nginx", "haproxy", "libssl3t64")
    return {
        "wanted": PROCESSES * EACH,
        "versions": found,
        "proxies": {proxy: figures([one[proxy] for one in rounds]) for proxy in PROXIES},
    }


def figures(rounds: list[dict[str, int]]) -> dict[str, Any]:
    """Of one proxy: what it held, and what each connection cost, with and without what it needs for none."""
    each = [one["kilobytes"] / (one["idle"] + one["sockets"]) for one in rounds]
    more = [(one["kilobytes"] - one["empty"]) / (one["idle"] + one["sockets"]) for one in rounds]
    return {
        "idle": sample([one["idle"] for one in rounds], 0),
        "sockets": sample([one["sockets"] for one in rounds], 0),
        "kilobytes": sample([one["kilobytes"] for one in rounds], 0),
        "empty_kilobytes": sample([one["empty"] for one in rounds], 0),
        "kilobytes_each": sample(each, 3),
        "kilobytes_more_each": sample(more, 3),
    }


def _order(number: int) -> tuple[str, ...]:
    return PROXIES if number % 2 else PROXIES[::-1]


def _turn(bed: Bed, proxy: str) -> dict[str, int]:
    _run(bed, f"systemctl restart {UNITS[proxy]} && sleep 1")
    empty = _memory(bed, proxy)
    with ExitStack() as stack:
        opened = [stack.enter_context(clients(bed, "sockets", PORTS[proxy], SOCKETS, OPENING))]
        # Waits for each in turn, while the one before keeps what it has.
        opened += [
            stack.enter_context(clients(bed, "idle", PORTS[proxy], EACH, OPENING / PROCESSES)) for _ in range(PROCESSES)
        ]
        kilobytes = _memory(bed, proxy)
    # What was still there at the end was there when the memory was read.
    left = [held[-1] for held in opened]
    found = {"empty": empty, "kilobytes": kilobytes, "sockets": left[0], "idle": sum(left[1:])}
    note(proxy=proxy, **found)
    return found


def _memory(bed: Bed, proxy: str) -> int:
    where = f"/sys/fs/cgroup/system.slice/{UNITS[proxy]}.service/cgroup.procs"
    return parse(_run(bed, f"for p in $(cat {where}); do cat /proc/$p/smaps_rollup; done"))


def _run(bed: Bed, words: str) -> str:
    done = ssh.run(bed.lab, HOST, words)
    if done.returncode != 0:
        raise ValueError(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout
