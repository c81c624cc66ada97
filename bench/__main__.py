"""What a run costs: time and remote calls of the first run and of one that changes nothing, with 1 and with 20 apps.

Then what an update costs, beside other ways: see bench/downtime.py; `python -m bench updates` does that alone.
Absolute times belong to this machine and this minute; compare ratios. Writes .build/bench.json.
"""

import json
import os
import platform
import statistics
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench import downtime
from lab import app, lifecycle
from lab.identity import Lab
from lab.playbook import ROOT, Run, run
from lab.releases import parse_hosts
from lab.services import REGISTRY, AcmeOptions

HOST = "debian13"
SIZES = (1, 20)
REPETITIONS = 3
RESULT = ROOT / ".build" / "bench.json"


def declared(count: int) -> list[dict[str, Any]]:
    """So many apps, alike but for name and domain."""
    return [
        {
            "name": f"app{number}",
            "image": f"{REGISTRY}/webhook-app:1.0",
            "port": 8000,
            "domains": [f"app{number}.{HOST}.test"],
            "health": {"path": "/health"},
            "secrets": {"STRIPE_WEBHOOK_SECRET": "whsec_for_the_lab_only"},
            "webhooks": [{"path": "/webhooks/stripe"}],
        }
        for number in range(1, count + 1)
    ]


def settings(count: int) -> dict[str, Any]:
    """The inventory's variables for so many apps."""
    return {
        "portside_apps": declared(count),
        "portside_acme_directory": "{{ lab_acme_directory }}",
        "portside_acme_ca_file": "{{ lab_acme_ca_file }}",
        "docker_daemon_options": {"insecure-registries": [REGISTRY]},
    }


def site(inventory: Path, variables: Path) -> Run:
    """One run of the site playbook; ends the benchmark when it fails."""
    done = run("site.yml", [inventory], "-e", f"@{variables}")
    if done.status != 0:
        sys.exit(f"site.yml failed:\n{done.output}")
    return done


def measured(count: int) -> dict[str, Any]:
    """A first run on a bare server and runs that change nothing, with so many apps."""
    lab = Lab(f"bench{count}")
    lifecycle.up(lab, parse_hosts(HOST), AcmeOptions())
    try:
        app.publish(lab)
        inventory = lab.state / lifecycle.INVENTORY
        variables = lab.state / "bench.yml"
        variables.write_text(yaml.safe_dump(settings(count)), encoding="utf-8")
        first = site(inventory, variables)
        again = [site(inventory, variables) for _ in range(REPETITIONS)]
    finally:
        lifecycle.down(lab)
    seconds = [done.seconds for done in again]
    return {
        "apps": count,
        "first_run": {"seconds": round(first.seconds, 1), "remote_calls": first.calls_on(HOST)},
        "no_change": {
            "seconds": round(statistics.median(seconds), 1),
            "spread": [round(min(seconds), 1), round(max(seconds), 1)],
            "remote_calls": again[-1].calls_on(HOST),
            "changed": again[-1].changed[HOST],
        },
    }


def main() -> None:
    """Measure, print, and write the result."""
    rows = [] if sys.argv[1:] == ["updates"] else [measured(count) for count in SIZES]
    with TemporaryDirectory() as folder:
        updates = downtime.measured(HOST, Path(folder))
    result = {
        "machine": {"cpus": os.cpu_count(), "python": platform.python_version(), "kernel": platform.release()},
        "ansible_core": version("ansible-core"),
        "host": HOST,
        "repetitions": REPETITIONS,
        "results": rows,
        "updates": updates,
    }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print("\n".join(downtime.lines(updates)))
    if not rows:
        return
    print("apps  first run        changes nothing (median of", REPETITIONS, "runs)")
    for row in rows:
        first, again = row["first_run"], row["no_change"]
        print(
            f"{row['apps']:>4}  {first['seconds']:>6} s, {first['remote_calls']:>2} calls"
            f"  {again['seconds']:>6} s, {again['remote_calls']:>2} calls, changed={again['changed']}"
        )
    ratio = rows[-1]["no_change"]["seconds"] / rows[0]["no_change"]["seconds"]
    print(f"changes nothing, {SIZES[-1]} apps against {SIZES[0]}: {ratio:.2f} times the time")
    print(f"written to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
