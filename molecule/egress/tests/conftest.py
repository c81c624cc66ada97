"""Playbooks as a user runs them, with another way out for the shop."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.playbook import ROOT, Run, run

SETTINGS = ROOT / "molecule" / "egress" / "inventory"
WATCHER = ROOT / "molecule" / "docker_app" / "tests" / "watcher.py"


@pytest.fixture(scope="session")
def inventories(lab_vars) -> list[Path]:
    return [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SETTINGS]


@pytest.fixture(scope="session")
def play(inventories, vps_name) -> Callable[..., Run]:
    """`play("site", "--check", shop_egress="direct")`."""

    def go(playbook: str, *arguments: str, **variables: Any) -> Run:
        return run(f"playbooks/{playbook}.yml", inventories, "--limit", vps_name, *arguments, variables=variables)

    return go


@pytest.fixture(scope="session")
def running(vps) -> Callable[[], dict[str, str]]:
    """Each app's container: its id and when it was started."""

    def ask() -> dict[str, str]:
        shown = '{{index .Config.Labels "portside.app"}} {{.Id}} {{.State.StartedAt}}'
        lines = vps.check_output("docker inspect --format %s $(docker ps --quiet --filter label=portside.app)", shown)
        return dict(line.split(maxsplit=1) for line in lines.splitlines())

    return ask


@pytest.fixture(scope="session")
def watched(lab_vars, vps_name) -> Callable[[list[str]], Any]:
    """`with watched(values) as seen:` has a user without rights look for the values meanwhile; see watcher.py."""

    @contextmanager
    def watch(values: list[str]) -> Iterator[dict[str, Any]]:
        user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        script = f"{user} python3 -c {shlex.quote(WATCHER.read_text(encoding='utf-8'))}"
        argv = ["ssh", "-F", lab_vars["lab_ssh_config"], vps_name, script]
        seen: dict[str, Any] = {}
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin
            process.stdin.write(json.dumps(values) + "\n")
            process.stdin.flush()
            try:
                yield seen
            finally:
                # Standard input is closed: that ends it.
                said, _ = process.communicate(timeout=60)
        seen |= json.loads(said)

    return watch
