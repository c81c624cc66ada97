"""A release that gets a share of the clients at first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import history, plan
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, Replica
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store

from tests.unit.releases.release_fakes import Host, Killed, app, each_step, releaser


def fresh(root: Path) -> Host:
    names = {"shop:1": "one", "shop:2": "two", "shop:3": "three", "shop:bad": "bad"}
    return Host(root / "apps", present=names, statuses={"bad": 500})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return fresh(tmp_path)


@pytest.fixture
def upstream(tmp_path: Path) -> str:
    return str(tmp_path / "shop.conf")


def deploy(host: Host, wanted: App) -> Outcome:
    (outcome,) = releaser(host).run([wanted])
    return outcome


def running(host: Host) -> list[str]:
    return sorted(box.name for box in host.up("shop"))


def states(host: Host) -> dict[int, str]:
    state = Store(host.root).load("shop")
    assert state
    return {release.number: release.state for release in state.releases}


@pytest.fixture
def canary(host: Host, upstream: str) -> App:
    """Release 1 is live, release 2 a canary."""
    deploy(host, app(upstream_file=upstream, canary=10))
    wanted = app(image="shop:2", upstream_file=upstream, canary=10)
    assert deploy(host, wanted).action == "deployed as a canary"
    return wanted


def test_the_first_release_has_all_clients(host: Host, upstream: str) -> None:
    assert deploy(host, app(upstream_file=upstream, canary=10)).action == "deployed"


def test_a_canary_runs_beside_the_live_release_with_its_share(host: Host, upstream: str, canary: App) -> None:
    assert running(host) == ["shop-r1", "shop-r2"]
    assert states(host) == {1: "live", 2: "canary"}
    assert Path(upstream).read_text().splitlines() == [
        "# Release 1 of shop, and 2 for 10 % of the clients; rewritten at every switch.",
        "hash $remote_addr;",
        "server 127.0.0.1:18000 weight=180 max_fails=0;",
        "server 172.18.0.2:8000 weight=180 max_fails=0;",
        "server 127.0.0.1:18001 weight=20 max_fails=0;",
        "server 172.18.0.2:8000 weight=20 max_fails=0;",
    ]


def weights(stable: int, trial: int, share: int) -> tuple[int, int]:
    """What the live release and the canary have together, with so many servers each."""

    def release(number: int, count: int) -> Release:
        ports = tuple(Replica("x", 18000 + number * 100 + port) for port in range(count - 1))
        return Release(number, "live", "", "", "", "", "x", 18099, "", {}, others=ports, share=share)

    text = plan.upstream(app(), release(1, stable), release(2, trial))
    found = [int(line.partition("weight=")[2].split()[0]) for line in text.splitlines() if "weight" in line]
    return sum(found[:stable]), sum(found[stable:])


@pytest.mark.parametrize(("stable", "trial", "share"), [(1, 1, 10), (3, 1, 10), (1, 3, 25), (4, 2, 1)])
def test_the_share_is_that_of_the_release_whatever_its_replicas(stable: int, trial: int, share: int) -> None:
    live, part = weights(stable, trial, share)
    assert part * 100 == share * (live + part)


def test_a_run_with_nothing_changed_leaves_it_and_says_so(host: Host, canary: App) -> None:
    before = len(host.effects)
    outcome = deploy(host, canary)
    assert (outcome.action, outcome.changed, outcome.release, outcome.canary) == ("unchanged", False, 1, 2)
    assert "release 2 (shop:2) is a canary with 10 % of the clients" in outcome.notice
    assert len(host.effects) == before


def test_promoted_it_is_the_only_one(host: Host, upstream: str, canary: App) -> None:
    (outcome,) = releaser(host).promote(canary)
    assert (outcome.action, outcome.release, running(host)) == ("promoted", 2, ["shop-r2"])
    assert states(host) == {1: "retired", 2: "live"}
    assert "hash" not in Path(upstream).read_text()
    assert deploy(host, canary).action == "unchanged"


def test_one_that_got_ill_is_not_promoted(host: Host, canary: App) -> None:
    host.statuses["two"] = 500
    (outcome,) = releaser(host).promote(canary)
    assert outcome.failed
    assert "release 2 (shop:2) was given up" in outcome.message
    assert states(host) == {1: "live", 2: "canary"}
    assert running(host) == ["shop-r1", "shop-r2"]


def test_aborted_it_is_gone_and_not_tried_again_by_itself(host: Host, upstream: str, canary: App) -> None:
    (outcome,) = releaser(host).abort(canary)
    assert (outcome.action, outcome.release, running(host)) == ("aborted", 1, ["shop-r1"])
    assert states(host) == {1: "live", 2: "rejected"}
    again = deploy(host, canary)
    assert (again.action, again.changed) == ("held", False)
    assert "aborted on 2026-01-02T03:04:05Z by ann@desk" in again.notice
    assert host.answer(upstream) == 200


def test_without_one_there_is_nothing_to_promote_or_abort(host: Host, upstream: str) -> None:
    wanted = app(upstream_file=upstream)
    deploy(host, wanted)
    for end in (releaser(host).promote, releaser(host).abort):
        (outcome,) = end(wanted)
        assert "app `shop` has no canary" in outcome.message


def test_a_canary_that_is_not_declared_any_more_is_promoted(host: Host, upstream: str, canary: App) -> None:
    outcome = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert (outcome.action, outcome.release) == ("promoted", 2)


def test_the_declaration_of_the_live_release_withdraws_the_canary(host: Host, upstream: str, canary: App) -> None:
    outcome = deploy(host, app(upstream_file=upstream, canary=10))
    assert (outcome.action, running(host)) == ("canary withdrawn", ["shop-r1"])
    assert deploy(host, canary).action == "deployed as a canary", "it was not rejected"


def test_another_share_is_no_release(host: Host, upstream: str, canary: App) -> None:
    outcome = deploy(host, app(image="shop:2", upstream_file=upstream, canary=50))
    assert (outcome.action, running(host)) == ("canary's share changed", ["shop-r1", "shop-r2"])
    assert "50 % of the clients" in Path(upstream).read_text()


def test_a_later_release_takes_the_place_of_the_canary(host: Host, upstream: str, canary: App) -> None:
    deploy(host, app(image="shop:3", upstream_file=upstream, canary=10))
    assert running(host) == ["shop-r1", "shop-r3"]
    assert states(host) == {1: "live", 2: "retired", 3: "canary"}


def test_a_canary_that_fails_its_gate_gets_no_client(host: Host, upstream: str) -> None:
    deploy(host, app(upstream_file=upstream, canary=10))
    outcome = deploy(host, app(image="shop:bad", upstream_file=upstream, canary=10))
    assert outcome.failed
    assert (states(host), running(host)) == ({1: "live", 2: "rejected"}, ["shop-r1"])


def test_a_canary_that_ended_costs_no_request_and_is_started_again(host: Host, upstream: str, canary: App) -> None:
    host.boxes["id-shop-r2"].status = "exited"
    assert host.answer(upstream) == 200
    assert deploy(host, canary).action == "started"


def test_where_the_live_release_does_not_run_the_new_one_has_all_clients(host: Host, upstream: str) -> None:
    deploy(host, app(upstream_file=upstream, canary=10))
    host.boxes["id-shop-r1"].status = "exited"
    outcome = deploy(host, app(image="shop:2", upstream_file=upstream, canary=10))
    assert (outcome.action, outcome.release) == ("deployed", 2)


def test_there_is_no_way_back_before_it_is_decided(host: Host, canary: App) -> None:
    (outcome,) = releaser(host).roll_back(canary, None)
    assert "release 2 is a canary: promote or abort it first" in outcome.message


def test_the_list_of_releases_shows_its_share(host: Host, canary: App) -> None:
    state = Store(host.root).load("shop")
    assert state
    assert [(row["state"], row["note"]) for row in history.rows(state)] == [
        ("canary", "10 % of the clients"),
        ("live", ""),
    ]


STEPS = {
    "canary": lambda host, wanted: releaser(host).run([wanted]),
    "promote": lambda host, wanted: releaser(host).promote(wanted),
    "abort": lambda host, wanted: releaser(host).abort(wanted),
}


@pytest.mark.parametrize("what", STEPS)
def test_killed_anywhere_the_app_is_served_and_the_next_run_repairs_it(tmp_path: Path, what: str) -> None:
    for step, root in each_step(tmp_path):
        host = fresh(root)
        fixed: dict[str, Any] = {"upstream_file": str(root / "shop.conf"), "canary": 20}
        wanted = app(image="shop:2", **fixed)
        deploy(host, app(**fixed))
        if what != "canary":
            deploy(host, wanted)

        def served(now: Host, path: str = fixed["upstream_file"]) -> None:
            assert now.answer(path) == 200

        host.watch = served
        host.effects, host.kill_at = [], step
        try:
            STEPS[what](host, wanted)
        except Killed:
            host.kill_at = None
            outcome = deploy(host, wanted)
            assert not outcome.failed, outcome.message
            state = Store(host.root).load("shop")
            assert isinstance(state, AppState)
            assert not state.switching
            assert running(host) == sorted(f"shop-r{number}" for number in state.serving), (step, state)
            assert deploy(host, wanted).changed is False
            assert Path(fixed["upstream_file"]).read_text() == plan.wanted_upstream(wanted, state)
        else:
            return


def test_a_client_of_the_canary_gets_the_canary(host: Host, upstream: str, canary: App) -> None:
    assert host.answering_for(upstream) == ["shop-r1", "shop-r2"]
    deploy(host, app(image="shop:3", upstream_file=upstream, canary=10))
    assert host.answering_for(upstream) == ["shop-r1", "shop-r3"]


LOST = {"gone": lambda host: host.boxes.pop("id-shop-r1"), "dead": lambda host: host.crashing.add("one")}


@pytest.fixture(params=LOST)
def alone(request: pytest.FixtureRequest, host: Host, upstream: str, canary: App) -> App:
    """The canary alone answers all clients: the live release's container is gone, or ends whenever it is started."""
    host.boxes["id-shop-r1"].status = "exited"
    LOST[request.param](host)
    host.effects, host.watch = [], lambda now: served(now, upstream)
    return canary


