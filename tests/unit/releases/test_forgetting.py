"""A secret that was rotated is forgotten: in files, in containers, and as a way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store

from tests.unit.releases.release_fakes import Host, app, releaser

OLD, NEW = "sk_live_old_value", "sk_live_new_value"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two", "shop:3": "three"})


def shop(tag: str, key: str, password: str = "", **more: Any) -> App:
    site = json.dumps({"basic_auth": {"users": {"ops": password}}}) if password else ""
    return app(image=f"shop:{tag}", secrets={"KEY": key}, extra=site, **more)


def everything(host: Host) -> str:
    """All that stands in files of the app."""
    return "\n".join(path.read_text() for path in host.root.rglob("*") if path.is_file())


def test_a_rotated_secret_is_left_in_no_file_and_no_container(host: Host) -> None:
    files = {"container": {"secrets_as": "files"}}
    releaser(host).run([shop("1", OLD, **files)])
    releaser(host).run([shop("2", OLD, **files)])
    releaser(host).run([shop("3", NEW, **files)])
    assert OLD in everything(host)
    (outcome,) = releaser(host).forget([shop("3", NEW, **files)])
    assert (outcome.action, outcome.changed, outcome.release) == ("forgotten", True, 3)
    assert "no rollback to them any more" in outcome.notice
    assert OLD not in everything(host)
    assert NEW in everything(host)
    assert [box.name for box in host.boxes.values()] == ["shop-r3"]
    (again,) = releaser(host).forget([shop("3", NEW, **files)])
    assert (again.action, again.changed) == ("unchanged", False)


def test_what_was_forgotten_is_no_way_back(host: Host) -> None:
    releaser(host).run([shop("1", NEW)])
    releaser(host).run([shop("2", OLD)])
    releaser(host).run([shop("3", NEW)])
    releaser(host).forget([shop("3", NEW)])
    (outcome,) = releaser(host).roll_back(shop("3", NEW), 2, [])
    assert outcome.failed
    assert "secrets forgotten on 2026-01-02T03:04:05Z" in outcome.message
    assert "deploy shop:2 from the inventory" in outcome.message
    (outcome,) = releaser(host).roll_back(shop("3", NEW), None, [])
    assert (outcome.action, outcome.image) == ("rolled back", "shop:1")


def test_a_password_of_the_site_that_was_rotated_is_forgotten_too(host: Host) -> None:
    releaser(host).run([shop("1", NEW, "correct horse")])
    releaser(host).run([shop("2", NEW, "correct horse")])
    (outcome,) = releaser(host).forget([shop("2", NEW, "correct horse")])
    assert outcome.changed is False
    releaser(host).run([shop("3", NEW, "battery staple")])
    (outcome,) = releaser(host).forget([shop("3", NEW, "battery staple")])
    assert outcome.reason == "releases with a secret that is used no more: 1, 2"
    assert [release for release in (1, 2, 3) if Store(host.root).record("shop", release)] == [3]


def test_a_secret_that_is_still_in_use_is_not_called_forgotten(host: Host) -> None:
    releaser(host).run([shop("1", OLD)])
    (outcome,) = releaser(host).forget([shop("1", NEW)])
    assert outcome.failed
    assert "release 1, which serves, has another KEY than the inventory" in outcome.message
    assert "playbooks/deploy.yml -e app=shop" in outcome.message


def test_check_mode_forgets_nothing_and_says_what_it_would(host: Host) -> None:
    releaser(host).run([shop("1", OLD)])
    releaser(host).run([shop("2", NEW)])
    before = everything(host)
    (outcome,) = releaser(host).predict_forget([shop("2", NEW)])
    assert (outcome.action, outcome.reason) == ("forgotten", "releases with a secret that is used no more: 1")
    assert everything(host) == before


def test_an_app_that_is_not_in_the_inventory_any_more_forgets_too(host: Host) -> None:
    releaser(host).run([shop("1", OLD)])
    releaser(host).run([shop("2", NEW)])
    (outcome,) = releaser(host).forget([App("shop", image="")])
    assert (outcome.action, outcome.failed) == ("forgotten", False)
    assert OLD not in everything(host)
    assert [box.name for box in host.up("shop")] == ["shop-r2"]
