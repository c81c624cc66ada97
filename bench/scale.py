"""What a run costs with one app and with many, beside stock modules and beside bare module calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.mitogen import strategy
from bench.results import sample
from bench.runs import Bed, Timed, declared, settings

MANY = 50
ROUNDS = 5
PLAIN = "bench/plain/site.yml"
PINGS = "bench/pings.yml"


def measure() -> dict[str, Any]:
    """Every figure in one lab, with the rounds of what is compared following each other."""
    with Bed("scale", ["one", "many", "plain"]) as bed:
        bed.play("site.yml", "one", settings(declared(1, "one")))
        bed.play(PLAIN, "plain", {"apps": declared(1, "plain")})
        added = _adding(bed)
        unchanged = _unchanged(bed)
        deploys = _deploying(bed)
    return {**added, **unchanged, **deploys}


def _unchanged(bed: Bed) -> dict[str, Any]:
    kinds: dict[str, Callable[[], Timed]] = {
        "pings": lambda: bed.play(PINGS, "one"),
        "one": lambda: bed.play("site.yml", "one", settings(declared(1, "one"))),
        "mitogen": lambda: bed.play("site.yml", "one", settings(declared(1, "one")), environment=strategy()),
        "many": lambda: bed.play("site.yml", "many", settings(declared(MANY, "many"))),
        "plain": lambda: bed.play(PLAIN, "plain", {"apps": declared(1, "plain")}),
    }
    rounds = [{kind: play() for kind, play in kinds.items()} for _ in range(ROUNDS)]
    last = rounds[-1]
    return {
        "no_change": {
            kind: {
                "seconds": sample([one[kind].run.seconds for one in rounds]),
                "remote_calls": _calls(last[kind]),
                "changed": sum(last[kind].run.changed.values()),
                "controller_megabytes": round(last[kind].kilobytes / 1024),
            }
            for kind in kinds
        }
    }


def _calls(timed: Timed) -> int:
    return sum(sum(tasks.values()) for tasks in timed.run.calls.values())


def _adding(bed: Bed) -> dict[str, Any]:
    """One app more, to one and to nineteen; then as many as there are to be."""
    bed.play("site.yml", "many", settings(declared(1, "many")))
    second = bed.play("site.yml", "many", settings(declared(2, "many")))
    bed.play("site.yml", "many", settings(declared(19, "many")))
    twentieth = bed.play("site.yml", "many", settings(declared(20, "many")))
    bed.play("site.yml", "many", settings(declared(MANY, "many")))
    return {
        "second_app_seconds": round(second.run.seconds, 2),
        "twentieth_app_seconds": round(twentieth.run.seconds, 2),
    }


def _deploying(bed: Bed) -> dict[str, Any]:
    """A new release of one app, which is the only one, and of one among many."""
    alone: list[float] = []
    among: list[float] = []
    for turn in range(ROUNDS):
        for host, count, times in (("one", 1, alone), ("many", MANY, among)):
            apps = declared(count, host)
            apps[0]["env"] = {"TURN": str(turn)}
            times.append(bed.play("playbooks/deploy.yml", host, settings(apps), "-e", "app=app1").run.seconds)
    return {"deploy_alone_seconds": sample(alone), "deploy_among_many_seconds": sample(among)}
