"""What somebody's hand did to the containers of a release: it is said, and mended without a failed request."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome

from tests.unit.releases.release_fakes import Box, Host, app, releaser


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})


@pytest.fixture
def wanted(tmp_path: Path) -> App:
    return app(upstream_file=str(tmp_path / "shop.conf"))


def deploy(host: Host, wanted: App) -> Outcome:
    (outcome,) = releaser(host).run([wanted])
    return outcome


def foreseen(host: Host, wanted: App) -> Outcome:
    before = len(host.effects)
    (outcome,) = releaser(host).predict([wanted])
    assert len(host.effects) == before
    return outcome


def running(host: Host) -> list[tuple[str, int | None, str]]:
    return sorted((box.name, box.port, box.image_id) for box in host.up("shop"))


def by_hand(host: Host, old: str, *, image: str = "one", port: int | None = None, **changes: Any) -> Box:
    """`docker rm --force` of a container, and `docker run` of another with the same labels."""
    gone = host.boxes.pop(f"id-{old}")
    config = dict(gone.config)
    if port:
        bindings = {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
        config["HostConfig"] = {**config["HostConfig"], "PortBindings": bindings}
    box = replace(gone, id="by-hand", config=config, image_id=image, **changes)
    host.boxes[box.id] = box
    return box


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "two"}, "it has another image"),
        ({"port": 18009}, "it is published on 18009 and not on 18000"),
        ({}, "somebody made it anew"),
        ({"restart": "no"}, "somebody made it anew"),
    ],
)
def test_a_container_that_was_replaced_by_hand_is_seen_and_replaced(
    host: Host, wanted: App, changes: dict[str, Any], said: str
) -> None:
    deploy(host, wanted)
    by_hand(host, "shop-r1", **changes)
    seen: list[int | None] = []
    host.watch = lambda now: seen.append(now.answer(wanted.upstream_file))
    answered = host.answer(wanted.upstream_file)
    reason = f"container shop-r1 is not that of release 1: {said}"
    assert (foreseen(host, wanted).action, foreseen(host, wanted).reason) == ("deployed", reason)
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.reason, outcome.release) == ("deployed", reason, 2)
    assert outcome.warnings == [f"app `shop`: {reason}; a new release takes its place"]
    assert running(host) == [("shop-r2", 18001, "one")]
    if answered:
        assert set(seen) == {200}
    assert deploy(host, wanted).action == "unchanged"


def test_one_under_the_number_of_another_release_answers_until_there_is_better(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    box = by_hand(host, "shop-r1", name="shop-r2")
    box.config = {**box.config, "Labels": {**box.config["Labels"], "portside.release": "2"}}
    seen: list[int | None] = []
    host.watch = lambda now: seen.append(now.answer(wanted.upstream_file))
    assert deploy(host, wanted).reason == "container shop-r1 is gone"
    assert (running(host), set(seen)) == ([("shop-r3", 18001, "one")], {200})
    assert "by-hand" not in host.boxes
    assert deploy(host, wanted).action == "unchanged"


def test_a_copy_beside_the_release_is_removed(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    copy = replace(host.boxes["id-shop-r1"], id="copy", name="shop-r1-copy")
    copy.config = {**copy.config, "HostConfig": {}}
    host.boxes["copy"] = copy
    assert foreseen(host, wanted).reason == "container shop-r1-copy belongs to no release"
    assert deploy(host, wanted).action == "repaired"
    assert running(host) == [("shop-r1", 18000, "one")]


def test_one_that_was_replaced_by_hand_keeps_serving_when_the_release_fails(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    by_hand(host, "shop-r1", image="two")
    assert deploy(host, replace(wanted, image="shop:bad")).failed
    assert host.answer(wanted.upstream_file) == 200
    assert deploy(host, wanted).action == "deployed"
    assert running(host) == [("shop-r3", 18001, "one")]


@pytest.mark.parametrize("how", [{"strategy": "recreate"}, {"host_ports": (8000,)}, {"expose": "private"}])
def test_one_that_can_not_run_twice_gives_way_first(host: Host, wanted: App, how: dict[str, Any]) -> None:
    alone = replace(wanted, **how)
    host.answering["172.18.0.2", 8000] = 200
    deploy(host, alone)
    by_hand(host, "shop-r1", image="two")
    assert deploy(host, alone).action == "deployed"
    assert [name for name, *_ in running(host)] == ["shop-r2"]


@pytest.mark.parametrize("how", [{"strategy": "recreate"}, {"host_ports": (8000,)}, {"expose": "private"}])
def test_one_that_was_renamed_serves_again_when_the_new_one_fails(host: Host, wanted: App, how: dict[str, Any]) -> None:
    host.answering["172.18.0.2", 8000] = 200
    deploy(host, replace(wanted, **how))
    host.boxes["id-shop-r1"].name = "x"
    host.crashing.add("bad")
    outcome = deploy(host, replace(wanted, image="shop:bad", **how))
    assert "Release 1 goes on serving" in outcome.message
    assert [(box.name, box.restart) for box in host.up("shop")] == [("x", "unless-stopped")]


@pytest.mark.parametrize("how", [{"strategy": "recreate"}, {"expose": "private"}])
def test_a_stranger_that_answered_answers_again_when_the_new_one_fails(
    host: Host, wanted: App, how: dict[str, Any]
) -> None:
    host.answering["172.18.0.2", 8000] = 200
    deploy(host, replace(wanted, **how))
    by_hand(host, "shop-r1", name="x", restart="on-failure")
    host.crashing.add("bad")
    outcome = deploy(host, replace(wanted, image="shop:bad", **how))
    assert outcome.failed
    assert "goes on serving" not in outcome.message
    assert [(box.name, box.restart) for box in host.up("shop")] == [("x", "on-failure")]


def test_another_restart_policy_is_set_back_without_a_release(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    host.boxes["id-shop-r1"].restart = "no"
    assert foreseen(host, wanted).reason == "the restart policy is not `unless-stopped`"
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.release, host.boxes["id-shop-r1"].restart) == ("repaired", 1, "unless-stopped")
    assert deploy(host, wanted).action == "unchanged"


def test_a_stopped_container_whose_port_is_taken_by_another_program_is_made_anew(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    host.boxes["id-shop-r1"].status = "exited"
    host.foreign_ports.add(18000)
    assert "something else listens on 127.0.0.1:18000" in foreseen(host, wanted).reason
    assert deploy(host, wanted).action == "deployed"
    assert running(host) == [("shop-r2", 18001, "one")]


def test_a_state_file_without_ids_finds_its_containers_by_name_and_image(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    file = host.root / "shop" / "state.json"
    whole = json.loads(file.read_text())
    for release in whole["releases"]:
        del release["id"]
    file.write_text(json.dumps(whole))
    assert deploy(host, wanted).action == "unchanged"
    by_hand(host, "shop-r1", image="two")
    assert "it has another image" in deploy(host, wanted).reason


def test_one_whose_restart_policy_was_taken_away_and_that_was_stopped_needs_one_run(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    box = host.boxes["id-shop-r1"]
    box.restart, box.status = "no", "exited"
    assert (deploy(host, wanted).action, box.restart) == ("started", "unless-stopped")
    assert deploy(host, wanted).action == "unchanged"


@pytest.mark.parametrize("replaced", [True, False])
def test_a_canary_gets_not_all_clients_because_the_live_release_was_lost(
    host: Host, wanted: App, replaced: bool
) -> None:
    deploy(host, replace(wanted, canary=10))
    trial = replace(wanted, image="shop:2", canary=10)
    deploy(host, trial)
    if replaced:
        by_hand(host, "shop-r1", image="bad")
    else:
        del host.boxes["id-shop-r1"]
    outcome = deploy(host, trial)
    assert outcome.failed
    assert foreseen(host, trial).message == outcome.message
    assert "playbooks/promote.yml -e app=shop`), or declare again what release 1 was (shop:1)" in outcome.message
    assert outcome.warnings == []
    assert "id-shop-r2" in host.boxes
    assert deploy(host, replace(wanted, canary=10)).action == "deployed"
    assert [image for *_, image in running(host)] == ["one"]


def test_a_stranger_may_end_before_it_goes_and_its_volumes_stay(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    copy = replace(host.boxes["id-shop-r1"], id="copy", name="shop-r1-copy")
    copy.config = {**copy.config, "HostConfig": {}}
    host.boxes["copy"] = copy
    host.effects = []
    deploy(host, wanted)
    assert host.effects == ["stop", "remove, volumes stay"]


def test_a_state_of_an_earlier_version_gets_the_ids_without_a_word(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    file = host.root / "shop" / "state.json"
    whole = json.loads(file.read_text())
    del whole["releases"][0]["id"]
    file.write_text(json.dumps(whole))
    assert foreseen(host, wanted).action == "unchanged"
    assert "id-shop-r1" not in file.read_text()
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.changed, outcome.warnings) == ("unchanged", False, [])
    assert json.loads(file.read_text())["releases"][0]["id"] == "id-shop-r1"


def test_one_that_was_stopped_and_whose_network_was_removed_is_made_anew(host: Host, wanted: App) -> None:
    deploy(host, wanted)
    host.boxes["id-shop-r1"].status = "exited"
    host.networks.clear()
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.message) == ("deployed", "")
    assert "not found" in outcome.reason
    assert running(host) == [("shop-r2", 18001, "one")]
