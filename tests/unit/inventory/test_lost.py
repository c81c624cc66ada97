"""A list of apps that got lost takes no site away, and a file that isn't read is no secret."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import lost
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.modules import os_facts

from tests.unit.inventory.playbook_runs import ROOT, run

SHOP, ADMIN = {"name": "shop"}, {"name": "admin"}


def test_an_app_that_is_served_and_no_longer_declared_is_refused():
    (said,) = lost.apps(["admin", "shop"], [ADMIN], "web1")
    assert said.startswith("web1 serves `shop`, which is no longer in `portside_apps`: its site would be taken away.")
    assert "write that it may go: `- {name: shop, state: absent}`. Nothing was changed." in said
    assert "empty" not in said


def test_an_empty_list_asks_whether_its_file_is_read():
    (said,) = lost.apps(["admin", "shop"], [], "web1")
    assert "web1 serves `admin`, `shop`, which are no longer in `portside_apps`" in said
    assert "The list is empty: is the file read that has it (`ansible-inventory --host web1`)?" in said


@pytest.mark.parametrize(
    ("served", "declared", "purge"),
    [
        ([], [], False),
        (["shop"], [SHOP, ADMIN], False),
        (["shop"], [{"name": "shop", "state": "absent"}], False),
        (["shop"], [{"name": "store", "renamed_from": "shop"}], False),
        (["shop"], [ADMIN], True),
    ],
)
def test_what_is_declared_or_may_go_is_no_loss(served, declared, purge):
    assert lost.apps(served, declared, "web1", purge) == []


def test_an_empty_list_is_no_consent_to_remove_everything():
    assert lost.apps(["shop"], [], "web1", purge=True)


def test_served_are_apps_that_are_remembered_and_have_a_site(tmp_path):
    for app in ("shop", "worker"):
        (tmp_path / "apps" / app).mkdir(parents=True)
        (tmp_path / "apps" / app / "state.json").write_text("{}", encoding="utf-8")
    for name in ("portside-shop.conf", "portside-left-over.conf", "mine.conf"):
        (tmp_path / name).touch()
    assert os_facts.served(Store(tmp_path / "apps"), tmp_path) == ["shop"]


def test_a_vault_beside_a_file_of_that_name_switches_nothing_off(tmp_path):
    lists = tmp_path / "group_vars"
    lists.mkdir()
    (lists / "vps.yml").write_text("portside_apps: [{name: shop, image: 'acme/shop:1'}]\n", encoding="utf-8")
    done = run(tmp_path, "site.yml", variables="vault_token: x\n")
    assert done.status == 2, done.output
    assert f"{lists}/vps.yml is not read, because {lists}/vps/ is there: move it into that folder, as" in done.output


@pytest.mark.parametrize(
    ("names", "problems"),
    [
        (["group_vars/vps.yml"], 0),
        (["group_vars/vps/main.yml", "group_vars/all.yml", "host_vars/web1.yml"], 0),
        (["group_vars/vps.yml", "group_vars/vps.yaml"], 1),
        (["group_vars/vps.yml", "group_vars/vps/main.yml", "group_vars/vps.json"], 2),
        (["group_vars/all/main.yml", "group_vars/all.yml"], 1),
        (["host_vars/web1/main.yml", "host_vars/web1.yml"], 1),
        (["group_vars/other/main.yml", "group_vars/other.yml"], 0),
    ],
)
def test_each_file_that_ansible_passes_over_is_named(tmp_path, names, problems):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    hosts = tmp_path / "hosts.yml"
    hosts.touch()
    assert len(lost.unread([str(hosts), "localhost,"], str(tmp_path), ["vps"], "web1")) == problems


def test_the_inventory_to_start_from_has_a_place_for_a_vault():
    assert (ROOT / "inventory" / "group_vars" / "vps" / "main.yml").is_file()
    assert not list((ROOT / "inventory" / "group_vars").glob("vps.*"))
