"""One host and eight at once."""

from __future__ import annotations

from typing import Any

from bench.results import sample
from bench.runs import Bed, declared, settings

HOSTS = [f"h{number}" for number in range(1, 9)]
ROUNDS = 3


def measure() -> dict[str, Any]:
    """A run that changes nothing, on the first host and on all of them, taking turns."""
    # Each host has its own domain, and all of them the same declaration.
    apps = declared(1, "h1", domains=["app1.{{ lab_domain }}"])
    with Bed("hosts", HOSTS) as bed:
        bed.play("site.yml", "all", settings(apps))
        rounds = [
            (
                bed.play("site.yml", HOSTS[0], settings(apps)).run.seconds,
                bed.play("site.yml", "all", settings(apps)).run.seconds,
            )
            for _ in range(ROUNDS)
        ]
    one, eight = zip(*rounds, strict=True)
    return {"one_seconds": sample(one), "eight_seconds": sample(eight)}
