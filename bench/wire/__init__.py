"""Requests per second through our nginx, beside other proxies on the same machine."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

from bench.results import sample, versions
from bench.runs import Bed, note
from lab import ssh

PLAYBOOK = "bench/wire/site.yml"
HOST = "wire"
PORTS = {"portside": 443, "stock": 8441, "tuned": 8442, "caddy": 8443, "haproxy": 8444}
# Name: path and further arguments of wrk(1).
LOADS = {
    f"{kind}, {body}, {connections}": (path, f"--connections {connections}{header}")
    for connections in (64, 512)
    for kind, header in (("kept", ""), ("new", " --header 'Connection: close'"))
    for body, path in (("200 B", "small"), ("100 kB", "large"))
}
WARM_UP = ("kept, 200 B, 64", "kept, 100 kB, 64")
ROUNDS = 3
SECONDS = 5
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """What wrk said: requests per second, 99th percentile in milliseconds, and what went wrong."""

    rate: float
    p99: float
    errors: int


def parse(text: str) -> Load:
    """Read the report of `wrk --latency`."""
    rate = re.search(r"^Requests/sec:\s+([\d.]+)", text, re.MULTILINE)
    p99 = re.search(r"^\s+99%\s+([\d.]+)(us|ms|s)", text, re.MULTILINE)
    if rate is None or p99 is None or not float(rate[1]):
        raise ValueError(f"not a report of wrk:\n{text}")
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = sum(int(count) for found in (sockets, refused) if found for count in found.groups())
    return Load(float(rate[1]), float(p99[1]) * _UNITS[p99[2]], errors)


def measure() -> dict[str, Any]:
    """Interleaved rounds: in each, every load goes through every proxy once."""
    with Bed("wire", [HOST]) as bed:
        bed.play(PLAYBOOK, HOST)
        for proxy in PORTS:  # what a proxy does only once is not to be in a figure
            for load in WARM_UP:
                tried = _load(bed, proxy, load, seconds=2)
                if tried.errors:
                    raise ValueError(f"{proxy} does not work: {load}: {tried}")
        rounds = [{load: _turn(bed, load, number) for load in LOADS} for number in range(ROUNDS)]
        found = versions(bed.lab, HOST, "nginx", "caddy", "haproxy", "wrk", "libssl3t64")
    return {
        "seconds": SECONDS,
        "versions": found,
        "loads": {
            load: {
                proxy: {
                    "requests_per_second": sample([one[load][proxy].rate for one in rounds], 0),
                    "p99_milliseconds": sample([one[load][proxy].p99 for one in rounds]),
                    "errors": sum(one[load][proxy].errors for one in rounds),
                }
                for proxy in PORTS
            }
            for load in LOADS
        },
    }


def _turn(bed: Bed, load: str, number: int) -> dict[str, Load]:
    """One load through all proxies, each round beginning with another and every second one backwards: what one leaves
    behind (closed connections that the kernel remembers) is not always there for the same next one."""
    names = list(PORTS)
    start = number % len(names)
    order = [*names[start:], *names[:start]]
    if number % 2:
        order.reverse()
    return {proxy: _load(bed, proxy, load) for proxy in order}


def _load(bed: Bed, proxy: str, load: str, seconds: int = SECONDS) -> Load:
    path, arguments = LOADS[load]
    found = through(bed, f"https://wire.test:{PORTS[proxy]}/{path}", arguments, seconds)
    note(proxy=proxy, load=load, **asdict(found))
    return found


def through(bed: Bed, url: str, arguments: str, seconds: int) -> Load:
    """What wrk finds at a URL, from the server itself."""
    done = ssh.run(bed.lab, HOST, f"wrk --threads 2 --duration {seconds}s --latency {arguments} {url}")
    if done.returncode != 0:
        raise ValueError(f"wrk ended with {done.returncode}: {done.stdout}{done.stderr}")
    return parse(done.stdout + done.stderr)
