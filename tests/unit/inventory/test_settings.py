"""The collection's own settings: what a playbook reads may stand in the inventory, and is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.filter import apps as filters
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import SETTINGS

from tests.unit.inventory.playbook_runs import run

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").rglob("*.yml"))


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_playbook_reads_may_stand_in_the_inventory(path):
    read = set(re.findall(r"(?<![\w.])portside_[a-z0-9_]*[a-z0-9](?!\w)", path.read_text(encoding="utf-8")))
    assert read <= set(SETTINGS)


def test_where_the_firewall_is_tried_from_is_a_setting():
    settings = {"portside_verify_from": "office", "portside_verify_addresses": ["203.0.113.10", "2001:db8::10"]}
    assert filters.inventory_problems(settings, []) == []


def test_an_address_to_try_is_an_address():
    (problem,) = filters.inventory_problems({"portside_verify_addresses": ["web1"]}, [])
    assert problem.startswith("`portside_verify_addresses` item `web1` is not an address such as")


@pytest.mark.parametrize(
    ("playbook", "setting", "words"),
    [
        ("backup", "portside_backup_password: 0123456701234567", "`portside_backup_password` stands there without"),
        ("restore", "portside_backup_pasword: x", "did you mean `portside_backup_password`?"),
        ("verify_firewall", "portside_verify_addresses: [web1]", "`portside_verify_addresses` item `web1` is not"),
    ],
)  # fmt: skip
def test_a_playbook_without_the_pre_flight_checks_its_own_settings(tmp_path, playbook, setting, words):
    done = run(tmp_path, f"playbooks/{playbook}.yml", variables=f"{setting}\n")
    assert done.status == 2, done.output
    assert words in done.output
