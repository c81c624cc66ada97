"""What visitors notice while one address holds thousands of slow connections, beside other proxies.

The slow clients are our own: what users have is TLS, and slowhttptest(1) opened no TLS connection to any of these
proxies. The visitors come from another address and open a new connection for each request: those are the first to be
turned away.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.results import sample, versions
from bench.runs import Bed, note
from bench.wire import HOST, PLAYBOOK, PORTS, Load, through
from lab import ssh

PROXIES = ("portside", "tuned", "haproxy", "caddy")
ATTACKS = ("headers", "bodies", "readers")
CONNECTIONS, OPENING, SECONDS, ROUNDS = 4000, 20, 4, 2
VISITORS = "--connections 16 --header 'Connection: close'"
# Twice as many as the slow ones, and what a proxy needs towards the app.
ROOM = {"connections": 8192, "haproxy_connections": 8192, "files": 20000}


def measure() -> dict[str, Any]:
    """In each round, every attack on every proxy once, right after the same visitors without it."""
    with Bed("slow", [HOST]) as bed:
        bed.play(PLAYBOOK, HOST, ROOM)
        for proxy in PROXIES:
            _visit(bed, proxy, seconds=2)
        rounds = [{attack: _turn(bed, attack, number) for attack in ATTACKS} for number in range(ROUNDS)]
        found = versions(bed.lab, HOST, "nginx", "caddy", "haproxy", "wrk", "libssl3t64")
    return {"connections": CONNECTIONS, "seconds": SECONDS, "versions": found, "attacks": attacks(rounds)}


Turn = dict[str, dict[str, Any]]


def attacks(rounds: list[dict[str, Turn]]) -> dict[str, Any]:
    """What was found for each attack and proxy, over the rounds."""
    return {
        attack: {proxy: _figures([one[attack][proxy] for one in rounds]) for proxy in rounds[0][attack]}
        for attack in rounds[0]
    }


def _figures(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "quiet_p99_milliseconds": sample([one["quiet"].p99 for one in rounds]),
        "p99_milliseconds": sample([one["attacked"].p99 for one in rounds]),
        "quiet_requests_per_second": sample([one["quiet"].rate for one in rounds], 0),
        "requests_per_second": sample([one["attacked"].rate for one in rounds], 0),
        "lost": sum(one["attacked"].errors for one in rounds),
        "held": sample([one["held"][0] for one in rounds], 0),
        "held_afterwards": sample([one["held"][1] for one in rounds], 0),
    }


def _turn(bed: Bed, attack: str, number: int) -> Turn:
    order = [*PROXIES[number % len(PROXIES) :], *PROXIES[: number % len(PROXIES)]]
    return {proxy: _attacked(bed, attack, proxy) for proxy in order}


def _attacked(bed: Bed, attack: str, proxy: str) -> dict[str, Any]:
    quiet = _visit(bed, proxy)
    with clients(bed, attack, PORTS[proxy], CONNECTIONS, OPENING) as held:
        attacked = _visit(bed, proxy)
    note(attack=attack, proxy=proxy, quiet=quiet.p99, attacked=attacked.p99, lost=attacked.errors, held=held)
    return {"quiet": quiet, "attacked": attacked, "held": held}


def _visit(bed: Bed, proxy: str, seconds: int = SECONDS) -> Load:
    return through(bed, f"https://wire.test:{PORTS[proxy]}/small", VISITORS, seconds)


@contextmanager
def clients(bed: Bed, kind: str, port: int, count: int, seconds: float) -> Iterator[list[int]]:
    """Connections of one kind from one address, for as long as the block lasts.

    Gives how many the proxy held at its beginning; at its end, how many it still held is put beside that.
    """
    words = f"python3 /etc/wire/clients.py {kind} {port} {count} {seconds}"
    argv = ssh.command(bed.lab, HOST, words)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise ValueError("no pipe")
        try:
            held = [_count(process.stdout.readline())]
            yield held
            process.stdin.write("end\n")
            process.stdin.flush()
            held.append(_count(process.stdout.readline()))
        finally:
            process.stdin.close()


def _count(line: str) -> int:
    if not line.strip().isdigit():
        raise ValueError(f"the slow clients ended: {line!r}")
    return int(line)
