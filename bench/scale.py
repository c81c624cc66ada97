"""What a run costs with one app and with many, beside stock modules and beside bare module calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.mitogen import strategy
from bench.results import sample, versions
from bench.runs import Bed, Timed, declared, in_turns, settings

MANY = 50
ROUNDS = 5
# Each has a first run of an app and its certificate, twice, and takes both away again.
ADDING_ROUNDS = 3
PLAIN = "bench/plain/site.yml"
PINGS = "bench/pings.yml"


def measure() -> dict[str, Any]:
    """Every figure in one lab, with the rounds of what is compared following each other."""
    with Bed("scale", ["one", "many", "plain"]) as bed:
        bed.play("site.yml", "one", settings(declared(1, "one")), changes=True)
        bed.play(PLAIN, "plain", {"apps": declared(1, "plain")}, changes=True)
        # What can fail does so before the long part begins.
        bed.play("site.yml", "one", settings(declared(1, "one")), changes=False, environment=strategy())
        bed.play(PLAIN, "plain", {"apps": declared(1, "plain")}, changes=False)
        bed.play("site.yml", "many", settings(declared(19, "many")), changes=True)
        added = _adding(bed)
        bed.play("site.yml", "many", settings(declared(MANY, "many")), changes=True)
        bed.play("site.yml", "one", settings(declared(1, "one")))
        found = {**added, **_unchanged(bed), **_deploying(bed)}
        found["versions"] = versions(bed.lab, "one", "nginx", "certbot", "docker.io", "ufw", "python3")
    return found


def _unchanged(bed: Bed) -> dict[str, Any]:
    one, many = settings(declared(1, "one")), settings(declared(MANY, "many"))
    kinds: dict[str, Callable[[], Timed]] = {
        "pings": lambda: bed.play(PINGS, "one", changes=False, summary=False),
        "one": lambda: bed.play("site.yml", "one", one, changes=False),
        "mitogen": lambda: bed.play("site.yml", "one", one, changes=False, environment=strategy()),
        "many": lambda: bed.play("site.yml", "many", many, changes=False),
        "plain": lambda: bed.play(PLAIN, "plain", {"apps": declared(1, "plain")}, changes=False, summary=False),
    }
    rounds = in_turns(kinds, ROUNDS)
    return {
        "no_change": {
            kind: {
                "seconds": sample([one[kind].run.seconds for one in rounds]),
                "controller_processor_seconds": sample([one[kind].processor for one in rounds]),
                "remote_calls": max(_calls(one[kind]) for one in rounds),
                "controller_megabytes": round(max(one[kind].kilobytes for one in rounds) / 1024),
            }
            for kind in kinds
        }
    }


def _calls(timed: Timed) -> int:
    return sum(sum(tasks.values()) for tasks in timed.run.calls.values())


def _adding(bed: Bed) -> dict[str, Any]:
    """One app more, to one and to nineteen: each time another, which then goes away again."""
    times: dict[str, list[float]] = {"one": [], "many": []}
    for turn in range(ADDING_ROUNDS):
        for host, count in sorted({"one": 1, "many": 19}.items(), reverse=bool(turn % 2)):
            apps = declared(count, host)
            new = {**apps[0], "name": f"new{turn}", "domains": [f"new{turn}.{host}.test"]}
            times[host].append(bed.play("site.yml", host, settings([*apps, new]), changes=True).run.seconds)
            gone = {"name": new["name"], "state": "absent"}
            bed.play("site.yml", host, settings([*apps, gone]), changes=True)
    return {"second_app_seconds": sample(times["one"]), "twentieth_app_seconds": sample(times["many"])}


def _deploying(bed: Bed) -> dict[str, Any]:
    """A new release of one app, which is the only one, and of one among many."""

    def deploy(host: str, count: int) -> Callable[[], float]:
        turns = iter(range(2 * ROUNDS + 2))

        def play() -> float:
            apps = declared(count, host)
            apps[0]["env"] = {"TURN": str(next(turns))}
            wanted = settings(apps)
            return bed.play("playbooks/deploy.yml", host, wanted, "-e", "app=app1", changes=True).run.seconds

        return play

    rounds = in_turns({"alone": deploy("one", 1), "among_many": deploy("many", MANY)}, ROUNDS)
    return {f"deploy_{kind}_seconds": sample([one[kind] for one in rounds]) for kind in ("alone", "among_many")}
