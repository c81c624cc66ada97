"""Several containers of one release, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import history, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

from tests.unit.releases.release_fakes import Host, Killed, app, each_step, releaser


def fresh(root: Path) -> Host:
    return Host(root / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return fresh(tmp_path)


@pytest.fixture
def upstream(tmp_path: Path) -> str:
    return str(tmp_path / "shop.conf")


def deploy(host: Host, wanted: App) -> Outcome:
    (outcome,) = releaser(host).run([wanted])
    return outcome


def running(host: Host) -> list[tuple[str, int | None]]:
    return [(box.name, box.port) for box in host.up("shop")]


def test_each_replica_has_a_port_and_nginx_knows_them_all(host: Host, upstream: str) -> None:
    outcome = deploy(host, app(replicas=3, upstream_file=upstream))
    assert running(host) == [("shop-r1", 18000), ("shop-r1-2", 18001), ("shop-r1-3", 18002)]
    assert outcome.host_ports == [18000, 18001, 18002]
    assert Path(upstream).read_text().splitlines() == [
        "# Release 1 of shop; rewritten at every switch.",
        "server 127.0.0.1:18000 max_fails=0;",
        "server 127.0.0.1:18001 max_fails=0;",
        "server 127.0.0.1:18002 max_fails=0;",
        *["server 172.18.0.2:8000 backup max_fails=0;"] * 3,
    ]
    before = len(host.effects)
    assert deploy(host, app(replicas=3, upstream_file=upstream)).action == "unchanged"
    assert len(host.effects) == before


def test_they_start_together_and_the_old_ones_stop_after_one_switch(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=2, upstream_file=upstream))
    host.effects = []
    deploy(host, app(image="shop:2", replicas=2, upstream_file=upstream))
    assert running(host) == [("shop-r2", 18002), ("shop-r2-2", 18003)]
    steps = [step for step in host.effects if step in {"create", "start", "reload", "drain", "stop"}]
    assert steps == ["create", "create", "start", "start", "reload", "drain", "stop", "stop"]
    assert {box.restart for box in host.up("shop")} == {"unless-stopped"}
    deploy(host, app(image="shop:1", replicas=2, upstream_file=upstream))
    assert running(host) == [("shop-r3", 18000), ("shop-r3-2", 18001)], "the ports take turns"


def test_one_that_does_not_get_healthy_keeps_all_of_them_from_serving(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=2, upstream_file=upstream))
    host.answering["127.0.0.1", 18003] = 500
    outcome = deploy(host, app(image="shop:2", replicas=2, upstream_file=upstream))
    assert outcome.failed
    assert "release 2 (shop:2) was given up" in outcome.message
    assert "Last lines of shop-r2-2:" in outcome.message
    assert running(host) == [("shop-r1", 18000), ("shop-r1-2", 18001)]


def test_a_replica_that_ended_is_started_by_the_next_run(host: Host, upstream: str) -> None:
    wanted = app(replicas=2, upstream_file=upstream)
    deploy(host, wanted)
    host.boxes["id-shop-r1-2"].status = "exited"
    assert host.answer(upstream) == 200
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.reason) == ("started", "container shop-r1-2 is exited")
    assert len(running(host)) == 2


def test_a_replica_that_was_removed_is_made_again_by_a_new_release(host: Host, upstream: str) -> None:
    wanted = app(replicas=2, upstream_file=upstream)
    deploy(host, wanted)
    del host.boxes["id-shop-r1"]
    outcome = deploy(host, wanted)
    assert (outcome.action, outcome.reason) == ("deployed", "container shop-r1 is gone")
    assert running(host) == [("shop-r2", 18002), ("shop-r2-2", 18003)]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 3)])
def test_another_number_of_replicas_is_a_release(host: Host, upstream: str, before: int, after: int) -> None:
    deploy(host, app(replicas=before, upstream_file=upstream))
    outcome = deploy(host, app(replicas=after, upstream_file=upstream))
    assert (outcome.action, outcome.reason) == ("deployed", "changed: replicas")
    assert len(running(host)) == after
    assert host.answer(upstream) == 200


def test_workers_may_be_several(host: Host) -> None:
    deploy(host, app(port=None, replicas=2))
    assert running(host) == [("shop-r1", None), ("shop-r1-2", None)]


def test_with_so_many_named_ports_as_replicas_the_old_ones_make_room(host: Host, upstream: str) -> None:
    fixed: dict[str, Any] = {"replicas": 2, "host_ports": (8000, 8001), "upstream_file": upstream}
    deploy(host, app(**fixed))
    deploy(host, app(image="shop:2", **fixed))
    assert running(host) == [("shop-r2", 8000), ("shop-r2-2", 8001)]


def test_a_lost_state_file_is_made_from_the_containers_that_run(host: Host, upstream: str) -> None:
    wanted = app(replicas=2, upstream_file=upstream)
    deploy(host, wanted)
    Store(host.root).forget("shop")
    releaser(host).run([wanted])
    state = Store(host.root).load("shop")
    assert state
    assert state.live
    assert len(running(host)) == 2
    assert host.answer(upstream) == 200


def test_the_list_of_releases_tells_how_many(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=3, upstream_file=upstream))
    state = Store(host.root).load("shop")
    assert state
    assert history.rows(state)[0]["note"] == "3 replicas"


def test_one_that_is_rolled_back_to_has_as_many_as_it_had(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=3, upstream_file=upstream))
    wanted = app(image="shop:2", replicas=1, upstream_file=upstream)
    deploy(host, wanted)
    (outcome,) = releaser(host).roll_back(wanted, None)
    assert (outcome.action, len(running(host))) == ("rolled back", 3)


@pytest.mark.parametrize("image", ["shop:2", "shop:bad"])
def test_killed_anywhere_the_app_is_served_and_the_next_run_repairs_it(tmp_path: Path, image: str) -> None:
    for step, root in each_step(tmp_path):
        host = fresh(root)
        fixed: dict[str, Any] = {"upstream_file": str(root / "shop.conf"), "replicas": 2}
        deploy(host, app(**fixed))

        def served(now: Host, path: str = fixed["upstream_file"]) -> None:
            assert now.answer(path) == 200

        host.watch = served
        host.effects, host.kill_at = [], step
        try:
            deploy(host, app(image=image, **fixed))
        except Killed:
            host.kill_at = None
            outcome = deploy(host, app(image=image, **fixed))
            assert (outcome.failed or outcome.action == "held") == (image == "shop:bad")
            assert len(running(host)) == 2
            assert len({name.partition("-")[2].partition("-")[0] for name, _ in running(host)}) == 1
        else:
            return


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"replicas": 0}, "`replicas: 0` is out of range: 1 to 32"),
        ({"replicas": 2, "host_ports": [1, 2, 3]}, "`host_ports` takes 4 different ports (or 2: the old release is"),
        ({"canary": 60}, "`canary: 60` is out of range: 0 to 50"),
        ({"canary": 10, "strategy": "recreate"}, "`canary` needs two releases side by side"),
        ({"canary": 10, "port": None}, "`canary` needs `port` and `expose: public`"),
    ],
)
def test_what_can_not_be_is_said(changes: dict[str, Any], said: str) -> None:
    item = {"name": "shop", "image": "shop:1", "port": 8000, **changes}
    with pytest.raises(InvalidInputError) as refused:
        validate.apps([{key: value for key, value in item.items() if value is not None}])
    assert said in str(refused.value)


def test_fewer_replicas_on_ports_that_the_old_ones_hold_cost_no_request(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=3, host_ports=(8000, 8001, 8002, 8003, 8004, 8005), upstream_file=upstream))
    fewer = app(replicas=1, host_ports=(8000, 8001), upstream_file=upstream)
    seen: list[int | None] = []
    host.watch = lambda now: seen.append(now.answer(upstream))
    outcome = deploy(host, fewer)
    assert (outcome.action, outcome.failed, set(seen)) == ("deployed", False, {200})
    assert [box.port for box in host.up("shop")] == [8000]
    assert deploy(host, fewer).action == "unchanged"


def test_a_canary_beside_a_live_release_that_holds_the_named_ports_is_made_once(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=2, host_ports=(8000, 8001, 8002, 8003), upstream_file=upstream))
    fewer = app(replicas=1, host_ports=(8000, 8001), upstream_file=upstream, canary=10)
    assert deploy(host, fewer).action == "deployed as a canary"
    assert deploy(host, fewer).action == "unchanged"
    releaser(host).promote(fewer)
    assert deploy(host, fewer).action == "deployed as a canary", "there is room on the named ports now"
    releaser(host).promote(fewer)
    assert deploy(host, fewer).action == "unchanged"
    assert [box.port for box in host.up("shop")] == [8000]


def test_going_back_to_fewer_replicas_on_ports_that_are_held_leaves_nothing_to_do(host: Host, upstream: str) -> None:
    deploy(host, app(replicas=1, host_ports=(8000, 8001), upstream_file=upstream))
    more = app(image="shop:2", replicas=3, host_ports=(8000, 8001, 8002), upstream_file=upstream)
    deploy(host, more)
    seen: list[int | None] = []
    host.watch = lambda now: seen.append(now.answer(upstream))
    assert releaser(host).roll_back(more, None)[0].action == "rolled back"
    assert ([box.port for box in host.up("shop")], set(seen)) == ([8000], {200})
    assert (deploy(host, more).action, len(host.up("shop"))) == ("held", 1)


def test_the_port_of_an_app_whose_state_file_was_lost_is_nobody_elses(host: Host, upstream: str) -> None:
    wanted = app(upstream_file=upstream)
    deploy(host, wanted)
    Store(host.root).forget("shop")
    deploy(host, wanted)
    host.boxes["id-shop-r1"].status = "exited"
    (other,) = releaser(host).run([app(name="blog", image="shop:2")])
    assert (other.failed, other.host_port) == (False, 18001)
    assert deploy(host, wanted).action == "started"