def served(host: Host, upstream: str) -> None:
    assert host.answer(upstream) == 200, host.effects


@pytest.mark.parametrize("image", ["shop:2", "shop:3"])
def test_it_serves_until_the_release_that_replaces_both_is_there(
    host: Host, upstream: str, alone: App, image: str
) -> None:
    wanted = app(image=image, upstream_file=upstream, canary=10, env={"A": "b"})
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.release, running(host)) == ("deployed", 3, ["shop-r3"])
    assert states(host) == {1: "retired", 2: "retired", 3: "live"}
    assert deploy(host, wanted).action == "unchanged"


def test_it_goes_on_where_that_release_fails(host: Host, upstream: str, alone: App) -> None:
    assert deploy(host, app(image="shop:bad", upstream_file=upstream, canary=10)).failed
    assert (running(host), states(host)[2]) == (["shop-r2"], "canary")


def test_it_is_not_aborted_where_nobody_else_serves(host: Host, alone: App) -> None:
    (outcome,) = releaser(host).abort(alone)
    assert outcome.failed
    assert "release 1, which all clients would go back to, can't take them" in outcome.message
    assert "playbooks/promote.yml -e app=shop" in outcome.message
    assert (running(host), states(host)) == (["shop-r2"], {1: "live", 2: "canary"})


