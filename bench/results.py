"""Results as JSON: what was measured, on what, and how often."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from lab.playbook import ROOT

PATH = ROOT / ".build" / "bench.json"
# What docs/performance.md is made from.
PUBLISHED = ROOT / "docs" / "performance.json"


def sample(values: Sequence[float], digits: int = 2) -> dict[str, Any]:
    """Repetitions, median and spread of what was measured several times."""
    return {
        "repetitions": len(values),
        "median": round(statistics.median(values), digits),
        "spread": [round(min(values), digits), round(max(values), digits)],
    }


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "ansible_core": version("ansible-core"),
        "hosts": "Debian 13 in containers that boot systemd, reached by ssh",
    }


def load() -> dict[str, Any]:
    """What the parts have written so far."""
    return dict(json.loads(PATH.read_text(encoding="utf-8"))) if PATH.exists() else {}


def save(part: str, measured: dict[str, Any]) -> None:
    """Put the result of one part beside those of the others."""
    whole = load()
    whole[part] = {"date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine(), **measured}
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
