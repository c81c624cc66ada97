"""Where the time of a run that changes nothing goes, task by task, beside 21 pings."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench.results import sample
from bench.runs import Bed, Timed, declared, in_turns, settings
from bench.scale import PINGS

ROUNDS = 5
Tasks = list[dict[str, Any]]


def measure() -> dict[str, Any]:
    """Rounds of both, with the median of each task."""
    wanted = settings(declared(1, "one"))
    with Bed("profile", ["one"]) as bed:
        target = bed.lab.state / "tasks.json"
        environment = {"TASK_SECONDS_FILE": str(target)}

        def timed(playbook: str, variables: Mapping[str, Any]) -> tuple[Timed, Tasks]:
            summary = playbook != PINGS
            done = bed.play(playbook, "one", variables, changes=False, environment=environment, summary=summary)
            return done, json.loads(target.read_text(encoding="utf-8"))

        bed.play("site.yml", "one", wanted, changes=True)
        kinds = {"site": lambda: timed("site.yml", wanted), "pings": lambda: timed(PINGS, {})}
        rounds = in_turns(kinds, ROUNDS)
    return {kind: _profile([one[kind] for one in rounds]) for kind in kinds}


def _profile(rounds: Sequence[tuple[Timed, Tasks]]) -> dict[str, Any]:
    called = {task for calls in rounds[-1][0].run.calls.values() for task in calls}
    tasks = [
        {
            "task": same[0]["task"],
            "action": same[0]["action"],
            # A role may have two tasks of one name, of which one is skipped.
            "remote": same[0]["task"] in called and not same[0]["skipped"],
            "seconds": round(statistics.median(one["seconds"] for one in same), 3),
        }
        for same in zip(*(tasks for _, tasks in rounds), strict=True)
    ]
    return {
        "seconds": sample([timed.run.seconds for timed, _ in rounds]),
        "controller_processor_seconds": sample([timed.processor for timed, _ in rounds]),
        "tasks": tasks,
    }


def summary(kind: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    """What the time went to, how often, and the seconds of all of that kind.

    Args:
        kind: what `measure` gave for a playbook.
    """
    remote = [task["seconds"] for task in kind["tasks"] if task["remote"]]
    local = [task["seconds"] for task in kind["tasks"] if not task["remote"]]
    rest = kind["seconds"]["median"] - sum(remote) - sum(local)
    return [
        ("modules on the server", len(remote), sum(remote)),
        ("tasks on the controller", len(local), sum(local)),
        ("Ansible's start and end", 1, rest),
    ]