def test_it_is_promoted_then(host: Host, alone: App) -> None:
    (outcome,) = releaser(host).promote(alone)
    assert (outcome.action, running(host)) == ("promoted", ["shop-r2"])


def test_the_declaration_of_a_live_release_that_is_gone_is_deployed_anew(
    host: Host, upstream: str, canary: App
) -> None:
    del host.boxes["id-shop-r1"]
    host.watch = lambda now: served(now, upstream)
    outcome = deploy(host, app(upstream_file=upstream, canary=10))
    assert (outcome.action, running(host)) == ("deployed", ["shop-r3"])


@pytest.mark.parametrize("loss", LOST)
def test_with_two_named_ports_it_goes_before_the_next_but_only_if_the_live_one_serves(
    host: Host, upstream: str, loss: str
) -> None:
    fixed: dict[str, Any] = {"upstream_file": upstream, "canary": 10, "host_ports": (8000, 8001)}
    deploy(host, app(**fixed))
    deploy(host, app(image="shop:2", **fixed))
    deploy(host, app(image="shop:3", **fixed))
    assert running(host) == ["shop-r1", "shop-r3"]
    host.boxes["id-shop-r1"].status = "exited"
    LOST[loss](host)
    host.watch = lambda now: served(now, upstream)
    outcome = deploy(host, app(image="shop:2", env={"A": "b"}, **fixed))
    assert "Release 3, the canary, stays as it is" in outcome.message
    host.watch, host.boxes["id-shop-r3"].status = None, "exited"
    outcome = deploy(host, app(image="shop:2", env={"A": "b"}, **fixed))
    assert (outcome.failed, running(host)) == (False, ["shop-r4"])


