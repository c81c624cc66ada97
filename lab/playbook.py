"""Runs the project's playbooks from the controller, as a user does, and says what came of it."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
COUNTING = ("remote_calls", "task_seconds")
CALLBACKS = (*COUNTING, "portside.vps.summary")
RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=\d+\s+failed=\d+", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """What a run left.

    `changed` counts, for each host, the tasks that changed something; `calls` the modules executed on it, by task;
    `seconds` is the wall time.
    """

    status: int
    output: str
    seconds: float
    changed: dict[str, int]
    calls: dict[str, dict[str, int]]

    def calls_on(self, host: str) -> int:
        """How many modules were executed on the host."""
        return sum(self.calls.get(host, {}).values())


def run(
    playbook: str,
    inventories: Sequence[Path],
    *arguments: str,
    variables: dict[str, Any] | None = None,
    limit: float = 900,
    callbacks: Sequence[str] = CALLBACKS,
) -> Run:
    """Run a playbook of this checkout.

    Args:
        playbook: its path in the checkout, or a name such as `portside.vps.site`.
        inventories: inventory files or directories, in order.
        arguments: further arguments of ansible-playbook.
        variables: extra variables, which win over the inventories'.
        limit: seconds until the run is given up (subprocess.TimeoutExpired).
        callbacks: those that are enabled; without COUNTING nothing is known of the calls.
    """
    with TemporaryDirectory() as folder:
        counted = Path(folder) / "calls.json"
        extra = Path(folder) / "extra.yml"
        extra.write_text(yaml.safe_dump(variables or {}), encoding="utf-8")
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "bench" / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": ",".join(callbacks),
            # Molecule forces colours, which would stand between the words that are looked for.
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "REMOTE_CALLS_FILE": str(counted),
        }
        sources = [part for inventory in inventories for part in ("-i", str(inventory))]
        argv = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            *sources,
            playbook,
            *arguments,
            "-e",
            f"@{extra}",
        ]
        started = time.monotonic()
        done = subprocess.run(
            argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=limit, check=False
        )
        seconds = time.monotonic() - started
        calls = json.loads(counted.read_text(encoding="utf-8")) if counted.exists() else {}
    output = done.stdout + done.stderr
    changed = {host: int(count) for host, count in RECAP.findall(output)}
    return Run(done.returncode, output, seconds, changed, calls)
