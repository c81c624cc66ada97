"""One host and eight at once."""

from __future__ import annotations

from typing import Any

from bench.results import sample
from bench.runs import Bed, declared, in_turns, settings

HOSTS = [f"h{number}" for number in range(1, 9)]
ROUNDS = 5


def measure() -> dict[str, Any]:
    """A run that changes nothing, on the first host and on all of them, taking turns."""
    # Each host has its own domain, and all of them the same declaration.
    wanted = settings(declared(1, "h1", domains=["app1.{{ lab_domain }}"]))
    with Bed("hosts", HOSTS) as bed:
        bed.play("site.yml", "all", wanted, changes=True)
        kinds = {
            "one": lambda: bed.play("site.yml", HOSTS[0], wanted, changes=False).run.seconds,
            "eight": lambda: bed.play("site.yml", "all", wanted, changes=False).run.seconds,
        }
        rounds = in_turns(kinds, ROUNDS)
    return {f"{kind}_seconds": sample([one[kind] for one in rounds]) for kind in kinds}
