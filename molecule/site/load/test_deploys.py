"""Five deploys, and everything else that happens to a server, under load from outside. `make soak` does fifty.

Not part of the scenario, because it takes as long as all the rest of it. On a lab where the site scenario converged:
PORTSIDE_INVENTORY=.lab/NAME/inventory.yml .venv/bin/pytest molecule/site/load --rootdir .
"""

from __future__ import annotations

import json

import pytest
import yaml

from lab.identity import Lab
from lab.playbook import ROOT
from soak import run

SETTINGS = ROOT / "molecule" / "site" / "inventory"
APPS = yaml.safe_load((SETTINGS / "group_vars" / "vps.yml").read_text(encoding="utf-8"))["portside_apps"]
STEPS = (
    "new_image",
    "docker_restarted",
    "changed_env",
    "renewal",
    "new_image",
    "rollback",
    "nginx_reinstalled",
    "new_image",
    "site_option",
)


@pytest.fixture(scope="module")
def counted(vps_name, lab_vars):
    """What became of the requests."""
    server = run.Server(Lab(lab_vars["lab_name"]), vps_name, SETTINGS, APPS, drain=12)
    run.prepare(server)
    yield run.under_load(server, STEPS, {"slow": 8, "kept": 6, "fresh": 2, "h2": 4})
    server.play("site", apps=[{"name": run.NAME, "state": "absent"}])


def test_no_request_fails_in_five_deploys_and_all_that_happens_to_a_server(counted):
    told = json.dumps(counted, indent=2)
    assert not counted["broken"], told
    assert counted["failed"] == 0, told
    kinds = {"h1 kept GET", "h1 kept POST", "h1 fresh GET", "h1 fresh POST", "h2 GET", "h2 POST", "slow POST"}
    assert kinds <= {*counted["good"]}, told
    assert counted["notes"]["websocket echoes"] > 0, told
