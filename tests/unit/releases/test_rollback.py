"""The way back: an earlier release restored, and the one that was left remembered as rejected."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.masking import masked
from ansible_collections.portside.vps.plugins.module_utils.releases import history
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, superfluous
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store

from tests.unit.releases.release_fakes import Host, Killed, app, releaser


def fresh(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return fresh(tmp_path)


ONE = {"env": {"A": "1"}, "secrets": {"KEY": "value-one"}, "volumes": ("data:/one",), "extra": "site one"}
TWO = {"env": {"A": "2"}, "secrets": {"KEY": "value-two"}, "volumes": ("data:/two",), "extra": "site two"}


def first(**more: Any) -> App:
    return app(**{**ONE, **more})


def second(**more: Any) -> App:
    return app(image="shop:2", **{**TWO, **more})


def deploy(host: Host, wanted: App, **options: Any) -> Outcome:
    return releaser(host, **options).run([wanted])[0]


def back(host: Host, wanted: App, number: int | None = None) -> Outcome:
    return releaser(host, keep=9).roll_back(wanted, number, [wanted])[0]


def states(host: Host) -> dict[int, str]:
    state = Store(host.root).load("shop")
    return {release.number: release.state for release in state.releases} if state else {}


def test_rollback_restores_image_env_secrets_and_mounts_without_a_registry(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, first(upstream_file=upstream))
    deploy(host, second(upstream_file=upstream))
    host.present["shop:1"] = "another image under the same tag"
    outcome = back(host, second(upstream_file=upstream))
    assert (outcome.action, outcome.release, outcome.reason) == ("rolled back", 3, "rollback to release 1")
    (box,) = host.up("shop")
    assert box.image_id == "one" or box.config["Image"] == "one"
    assert box.config["Env"] == ["A=1", "KEY=value-one"]
    assert box.config["HostConfig"]["Binds"] == ["data:/one"]
    assert host.credentials == []
    assert states(host) == {1: "retired", 2: "rejected", 3: "live"}
    assert host.answer(upstream) == 200


def test_what_was_rolled_back_is_not_put_back_but_said(host: Host) -> None:
    deploy(host, first())
    deploy(host, second())
    back(host, second())
    effects = len(host.effects)
    outcome = deploy(host, second())
    assert (outcome.action, outcome.changed, outcome.failed, outcome.release) == ("held", False, False, 3)
    for words in (
        "stays on release 3 (shop:1)",
        "shop:2",
        "release 2",
        "rolled back on",
        "ann@desk",
        "portside_retry=shop",
    ):
        assert words in outcome.notice
    assert len(host.effects) == effects
    assert releaser(host).held([second()]) == {"shop": "site one"}
    assert releaser(host).held([first()]) == {}
    (predicted,) = releaser(host).predict([second()])
    assert (predicted.action, predicted.changed) == ("held", False)


@pytest.mark.parametrize(
    ("wanted", "options", "action"),
    [
        (second(), {"retry": ["shop"]}, "deployed"),
        (second(env={"A": "3"}), {}, "deployed"),
        (first(), {}, "unchanged"),
    ],
    ids=["asked for", "changed spec", "inventory set back"],
)
def test_a_rejected_release_is_tried_again_when(host: Host, wanted: App, options: dict[str, Any], action: str) -> None:
    deploy(host, first())
    deploy(host, second())
    back(host, second())
    assert deploy(host, wanted, **options).action == action
    assert deploy(host, wanted).action == "unchanged"


def test_a_release_that_failed_its_gate_is_remembered_too(host: Host) -> None:
    deploy(host, first())
    assert deploy(host, first(image="shop:bad")).failed
    outcome = deploy(host, first(image="shop:bad"))
    assert (outcome.action, outcome.release) == ("held", 1)
    assert "answered 500 and not 200" in outcome.notice
    assert deploy(host, first(image="shop:bad"), retry=["shop"]).failed


def test_an_image_that_was_mended_under_the_same_tag_is_tried(host: Host) -> None:
    deploy(host, first())
    deploy(host, first(image="shop:bad"))
    host.present["shop:bad"] = "mended"
    assert deploy(host, first(image="shop:bad")).action == "deployed"


def test_a_first_release_that_failed_is_tried_again_every_time(host: Host) -> None:
    assert deploy(host, first(image="shop:bad")).failed
    assert deploy(host, first(image="shop:bad")).failed


def test_a_held_app_whose_container_stopped_or_vanished_gets_the_good_release_again(host: Host) -> None:
    deploy(host, first())
    deploy(host, first(image="shop:bad"))
    host.boxes["id-shop-r1"].status = "exited"
    assert deploy(host, first(image="shop:bad")).action == "started"
    host.boxes.clear()
    outcome = deploy(host, first(image="shop:bad"))
    assert (outcome.action, outcome.failed) == ("deployed", False)
    assert [box.image_id for box in host.up("shop")] == ["one"]
    assert deploy(host, first(image="shop:bad")).action == "held"


def test_rollback_to_a_number_and_back_again(host: Host) -> None:
    for number in range(1, 4):
        deploy(host, app(env={"A": str(number)}), keep=5)
    assert back(host, app(env={"A": "3"}), 1).release == 4
    assert states(host) == {1: "retired", 2: "retired", 3: "rejected", 4: "live"}
    assert back(host, app(env={"A": "3"}), 3).release == 5
    assert [box.config["Env"] for box in host.up("shop")] == [["A=3"]]
    assert deploy(host, app(env={"A": "3"})).action == "unchanged"


def test_rollback_twice_goes_further_back(host: Host) -> None:
    for number in range(1, 4):
        deploy(host, app(env={"A": str(number)}), keep=5)
    assert back(host, app(env={"A": "3"})).reason == "rollback to release 2"
    assert back(host, app(env={"A": "3"})).reason == "rollback to release 1"
    said = back(host, app(env={"A": "3"}))
    assert said.failed
    assert "no earlier release" in said.message


@pytest.mark.parametrize(
    ("number", "words"), [(None, "no earlier release"), (1, "the one that serves now"), (7, "no release 7")]
)
def test_a_rollback_that_cannot_be_is_explained(host: Host, number: int | None, words: str) -> None:
    deploy(host, first())
    outcome = back(host, first(), number)
    assert outcome.failed
    assert words in outcome.message
    assert [box.name for box in host.up("shop")] == ["shop-r1"]


def test_a_rollback_whose_image_is_gone_is_explained(host: Host) -> None:
    deploy(host, first())
    deploy(host, second())
    del host.present["shop:1"]
    del host.boxes["id-shop-r1"]
    outcome = back(host, second())
    assert "removed from the server by hand" in outcome.message
    assert [box.name for box in host.up("shop")] == ["shop-r2"]


def test_a_rollback_goes_through_the_gate(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, first(upstream_file=upstream))
    deploy(host, second(upstream_file=upstream))
    host.statuses["one"] = 500
    outcome = back(host, second(upstream_file=upstream))
    assert outcome.failed
    assert host.answer(upstream) == 200
    assert [box.name for box in host.up("shop")] == ["shop-r2"]


def test_check_mode_predicts_a_rollback_and_touches_nothing(host: Host) -> None:
    deploy(host, first())
    deploy(host, second())
    effects = len(host.effects)
    (outcome,) = releaser(host).predict_rollback(second(), None)
    assert (outcome.action, outcome.changed, outcome.image) == ("rolled back", True, "shop:1")
    assert (outcome.before["env"], outcome.after["env"]) == ({"A": "2"}, {"A": "1"})
    assert len(host.effects) == effects


def test_a_rollback_killed_anywhere_leaves_the_app_served_and_is_finished_by_repeating_it(tmp_path: Path) -> None:
    for step in range(1, 60):
        root = tmp_path / str(step)
        root.mkdir()
        host = fresh(root)
        upstream = str(root / "shop.conf")
        one, two = first(upstream_file=upstream), second(upstream_file=upstream)
        deploy(host, one)
        deploy(host, two)
        host.effects, host.kill_at = [], step

        def served(now: Host, path: str = upstream) -> None:
            assert now.answer(path) == 200, now.effects[-5:]

        host.watch = served
        try:
            back(host, two)
        except Killed:
            host.kill_at = None
        else:
            return
        deploy(host, two)
        if states(host)[2] == "live":
            back(host, two)
        (box,) = host.up("shop")
        assert box.config["Env"] == ["A=1", "KEY=value-one"]
        assert states(host)[2] == "rejected"
        assert deploy(host, two).action == "held"
    pytest.fail("the run never ended")


def test_a_state_of_failed_attempts_alone_is_forgotten_when_the_app_left_the_list(host: Host) -> None:
    deploy(host, first(image="shop:bad"))
    assert releaser(host).orphans([]) == []
    releaser(host).forget_failures([app("other")])
    assert Store(host.root).names() == []


def release(number: int, state: str, *, served: str = "", **more: Any) -> Release:
    return replace(
        Release(number, state, "h", "shop:1", "one", "", f"shop-r{number}", 18000, "", {}, served=served), **more
    )


def test_failures_take_no_good_release_away() -> None:
    good = [
        release(1, "retired", served="then"),
        release(2, "retired", served="then"),
        release(3, "live", served="then"),
    ]
    state = AppState("shop", releases=(*good, *(release(number, "rejected") for number in range(4, 9))))
    assert superfluous(state, 3) == [6, 5, 4]


def test_a_release_that_served_after_it_was_rejected_is_good() -> None:
    state = AppState(
        "shop",
        releases=(
            release(1, "rejected"),
            release(2, "retired", served="x"),
            release(3, "live", hash="other", served="x"),
        ),
    )
    assert history.refused(state, "h", "one") is None


def test_what_was_rolled_back_under_the_same_tag_is_not_put_back(host: Host) -> None:
    deploy(host, first())
    host.present["shop:1"] = "rebuilt"
    deploy(host, first())
    assert back(host, first()).reason == "rollback to release 1"
    assert states(host) == {1: "retired", 2: "rejected", 3: "live"}
    outcome = deploy(host, first())
    assert (outcome.action, outcome.changed) == ("held", False)
    assert [box.image_id for box in host.up("shop")] == ["one"]
    host.present["shop:1"] = "mended"
    assert deploy(host, first()).action == "deployed"


def test_what_is_held_is_told_without_the_registry(host: Host) -> None:
    deploy(host, first())
    deploy(host, first(image="shop:bad"))
    host.registry_down = True
    assert releaser(host).held([first(image="shop:bad", pull="always", extra="new")]) == {"shop": "site one"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"host_ports": (8000, 8001)}, {"replicas": 2, "host_ports": (8000, 8001, 8002, 8003)}),
        ({"replicas": 3, "host_ports": (8000, 8001, 8002, 8003, 8004, 8005)}, {"host_ports": (9000, 9001)}),
        ({"host_ports": (8000, 8001), "canary": 10}, {"host_ports": (8000,)}),
    ],
    ids=["more", "fewer", "canary"],
)
def test_another_number_of_named_ports_keeps_nobody_from_going_back(
    host: Host, before: dict[str, Any], after: dict[str, Any]
) -> None:
    deploy(host, first(**before))
    deploy(host, second(**after))
    outcome = back(host, second(**after))
    assert (outcome.action, outcome.message) == ("rolled back", "")
    assert len(host.up("shop")) == before.get("replicas", 1)
    assert deploy(host, second(**after)).action == "held"
    again = first(image="shop:bad", **before)
    assert deploy(host, again).failed
    assert deploy(host, again).action == "held"


def test_the_log_of_a_release_of_the_past_shows_none_of_its_secrets(host: Host) -> None:
    deploy(host, first())
    deploy(host, second())
    host.statuses["one"], host.talkative = 500, True
    message = back(host, second()).message
    assert "A=1\n  KEY=********" in message
    assert "value-one" not in message


def test_a_key_of_several_lines_is_masked_line_by_line() -> None:
    said = masked("got MIIEvQIB\nand AAAA0000 x", ["-----BEGIN\nMIIEvQIB\nAAAA0000\nend", "ok"])
    assert said == "got ********\nand ******** x"


GONE = {
    "canary": lambda host: releaser(host).run([first(canary=10, env={"A": "3"})]),
    "image": lambda host: (host.boxes.pop("id-shop-r1"), host.present.pop("shop:1")),
    "record": lambda host: (host.root / "shop" / "releases" / "r1.json").unlink(),
}


@pytest.mark.parametrize("what", GONE)
def test_check_mode_promises_no_way_back_that_the_run_refuses(host: Host, what: str) -> None:
    deploy(host, first())
    deploy(host, second())
    GONE[what](host)
    (foreseen,) = releaser(host).predict_rollback(second(), 1)
    done = back(host, second(), 1)
    assert (foreseen.failed, done.failed) == (True, True)
    assert foreseen.message == done.message


def test_a_rollback_is_no_way_round_the_firewall(host: Host) -> None:
    deploy(host, first())
    shut = {"bridges": {"_own": "br-1"}, "dns": ("127.0.0.1",)}
    deploy(host, second(**shut))
    assert back(host, second(**shut)).action == "rolled back"
    (box,) = [box for box in host.boxes.values() if box.name == "shop-r3"]
    assert box.networks == ["portside.list.shop"]
    assert box.config["HostConfig"]["Dns"] == ["127.0.0.1"]


def test_a_rollback_opens_again_what_is_declared_open_now(host: Host) -> None:
    deploy(host, first(bridges={"_own": "br-1"}, dns=("127.0.0.1",)))
    deploy(host, second())
    back(host, second())
    (box,) = [box for box in host.boxes.values() if box.name == "shop-r3"]
    assert box.networks == ["portside.app.shop"]
    assert "Dns" not in box.config["HostConfig"]
