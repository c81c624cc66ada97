"""The goals that the project has set itself, and what was reached, as ratios within one run on one machine."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]
# What was found in each round: those of a round followed each other, so a slow minute slows both sides of a ratio.
Rounds = Sequence[float]


@dataclass(frozen=True)
class Goal:
    """One line of the table.

    Attributes:
        what: what is compared with what.
        part: the part of the benchmark that measures it.
        limit: the number that is to be kept to.
        most: True where the number may not be more than the limit, False where it may not be less.
        rounds: finds the number of each round in that part's results; their median counts.
    """

    what: str
    part: str
    limit: float
    most: bool
    rounds: Callable[[Results], Rounds]

    def reached(self, value: float) -> bool:
        """Whether the number keeps to the limit."""
        return value <= self.limit if self.most else value >= self.limit


@dataclass(frozen=True)
class Row:
    """One line of the table as it is shown."""

    what: str
    goal: str
    measured: str
    spread: str
    verdict: str
    part: str


def _ratios(first: Results, second: Results) -> Rounds:
    return [one / other for one, other in zip(first["values"], second["values"], strict=True)]


def _unchanged(kind: str, other: str) -> Callable[[Results], Rounds]:
    def ratios(scale: Results) -> Rounds:
        found = scale["no_change"]
        return _ratios(found[kind]["seconds"], found[other]["seconds"])

    return ratios


def _between(first: str, second: str) -> Callable[[Results], Rounds]:
    return lambda part: _ratios(part[first], part[second])


def _wire(figure: str, other: str, worst: Callable[..., Rounds]) -> Callable[[Results], Rounds]:
    """The rounds of the load that goes worst for us."""

    def ratios(wire: Results) -> Rounds:
        loads = [_ratios(one["portside"][figure], one[other][figure]) for one in wire["loads"].values()]
        return worst(loads, key=statistics.median)

    return ratios


def _rate(other: str) -> Callable[[Results], Rounds]:
    return _wire("requests_per_second", other, min)


def _calls(scale: Results) -> Rounds:
    return [float(scale["no_change"]["one"]["remote_calls"])]


def _memory(scale: Results) -> Rounds:
    found = scale["no_change"]
    return [found["many"]["controller_megabytes"] / found["one"]["controller_megabytes"]]


def _errors(wire: Results) -> Rounds:
    return [float(sum(one["portside"]["errors"] for one in wire["loads"].values()))]


def _lost(slow: Results) -> Rounds:
    return [float(sum(one["portside"]["lost"] for one in slow["attacks"].values()))]


def _slowed(slow: Results, proxy: str) -> Rounds:
    """The rounds of the attack that goes worst: the visitors' p99 against what it was just before."""
    attacks = [
        _ratios(one[proxy]["p99_milliseconds"], one[proxy]["quiet_p99_milliseconds"])
        for one in slow["attacks"].values()
    ]
    return max(attacks, key=statistics.median)


def _kept(idle: Results) -> Rounds:
    found = idle["proxies"]
    return _ratios(found["portside"]["kilobytes_each"], found["haproxy"]["kilobytes_each"])


def _overhead(updates: Results) -> Rounds:
    return list(updates["overhead_seconds"]["values"])


def _failed(updates: Results) -> Rounds:
    return [float(updates["rows"]["portside"]["failed"])]


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
    Goal("requests per second: hand-tuned nginx, worst load", "wire", 0.95, LEAST, _rate("tuned")),
    Goal("requests per second: stock `proxy_pass`, worst load", "wire", 1.4, LEAST, _rate("stock")),
    Goal("requests per second: Debian's Caddy, worst load", "wire", 2.5, LEAST, _rate("caddy")),
    Goal("requests per second: HAProxy 3, worst load", "wire", 1.0, LEAST, _rate("haproxy")),
    Goal("99th percentile against HAProxy's, worst load", "wire", 1.0, MOST, _wire("p99_milliseconds", "haproxy", max)),
    Goal("failed requests in all loads", "wire", 0, MOST, _errors),
    Goal("4,000 slow clients: lost requests of others", "slow", 0, MOST, _lost),
    Goal("4,000 slow clients: others' p99, worst attack", "slow", 2, MOST, lambda slow: _slowed(slow, "portside")),
    Goal("memory of an idle connection against HAProxy's", "idle", 1.0, MOST, _kept),
    Goal("deploy: seconds beyond the app's own start", "updates", 5, MOST, _overhead),
    Goal("deploy: requests that failed", "updates", 0, MOST, _failed),
]


def rows(results: Results) -> list[Row]:
    """The table; a part that was not run has no numbers."""
    return [_row(goal, results.get(goal.part)) for goal in GOALS]


def _row(goal: Goal, part: Results | None) -> Row:
    limit = f"{'at most' if goal.most else 'at least'} {goal.limit:g}"
    if part is None:
        return Row(goal.what, limit, "-", "", "not measured", goal.part)
    rounds = goal.rounds(part)
    value = statistics.median(rounds)
    spread = f"{min(rounds):.3g} to {max(rounds):.3g}" if len(rounds) > 1 else ""
    return Row(goal.what, limit, f"{value:.3g}", spread, "reached" if goal.reached(value) else "missed", goal.part)