def test_one_that_docker_restarted_once_is_promoted_and_the_live_one_taken_back(
    host: Host, upstream: str, canary: App
) -> None:
    for box in host.boxes.values():
        box.restarts = 1
    assert releaser(host).abort(canary)[0].action == "aborted"
    (outcome,) = releaser(host, retry=["shop"]).run([canary])
    assert outcome.action == "deployed as a canary"
    host.boxes["id-shop-r3"].restarts = 2
    assert releaser(host).promote(canary)[0].action == "promoted"


def test_a_rollback_passes_canaries_over_that_never_had_all_clients(host: Host, upstream: str) -> None:
    fixed: dict[str, Any] = {"upstream_file": upstream, "canary": 10}
    deploy(host, app(**fixed))
    deploy(host, app(image="shop:2", **fixed))
    deploy(host, app(image="shop:3", **fixed))
    releaser(host).promote(app(image="shop:3", **fixed))
    (outcome,) = releaser(host).roll_back(app(image="shop:3", **fixed), None)
    assert outcome.reason == "rollback to release 1"


def test_canaries_use_up_no_place_of_a_release_that_one_could_go_back_to(host: Host, upstream: str) -> None:
    fixed: dict[str, Any] = {"upstream_file": upstream, "canary": 10}
    for image in ("shop:1", "shop:2"):
        deploy(host, app(image=image, upstream_file=upstream))
    for number in range(8):
        deploy(host, app(image="shop:3", env={"A": str(number)}, **fixed))
    releaser(host).promote(app(image="shop:3", env={"A": "7"}, **fixed))
    found = states(host)
    assert {number: found[number] for number in (1, 2, 10)} == {1: "retired", 2: "retired", 10: "live"}
    assert len(found) < 10


def test_addresses_that_changed_with_a_start_are_told_to_nginx(host: Host, upstream: str) -> None:
    host.addresses = {"id-shop-r1": "172.18.0.2", "id-shop-r2": "172.18.0.3"}
    fixed: dict[str, Any] = {"upstream_file": upstream, "canary": 10}
    deploy(host, app(**fixed))
    wanted = app(image="shop:2", **fixed)
    deploy(host, wanted)
    host.addresses = {"id-shop-r1": "172.18.0.3", "id-shop-r2": "172.18.0.2"}
    assert deploy(host, wanted).action == "repaired"
    shares = {line.split()[1]: line.split()[2] for line in host.loaded[upstream].splitlines() if "172" in line}
    assert shares == {"172.18.0.3:8000": "weight=180", "172.18.0.2:8000": "weight=20"}
    assert deploy(host, wanted).action == "unchanged"


def test_a_container_that_is_started_again_elsewhere_is_told_to_nginx(host: Host, upstream: str) -> None:
    deploy(host, app(upstream_file=upstream))
    host.boxes["id-shop-r1"].status, host.addresses["id-shop-r1"] = "exited", "172.18.0.9"
    assert deploy(host, app(upstream_file=upstream)).action == "started"
    assert "server 172.18.0.9:8000 backup" in host.loaded[upstream]
    assert deploy(host, app(upstream_file=upstream)).action == "unchanged"


@pytest.mark.parametrize("share", [10, 50])
def test_a_lost_state_file_is_made_with_the_canary_that_nginx_was_told_of(
    host: Host, upstream: str, share: int
) -> None:
    deploy(host, app(upstream_file=upstream, canary=share))
    wanted = app(image="shop:2", upstream_file=upstream, canary=share)
    deploy(host, wanted)
    (host.root / "shop" / "state.json").unlink()
    before = host.loaded[upstream]
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.canary, outcome.release) == ("repaired", 2, 1)
    assert (host.loaded[upstream], running(host)) == (before, ["shop-r1", "shop-r2"])
    (promoted,) = releaser(host).promote(wanted)
    assert (promoted.failed, running(host), states(host)) == (False, ["shop-r2"], {2: "live"})


def test_without_nginx_what_began_as_a_canary_is_not_taken_for_the_live_release(
    host: Host, upstream: str, canary: App
) -> None:
    (host.root / "shop" / "state.json").unlink()
    Path(upstream).unlink()
    outcome = deploy(host, replace(canary, image="shop:1"))
    assert (outcome.release, running(host)) == (1, ["shop-r1"])
