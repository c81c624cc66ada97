"""The first run on a bare server, beside the least that anybody could do there: apt-get and docker run."""

from __future__ import annotations

from typing import Any

import yaml

from bench.results import sample
from bench.runs import Bed, declared, settings
from lab.playbook import ROOT

ROUNDS = 2
LEAST = "bench/least.yml"


def measure() -> dict[str, Any]:
    """On fresh servers, taking turns."""
    packages = _packages()
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    for turn in range(ROUNDS):
        with Bed("first", list(times)) as bed:
            plays = {
                "ours": lambda bed=bed: bed.play("site.yml", "ours", settings(declared(1, "ours"))),
                "bare": lambda bed=bed: bed.play(LEAST, "bare", {"packages": packages}),
            }
            for host in sorted(times, reverse=bool(turn % 2)):
                times[host].append(plays[host]().run.seconds)
    return {"portside_seconds": sample(times["ours"]), "least_seconds": sample(times["bare"])}


def _packages() -> list[str]:
    """What the roles install on Debian 13, as they say it themselves."""
    found: set[str] = set()
    for path in ROOT.glob("roles/*/vars/Debian_13.yml"):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.update(said[f"__{path.parents[1].name}_packages"])
    return sorted(found)
