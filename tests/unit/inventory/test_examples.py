"""The inventories that people start from are accepted as they stand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.filter import apps as filters

ROOT = Path(__file__).resolve().parents[3]
INVENTORIES = [ROOT / "inventory" / "hosts.yml", *sorted((ROOT / "examples" / "inventories").glob("*.yml"))]


@pytest.mark.parametrize("path", INVENTORIES, ids=lambda path: path.name)
def test_an_example_inventory_can_be_used(path):
    program = Path(sys.executable).parent / "ansible-inventory"
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    done = subprocess.run(
        [program, "-i", path, "--list"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    hosts = json.loads(done.stdout)["_meta"]["hostvars"]
    assert hosts
    for host, variables in hosts.items():
        # Templates stay as they are here: a name that a host sets itself is put in.
        text = json.dumps({key: value for key, value in variables.items() if key.startswith("portside_")})
        for key, value in variables.items():
            text = text.replace(f"{{{{ {key} }}}}", str(value))
        assert filters.inventory_problems(json.loads(text), []) == [], host
