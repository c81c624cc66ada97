"""Playbooks as a user runs them, with another way out for the shop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.playbook import ROOT, Run, run

SETTINGS = ROOT / "molecule" / "egress" / "inventory"


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
