"""What was measured, kept as JSON with the machine and the versions that it was measured on."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab import ssh
from lab.identity import Lab
from lab.playbook import ROOT

PATH = ROOT / ".build" / "bench.json"
# Above this, something else has the processors.
QUIET = 0.7


def sample(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """Repetitions, median and spread of what was measured several times, and each value in the order of the rounds."""
    return {
        "repetitions": len(values),
        "median": round(statistics.median(values), digits),
        "spread": [round(min(values), digits), round(max(values), digits)],
        "values": [round(value, digits) for value in values],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "cpus": os.cpu_count(),
        "processor": _line("/proc/cpuinfo", "model name"),
        "memory": _line("/proc/meminfo", "MemTotal"),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "hosts": "Debian 13 in containers that boot systemd, reached by ssh",
        "commit": _commit(),
    }


def versions(lab: Lab, host: str, *packages: str) -> dict[str, str]:
    """The versions of Debian packages on a host."""
    done = ssh.run(lab, host, "dpkg-query", "--show", *packages)
    return dict(line.split("\t", 1) for line in done.stdout.splitlines())


def _line(path: str, name: str) -> str:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def load_average() -> float:
    """The machine's load of the last minute; says so when it is not quiet."""
    found = os.getloadavg()[0]
    if found > QUIET:
        print(f"bench: the machine is busy (load {found:.1f}); figures will say more about that", file=sys.stderr)
    return round(found, 2)


def load() -> dict[str, Any]:
    """What the parts have written so far."""
    return dict(json.loads(PATH.read_text(encoding="utf-8"))) if PATH.exists() else {}


def save(part: str, before: float, measured: dict[str, Any]) -> None:
    """Put the result of one part beside those of the others.

    Args:
        part: its name.
        before: the machine's load when it began.
        measured: its figures.
    """
    whole = load()
    date = datetime.now(UTC).strftime("%Y-%m-%d")
    whole[part] = {"date": date, "machine": machine(), "load_before": before, **measured}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
