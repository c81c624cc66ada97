"""The goals that the project has set itself, and what was reached, as ratios within one run on one machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """One line of the table.

    Attributes:
        what: what is compared with what.
        part: the part of the benchmark that measures it.
        limit: the number that is to be kept to.
        most: True where the number may not be more than the limit, False where it may not be less.
        value: finds the number in that part's results.
    """

    what: str
    part: str
    limit: float
    most: bool
    value: Callable[[Results], float]

    def reached(self, value: float) -> bool:
        """Whether the number keeps to the limit."""
        return value <= self.limit if self.most else value >= self.limit


def _unchanged(kind: str, other: str) -> Callable[[Results], float]:
    def ratio(scale: Results) -> float:
        found = scale["no_change"]
        return float(found[kind]["seconds"]["median"] / found[other]["seconds"]["median"])

    return ratio


def _between(first: str, second: str) -> Callable[[Results], float]:
    def ratio(part: Results) -> float:
        found = [part[name]["median"] if isinstance(part[name], Mapping) else part[name] for name in (first, second)]
        return float(found[0] / found[1])

    return ratio


def _wire(other: str) -> Callable[[Results], float]:
    """The worst of all loads."""

    def ratio(wire: Results) -> float:
        return min(
            float(one["portside"]["requests_per_second"]["median"] / one[other]["requests_per_second"]["median"])
            for one in wire["loads"].values()
        )

    return ratio


def _latency(wire: Results) -> float:
    return max(
        float(one["portside"]["p99_milliseconds"]["median"] / one["haproxy"]["p99_milliseconds"]["median"])
        for one in wire["loads"].values()
    )


def _calls(scale: Results) -> float:
    return float(scale["no_change"]["one"]["remote_calls"])


def _memory(scale: Results) -> float:
    found = scale["no_change"]
    return float(found["many"]["controller_megabytes"] / found["one"]["controller_megabytes"])


def _errors(wire: Results) -> float:
    return float(sum(one["portside"]["errors"] for one in wire["loads"].values()))


def _overhead(updates: Results) -> float:
    return float(updates["overhead_seconds"]["median"])


def _failed(updates: Results) -> float:
    return float(updates["rows"]["portside"]["failed"])


MOST, LEAST = True, False
_TWENTIETH = _between("twentieth_app_seconds", "second_app_seconds")
_AMONG_MANY = _between("deploy_among_many_seconds", "deploy_alone_seconds")
GOALS = [
    Goal("changes nothing, 1 app: remote calls", "scale", 12, MOST, _calls),
    Goal("changes nothing, 1 app: time against stock modules", "scale", 0.25, MOST, _unchanged("one", "plain")),
    Goal("changes nothing, 1 app: time against 21 pings", "scale", 0.8, MOST, _unchanged("one", "pings")),
    Goal("the same with Mitogen, the pings without", "scale", 0.4, MOST, _unchanged("mitogen", "pings")),
    Goal("changes nothing: 50 apps against 1", "scale", 1.5, MOST, _unchanged("many", "one")),
    Goal("controller memory: 50 apps against 1", "scale", 1.1, MOST, _memory),
    Goal("the 20th app against the 2nd", "scale", 1.3, MOST, _TWENTIETH),
    Goal("deploy of one app: among 50 against alone", "scale", 1.2, MOST, _AMONG_MANY),
    Goal("first run against apt-get and docker run", "first", 1.4, MOST, _between("portside_seconds", "least_seconds")),
    Goal("changes nothing: 8 hosts against 1", "hosts", 3, MOST, _between("eight_seconds", "one_seconds")),
    Goal("requests per second: hand-tuned nginx, worst load", "wire", 0.95, LEAST, _wire("tuned")),
    Goal("requests per second: stock `proxy_pass`, worst load", "wire", 1.4, LEAST, _wire("stock")),
    Goal("requests per second: Debian's Caddy, worst load", "wire", 2.5, LEAST, _wire("caddy")),
    Goal("requests per second: HAProxy 3, worst load", "wire", 1.0, LEAST, _wire("haproxy")),
    Goal("99th percentile against HAProxy's, worst load", "wire", 1.0, MOST, _latency),
    Goal("failed requests in all loads", "wire", 0, MOST, _errors),
    Goal("deploy: seconds beyond the app's own start", "updates", 5, MOST, _overhead),
    Goal("deploy: requests that failed", "updates", 0, MOST, _failed),
]


def rows(results: Results) -> list[tuple[str, str, str, str]]:
    """What, goal, measured, and whether it was reached; a part that was not run has no number."""
    found = []
    for goal in GOALS:
        limit = f"{'at most' if goal.most else 'at least'} {goal.limit:g}"
        if goal.part not in results:
            found.append((goal.what, limit, "-", "not measured"))
            continue
        value = goal.value(results[goal.part])
        found.append((goal.what, limit, f"{value:.3g}", "reached" if goal.reached(value) else "missed"))
    return found
