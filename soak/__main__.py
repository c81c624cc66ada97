"""The long run: 50 deploys, and all else that happens to a server, under load, with every failed request counted.

    make soak                                  # a lab of its own, Debian 12 and 13 one after the other
    .venv/bin/python -m soak debian13          # one of them
    .venv/bin/python -m soak --deploys 15      # a smaller run; requests in proportion

Writes .build/soak-<release>.json; the exit status is 0 when at least 50,000 requests were made, none failed,
and at each switch to another container a slow POST was on its way, and completed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from typing import Any

from lab import lifecycle
from lab.identity import CHECKOUT, Lab
from lab.releases import parse_hosts
from lab.services import AcmeOptions
from soak.run import OTHERS, Server, prepare, under_load

RELEASES = ("debian12", "debian13")
DEPLOYS = 50
REQUESTS = 50_000


def steps(deploys: int) -> list[str]:
    """So many deploys, a third of them ending in a rollback, and after every fifth something else."""
    kinds = itertools.cycle(("new_image", "changed_env", "rollback"))
    others = itertools.cycle(OTHERS)
    found = []
    for number in range(1, deploys + 1):
        found.append(next(kinds))
        if number % 5 == 0:
            found.append(next(others))
    return found


def soak(release: str, deploys: int = DEPLOYS) -> dict[str, Any]:
    """The whole run on a server of its own."""
    lab = Lab(f"soak-{release}")
    lifecycle.up(lab, parse_hosts(release), AcmeOptions())
    try:
        server = Server(lab, release)
        prepare(server)
        return under_load(server, steps(deploys))
    finally:
        lifecycle.down(lab)


def main() -> int:
    """Run, print, write; returns the exit status."""
    parser = argparse.ArgumentParser(prog="soak")
    parser.add_argument("releases", nargs="*", default=RELEASES)
    parser.add_argument("--deploys", type=int, default=DEPLOYS)
    wanted = parser.parse_args()
    least = REQUESTS * wanted.deploys // DEPLOYS
    good = True
    for release in wanted.releases:
        found = soak(release, wanted.deploys)
        path = CHECKOUT / ".build" / f"soak-{release}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        deploys = sum(step not in OTHERS for step, _, _ in found["steps"])
        print(
            f"{release}: {found['failed']} of {found['requests']} requests failed in {deploys} deploys: {found['good']}"
        )
        print("\n".join([*found["seen"], found["broken"]]))
        print(f"{release}: {found['switches']} switches, {found['crossed']} of them during a slow POST")
        good &= not found["failed"] and not found["broken"] and found["requests"] >= least
        good &= found["crossed"] == found["switches"] >= deploys
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
