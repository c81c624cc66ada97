"""Releases from beginning to end, on a made-up host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store

from tests.unit.releases.release_fakes import Box, FakeStore, Host, Killed, app, each_step, releaser


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})


def deploy(host: Host, *apps: App, keep: int = 3) -> list[Outcome]:
    return releaser(host, keep).run(list(apps))


def running(host: Host, name: str = "shop") -> list[tuple[str, int | None]]:
    return [(box.name, box.port) for box in host.up(name)]


def test_first_release_is_published_on_the_first_port_of_the_range(host: Host) -> None:
    (outcome,) = deploy(host, app())
    assert (outcome.action, outcome.release, outcome.host_port, outcome.container) == ("deployed", 1, 18000, "shop-r1")
    assert running(host) == [("shop-r1", 18000)]


def test_second_run_changes_nothing(host: Host) -> None:
    deploy(host, app())
    before = len(host.effects)
    (outcome,) = deploy(host, app())
    assert (outcome.action, outcome.changed, outcome.release) == ("unchanged", False, 1)
    assert len(host.effects) == before


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": "shop:2"}, "changed: image"),
        ({"env": {"LOG_LEVEL": "debug"}}, "changed: env"),
        ({"secrets": {"KEY": "another-value"}}, "changed: secrets"),
        ({"volumes": ("data:/data",), "init": False}, "changed: init, volumes"),
    ],
)
def test_a_change_makes_a_release_on_the_other_port_and_the_old_one_stops(
    host: Host, changes: dict[str, Any], reason: str
) -> None:
    deploy(host, app(secrets={"KEY": "value-one"}))
    (outcome,) = deploy(host, app(**{"secrets": {"KEY": "value-one"}, **changes}))
    assert (outcome.action, outcome.reason, outcome.release) == ("deployed", reason, 2)
    assert running(host) == [("shop-r2", 18001)]
    assert host.boxes["id-shop-r1"].status == "exited"
    assert host.boxes["id-shop-r2"].restart == "unless-stopped"


def test_a_change_of_the_gate_alone_is_no_release(host: Host) -> None:
    deploy(host, app())
    (outcome,) = deploy(host, app(drain=5))
    assert outcome.action == "unchanged"


def test_a_tag_that_names_another_image_now_is_a_release(host: Host) -> None:
    deploy(host, app())
    host.present["shop:1"] = "rebuilt"
    (outcome,) = deploy(host, app())
    assert (outcome.reason, outcome.image_id) == ("shop:1 names another image now", "rebuilt")


def test_failing_health_leaves_the_old_release_serving_and_shows_the_log(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    (outcome,) = deploy(host, app(image="shop:bad", upstream_file=upstream))
    assert outcome.failed
    assert "answered 500 and not 200" in outcome.message
    assert "a line of shop-r2" in outcome.message
    assert "Release 1 goes on serving" in outcome.message
    assert running(host) == [("shop-r1", 18000)]
    assert host.answer(upstream) == 200
    assert "id-shop-r2" not in host.boxes


def test_a_container_that_ends_fails_at_once(host: Host) -> None:
    host.crashing.add("two")
    deploy(host, app())
    before = host.now
    (outcome,) = deploy(host, app(image="shop:2"))
    assert "it ended with exit status 3" in outcome.message
    assert host.now == before


def test_one_app_that_fails_does_not_stop_the_others(host: Host) -> None:
    outcomes = deploy(host, app("a", "shop:bad"), app("b", "shop:missing"), app("c"))
    assert [(outcome.name, outcome.action) for outcome in outcomes] == [
        ("a", "failed"),
        ("b", "failed"),
        ("c", "deployed"),
    ]
    assert running(host, "c")


def test_nginx_that_refuses_leaves_the_old_release_serving(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    host.rejects = True
    (outcome,) = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert outcome.failed
    assert host.answer(upstream) == 200
    assert running(host) == [("shop-r1", 18000)]
    host.rejects = False
    (outcome,) = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert (outcome.action, running(host)) == ("deployed", [("shop-r3", 18001)])


def test_with_one_port_the_old_release_stops_first(host: Host) -> None:
    deploy(host, app(host_ports=(8000,)))
    (outcome,) = deploy(host, app(image="shop:2", host_ports=(8000,)))
    assert (outcome.host_port, running(host)) == (8000, [("shop-r2", 8000)])


def test_with_one_port_a_failed_release_brings_the_old_one_back(host: Host) -> None:
    deploy(host, app(host_ports=(8000,)))
    (outcome,) = deploy(host, app(image="shop:bad", host_ports=(8000,)))
    assert outcome.failed
    assert running(host) == [("shop-r1", 8000)]


def test_named_ports_that_change_move_the_app(host: Host) -> None:
    deploy(host, app())
    (outcome,) = deploy(host, app(host_ports=(8000, 8001)))
    assert (outcome.reason, running(host)) == ("changed: host_ports", [("shop-r2", 8000)])


def test_a_port_taken_by_a_stranger_is_named(host: Host) -> None:
    host.foreign_ports.add(8000)
    (outcome,) = deploy(host, app(host_ports=(8000, 8001)))
    assert "127.0.0.1:8000 is taken by something else" in outcome.message


def test_allocated_ports_go_round_a_stranger(host: Host) -> None:
    host.foreign_ports |= {18000, 18002}
    first, second = deploy(host, app("a"), app("b"))
    assert {first.host_port, second.host_port} == {18001, 18004}


def test_ports_are_remembered(host: Host) -> None:
    deploy(host, app("a"), app("b"))
    first = [Store(host.root).load(name).ports for name in ("a", "b")]  # type: ignore[union-attr]
    for image in ("shop:2", "shop:1", "shop:2"):
        deploy(host, app("a", image), app("b"))
        owned = [Store(host.root).load(name).ports for name in ("a", "b")]  # type: ignore[union-attr]
        assert sorted(owned) == [(18000, 18001), (18002, 18003)]
        assert owned == first


def test_a_range_that_is_used_up_is_said(host: Host) -> None:
    outcomes = deploy(host, *(app(f"a{number}") for number in range(6)))
    assert sum(outcome.failed for outcome in outcomes) == 1
    assert [outcome for outcome in outcomes if outcome.failed and "docker_app_port_range" in outcome.message]


def test_a_worker_publishes_nothing(host: Host) -> None:
    deploy(host, app(port=None))
    (outcome,) = deploy(host, app(image="shop:2", port=None))
    assert (outcome.host_port, running(host)) == (None, [("shop-r2", None)])


def test_what_others_depend_on_is_released_first(host: Host) -> None:
    web, db = app("web", depends_on=("db",)), app("db", port=None)
    outcomes = deploy(host, web, db)
    assert [outcome.name for outcome in outcomes] == ["web", "db"]
    assert [box.name for box in host.boxes.values()] == ["db-r1", "web-r1"]


def test_what_depends_on_something_that_does_not_run_is_not_released(host: Host) -> None:
    host.crashing.add("bad")
    web, db = deploy(host, app("web", depends_on=("db",)), app("db", "shop:bad", port=None))
    assert db.failed
    assert web.message == "not released: it depends on `db`, which does not run"
    assert not host.up("web")


def test_what_depends_on_something_whose_old_release_runs_is_released(host: Host) -> None:
    deploy(host, app("db", port=None))
    host.crashing.add("bad")
    web, db = deploy(host, app("web", depends_on=("db",)), app("db", "shop:bad", port=None))
    assert (db.failed, web.action) == (True, "deployed")


def test_a_private_app_is_asked_at_its_own_address_and_has_no_port_on_the_host(host: Host) -> None:
    host.answering["172.18.0.2", 6379] = 200
    (outcome,) = deploy(host, app("db", port=6379, expose="private"))
    assert (outcome.action, outcome.host_port) == ("deployed", None)
    assert running(host, "db") == [("db-r1", None)]


def test_an_app_that_goes_takes_networks_along_that_nobody_else_is_on(host: Host) -> None:
    shared = {"container": {"networks": ["back", "front"]}}
    deploy(host, app("a", **shared), app("b", container={"networks": ["back"]}), app("c"))
    assert host.networks == {"portside.net.back", "portside.net.front", "portside.app.c"}
    deploy(host, app("a", present=False, **shared), app("c", present=False))
    assert host.networks == {"portside.net.back"}


def test_secrets_as_files_are_closed_to_all_but_root_and_go_with_their_release(host: Host) -> None:
    files = {"container": {"secrets_as": "files"}}
    for number in range(5):
        deploy(host, app(secrets={"KEY": f"secret-number-{number}"}, **files), keep=2)
    found = sorted((host.root / "shop" / "secrets").glob("r*/KEY"))
    assert [path.read_text() for path in found] == ["secret-number-3", "secret-number-4"]
    assert oct((host.root / "shop" / "secrets").stat().st_mode)[-3:] == "700"


def test_a_stopped_container_is_started_again(host: Host) -> None:
    deploy(host, app())
    host.boxes["id-shop-r1"].status = "exited"
    (outcome,) = deploy(host, app())
    assert (outcome.action, outcome.release, running(host)) == ("started", 1, [("shop-r1", 18000)])


def test_a_removed_container_is_made_again(host: Host) -> None:
    deploy(host, app())
    host.boxes.clear()
    (outcome,) = deploy(host, app())
    assert (outcome.reason, running(host)) == ("container shop-r1 is gone", [("shop-r2", 18001)])


def test_an_upstream_file_that_somebody_changed_is_put_right(host: Host, tmp_path: Path) -> None:
    upstream = tmp_path / "shop.conf"
    deploy(host, app(upstream_file=str(upstream)))
    upstream.write_text("server 127.0.0.1:9 down;\n")
    (outcome,) = deploy(host, app(upstream_file=str(upstream)))
    assert (outcome.action, outcome.release) == ("repaired", 1)
    assert host.answer(str(upstream)) == 200
    assert "server 127.0.0.1:18000 max_fails=0;" in upstream.read_text()


def test_lost_state_takes_the_running_container_over(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    Store(host.root).forget("shop")
    host.watch = lambda now: assert_served(now, upstream)
    (outcome,) = deploy(host, app(upstream_file=upstream))
    # The salt is still there, so the hash tells that it is the same release.
    assert (outcome.failed, outcome.release, running(host)) == (False, 1, [("shop-r1", 18000)])


def test_old_releases_are_pruned_with_their_images(host: Host) -> None:
    host.present |= {f"shop:{number}": f"image-{number}" for number in range(3, 8)}
    for number in range(3, 8):
        deploy(host, app(image=f"shop:{number}"), keep=2)
    assert sorted(box.name for box in host.boxes.values()) == ["shop-r4", "shop-r5"]
    assert "image-3" not in host.present.values()
    assert {"image-6", "image-7"} <= set(host.present.values())
    assert sorted(path.name for path in (host.root / "shop" / "secrets").iterdir()) == ["r4.json", "r5.json"]


def test_absent_removes_containers_state_and_upstream_file(host: Host, tmp_path: Path) -> None:
    upstream = tmp_path / "shop.conf"
    deploy(host, app(upstream_file=str(upstream)))
    (outcome,) = deploy(host, app(present=False))
    assert (outcome.action, host.boxes) == ("removed", {})
    assert not upstream.exists()
    assert not (host.root / "shop").exists()
    (outcome,) = deploy(host, app(present=False))
    assert outcome.action == "unchanged"


def test_what_is_not_in_the_list_is_reported(host: Host) -> None:
    deploy(host, app("a"), app("b"))
    assert releaser(host).orphans([app("a")]) == ["b"]


def test_credentials_go_to_their_registry_only(host: Host) -> None:
    host.registry = {"ghcr.io/acme/shop:1": "one", "other.example/shop:1": "one"}
    deploy(host, app("a", "ghcr.io/acme/shop:1"))
    deploy(host, app("b", "other.example/shop:1"))
    assert host.credentials == [{"username": "u", "password": "secret-token"}, None]


def test_check_mode_predicts_and_touches_nothing(host: Host, tmp_path: Path) -> None:
    first, second = releaser(host).predict([app(), app("worker", "shop:missing", port=None)])
    assert (first.action, second.action, first.changed) == ("deployed", "deployed", True)
    assert host.effects == []
    assert not host.root.exists()
    deploy(host, app(secrets={"KEY": "value-one"}))
    before = len(host.effects)
    (same,) = releaser(host).predict([app(secrets={"KEY": "value-one"})])
    (changed,) = releaser(host).predict([app(secrets={"KEY": "value-two"}, env={"A": "b"})])
    assert (same.action, changed.action) == ("unchanged", "deployed")
    assert changed.before["secrets"] == {"KEY": "set"}
    assert changed.after["secrets"] == {"KEY": "changed"}
    assert changed.after["env"] == {"A": "b"}
    assert len(host.effects) == before


def test_secrets_are_readable_by_root_alone(host: Host) -> None:
    deploy(host, app(secrets={"KEY": "hunter2-hunter2"}))
    holding = [path for path in host.root.rglob("*") if path.is_file() and "hunter2" in path.read_text()]
    assert [str(path.relative_to(host.root)) for path in holding] == ["shop/secrets/r1.json"]
    assert {path.stat().st_mode & 0o777 for path in host.root.rglob("*") if path.is_file()} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (host.root, *host.root.rglob("*")) if path.is_dir()} == {0o700}


def assert_served(host: Host, upstream: str) -> None:
    """A client gets an answer from a healthy release."""
    if upstream in host.loaded:
        assert host.answer(upstream) == 200, host.effects[-5:]


SCENARIOS: dict[str, list[dict[str, Any]]] = {
    "new image": [{"image": "shop:2"}],
    "new secret": [{"secrets": {"KEY": "value-two"}}],
    "bad image": [{"image": "shop:bad"}],
    "three releases": [{"image": "shop:2"}, {"image": "shop:1"}, {"image": "shop:2", "env": {"A": "b"}}],
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_run_killed_anywhere_is_repaired_and_the_app_served_all_the_time(tmp_path: Path, scenario: str) -> None:
    """Cut off after every single effect; and the run that repairs it, too."""
    for first in range(1, 200):
        for second in (None, *range(1, 40, 3)):
            if _killed(tmp_path / f"{first}-{second}", scenario, first, second):
                continue
            if second is None:
                return  # the run ended before it could be killed: all its steps were tried
            break
    pytest.fail("the runs never ended")


def _killed(root: Path, scenario: str, first: int, second: int | None) -> bool:
    root.mkdir()
    upstream = str(root / "shop.conf")
    host = Host(
        root / "apps",
        present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"},
        statuses={"bad": 500},
    )
    fixed: dict[str, Any] = {"upstream_file": upstream, "secrets": {"KEY": "value-one"}}
    deploy(host, app(**fixed), keep=2)
    host.watch = lambda now: assert_served(now, upstream)
    hit = False
    host.effects = []
    host.kill_at = first
    wanted = app(**fixed)
    for changes in SCENARIOS[scenario]:
        wanted = app(**{**fixed, **changes})
        try:
            deploy(host, wanted, keep=2)
        except Killed:
            hit = True
            break
    if hit and second is not None:
        host.effects, host.kill_at = [], second
        try:
            deploy(host, wanted, keep=2)
        except Killed:
            pass
        else:
            host.kill_at = None
            return False
    host.kill_at = None
    (outcome,) = deploy(host, wanted, keep=2)
    state = Store(host.root).load("shop")
    assert state
    assert state.live
    assert state.starting is None
    assert not state.switching
    assert len(host.up("shop")) == 1, (first, second, host.effects)
    assert host.up("shop")[0].name == state.live.container
    assert host.up("shop")[0].restart == "unless-stopped"
    assert (outcome.failed or outcome.action == "held") == (wanted.image == "shop:bad")
    assert Path(upstream).read_text() == host.loaded[upstream]
    if not outcome.failed:
        before = len(host.effects)
        (again,) = deploy(host, wanted, keep=2)
        assert again.action == ("held" if wanted.image == "shop:bad" else "unchanged")
        assert len(host.effects) == before
    return hit


@pytest.mark.parametrize("image", ["shop:2", "shop:bad"])
def test_killed_anywhere_with_one_port_ends_with_one_container(tmp_path: Path, image: str) -> None:
    for step, root in each_step(tmp_path):
        host = Host(root / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})
        fixed: dict[str, Any] = {"upstream_file": str(root / "shop.conf"), "host_ports": (8000,)}
        deploy(host, app(**fixed))
        host.effects, host.kill_at = [], step
        try:
            deploy(host, app(image=image, **fixed))
        except Killed:
            host.kill_at = None
            (outcome,) = deploy(host, app(image=image, **fixed))
            assert (outcome.failed or outcome.action == "held") == (image == "shop:bad")
            assert len(host.up("shop")) == 1
            assert host.answer(fixed["upstream_file"]) == 200
        else:
            return


def kill_after(host: Host, effect: str, wanted: App) -> None:
    """Cut the run off after the first effect of that name."""
    host.effects, host.kill_at = [], None
    count = 0

    def watch(now: Host) -> None:
        nonlocal count
        if now.effects[-1] == effect and not count:
            count = 1
            now.kill_at = len(now.effects)

    host.watch = watch
    with pytest.raises(Killed):
        deploy(host, wanted)
    host.watch, host.kill_at = None, None


def test_a_switch_that_was_cut_off_is_finished(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    kill_after(host, "write upstream", app(image="shop:2", upstream_file=upstream))
    (outcome,) = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert (outcome.action, outcome.release, running(host)) == ("repaired", 2, [("shop-r2", 18001)])
    assert host.answer(upstream) == 200


def test_a_switch_that_was_cut_off_is_undone_if_the_new_container_died(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    kill_after(host, "reload", app(image="shop:2", upstream_file=upstream))
    host.boxes["id-shop-r2"].status = "exited"
    seen: list[int | None] = []
    host.watch = lambda now: seen.append(now.answer(upstream))
    (outcome,) = deploy(host, app(upstream_file=upstream))
    assert (outcome.action, outcome.release, running(host)) == ("repaired", 1, [("shop-r1", 18000)])
    # Removing the dead container is not worth a moment of 502: nginx is pointed back first.
    assert seen.index(200) < len(seen) - 2
    assert host.answer(upstream) == 200


def test_a_repair_that_was_cut_off_is_repeated_up_to_the_reload(host: Host, tmp_path: Path) -> None:
    upstream = tmp_path / "shop.conf"
    deploy(host, app(upstream_file=str(upstream)))
    upstream.write_text("server 127.0.0.1:9 down;\n")
    host.loaded[str(upstream)] = upstream.read_text()
    kill_after(host, "write upstream", app(upstream_file=str(upstream)))
    (outcome,) = deploy(host, app(upstream_file=str(upstream)))
    assert outcome.action == "repaired"
    assert host.answer(str(upstream)) == 200


def test_a_container_of_no_remembered_release_is_removed(host: Host) -> None:
    deploy(host, app())
    stray = host.boxes["id-shop-r1"]
    labels = {**stray.config["Labels"], "portside.release": "17"}
    config = {**stray.config, "Labels": labels, "HostConfig": {}}
    host.boxes["id-x"] = type(stray)("id-x", "shop-r17", config, "one", status="running")
    (outcome,) = deploy(host, app())
    assert (outcome.action, running(host)) == ("repaired", [("shop-r1", 18000)])


ALONE: dict[str, dict[str, Any]] = {
    "recreate": {"strategy": "recreate"},
    "one port": {"host_ports": (8000,)},
    "private": {"expose": "private"},
    "beside": {},
}


@pytest.mark.parametrize("how", ALONE)
@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_release_that_was_replaced_is_not_started_by_docker_beside_the_new_one(
    host: Host, how: str, status: str
) -> None:
    host.answering["172.18.0.2", 8000] = 200
    deploy(host, app(restart="always", **ALONE[how]))
    host.boxes["id-shop-r1"].status = status
    deploy(host, app(image="shop:2", restart="always", **ALONE[how]))
    assert {box.name: box.restart for box in host.boxes.values()} == {"shop-r1": "no", "shop-r2": "always"}


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("how", ["recreate", "one port", "private"])
def test_a_server_that_is_started_again_in_between_runs_one_and_never_both(
    tmp_path: Path, how: str, newest_first: bool, policy: str
) -> None:
    fixed = {"restart": policy, **ALONE[how]}
    dark = 0
    for step, root in each_step(tmp_path):
        host = Host(root / "apps", present={"shop:1": "one", "shop:2": "two"})
        host.answering["172.18.0.2", 8000] = 200
        deploy(host, app(**fixed))
        host.effects, host.kill_at = [], step
        try:
            deploy(host, app(image="shop:2", **fixed))
        except Killed:
            host.kill_at = None
            host.reboot(newest_first=newest_first)
            assert len(host.up("shop")) <= 1
            if how == "private":
                assert [box.returns for box in host.boxes.values()].count(True) <= 1
            dark += not host.up("shop")
            deploy(host, app(image="shop:2", **fixed))
            (box,) = host.up("shop")
            assert [(other.name, other.restart) for other in host.boxes.values() if other.restart != "no"] == [
                (box.name, policy)
            ]
        else:
            # Between two calls to the engine, where there is no port that keeps the two apart.
            assert dark <= (how == "private")
            return


MOVED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "another port": ({"host_ports": (8000,)}, {"host_ports": (9000,)}),
    "a worker gets a port": ({"port": None, "strategy": "recreate"}, {"strategy": "recreate"}),
    "private becomes public": ({"expose": "private"}, {"strategy": "recreate"}),
    "another address": ({"strategy": "recreate"}, {"strategy": "recreate", "bind": "127.0.0.2"}),
    "fewer replicas": ({"strategy": "recreate", "replicas": 2}, {"strategy": "recreate"}),
    "more replicas": ({"strategy": "recreate"}, {"strategy": "recreate", "replicas": 2}),
}


@pytest.mark.parametrize("how", MOVED)
@pytest.mark.parametrize("newest_first", [True, False])
def test_a_server_that_is_started_again_never_runs_two_releases_on_different_ports(
    tmp_path: Path, how: str, newest_first: bool
) -> None:
    old, new = MOVED[how]
    for step, root in each_step(tmp_path):
        host = Host(root / "apps", present={"shop:1": "one", "shop:2": "two"})
        host.answering["172.18.0.2", 8000] = 200
        deploy(host, app(**old))
        host.effects, host.kill_at = [], step
        try:
            deploy(host, app(image="shop:2", **new))
        except Killed:
            host.kill_at = None
            # Whatever keeps two on one port from starting is not at work here.
            assert len({box.image_id for box in host.boxes.values() if box.returns}) <= 1
            host.reboot(newest_first=newest_first)
            assert len({box.image_id for box in host.up("shop")}) <= 1
        else:
            return


def test_a_release_that_comes_back_has_its_restart_policy_again(host: Host) -> None:
    deploy(host, app(strategy="recreate", restart="always"))
    assert deploy(host, app(image="shop:bad", strategy="recreate", restart="on-failure"))[0].failed
    assert [(box.name, box.restart) for box in host.up("shop")] == [("shop-r1", "always")]


@pytest.mark.parametrize("how", ["beside", "recreate"])
def test_a_state_that_can_not_be_written_after_the_switch_costs_no_request(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    fixed = {"upstream_file": str(tmp_path / "shop.conf"), **ALONE[how]}
    deploy(host, app(**fixed))
    save, full = FakeStore.save, [True]

    def fails_once(store: FakeStore, state: AppState) -> None:
        if full and host.effects[-1] == "reload":
            full.clear()
            raise OSError(28, "No space left on device")
        save(store, state)

    monkeypatch.setattr(FakeStore, "save", fails_once)
    host.watch = lambda now: assert_served(now, fixed["upstream_file"]) if how == "beside" else None
    (outcome,) = deploy(host, app(image="shop:2", **fixed))
    assert "No space left on device" in outcome.message
    assert running(host) == [("shop-r1", 18000)]
    assert host.answer(fixed["upstream_file"]) == 200


def test_a_disk_that_stays_full_leaves_both_releases_and_the_next_run_finishes(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    save = FakeStore.save

    def fails(store: FakeStore, state: AppState) -> None:
        if "reload" in host.effects:
            raise OSError(28, "No space left on device")
        save(store, state)

    monkeypatch.setattr(FakeStore, "save", fails)
    host.effects = []
    host.watch = lambda now: assert_served(now, upstream)
    (outcome,) = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert outcome.failed
    monkeypatch.setattr(FakeStore, "save", save)
    (outcome,) = deploy(host, app(image="shop:2", upstream_file=upstream))
    assert (outcome.action, running(host)) == ("repaired", [("shop-r2", 18001)])


def test_a_recreated_app_whose_switch_was_cut_off_and_undone_is_served_by_the_old_one(
    host: Host, tmp_path: Path
) -> None:
    fixed = {"strategy": "recreate", "upstream_file": str(tmp_path / "shop.conf")}
    deploy(host, app(**fixed))
    kill_after(host, "reload", app(image="shop:2", **fixed))
    host.boxes["id-shop-r2"].status = "exited"
    (outcome,) = deploy(host, app(**fixed))
    assert (outcome.action, running(host)) == ("repaired", [("shop-r1", 18000)])
    assert host.answer(fixed["upstream_file"]) == 200


def test_an_unreadable_state_file_fails_its_app_alone(host: Host) -> None:
    host.present |= {"other:1": "other", "other:2": "other two"}
    first, _ = deploy(host, app("a", "other:1"), app("b"))
    (host.root / "a" / "state.json").write_text("{")
    broken, good = deploy(host, app("a", "other:2"), app("b", "shop:2"), keep=1)
    assert "a/state.json can't be read" in broken.message
    assert "move it aside" in broken.message
    assert (good.action, running(host, "a"), running(host, "b")) == (
        "deployed",
        [("a-r1", first.host_port)],
        [("b-r2", good.host_port)],
    )
    assert {"other", "one"} <= {*host.present.values()}, "whose images these are can't be told"
    releaser(host).forget_failures([app("b")])
    assert releaser(host).orphans([app("b")]) == ["a"]
    assert (host.root / "a" / "state.json").exists()


def test_what_was_kept_of_a_release_and_is_unreadable_fails_its_app_alone(host: Host) -> None:
    deploy(host, app("a"), app("b"))
    (host.root / "a" / "secrets" / "r1.json").write_text("{")
    broken, good = deploy(host, app("a", "shop:2"), app("b", "shop:2"))
    assert "a/secrets/r1.json can't be read" in broken.message
    assert good.action == "deployed"


def test_a_database_that_speaks_no_http_is_released(host: Host) -> None:
    """Declared as in docs/containers.md."""
    item = {"name": "db", "image": "shop:1", "port": 5432, "expose": "private", "networks": ["shop"]}
    (wanted,) = validate.apps([item])
    host.silent.add(("172.18.0.2", 5432))
    assert deploy(host, spec.app(wanted))[0].action == "deployed"


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({}, "http"),
        ({"expose": "private"}, "tcp"),
        ({"expose": "private", "health": {"path": "/health"}}, "tcp"),
        ({"expose": "private", "health": {"check": "http"}}, "http"),
        ({"health": {"check": "tcp"}}, "tcp"),
    ],
)
def test_a_private_app_is_asked_for_a_connection_unless_it_says_otherwise(changes: dict[str, Any], check: str) -> None:
    (item,) = validate.apps([{"name": "shop", "image": "shop:1", "port": 8000, **changes}])
    assert spec.app(item).health.check == check


@pytest.mark.parametrize(
    ("hand", "action", "reason"),
    [
        (lambda box, _: setattr(box, "restart", "no"), "repaired", "the restart policy is not `unless-stopped`"),
        (lambda box, _: setattr(box, "status", "paused"), "started", "is paused"),
        (lambda box, _: box.networks.clear(), "deployed", "is not on its network any more"),
        (lambda _, root: (root / "shop/state.json").unlink(), "repaired", "what was remembered of it is gone"),
        (lambda _, root: (root / "shop/secrets/r1.json").chmod(0o644), "repaired", "r1.json is not root's alone"),
        (lambda _, root: root.chmod(0o755), "repaired", "is not root's alone"),
    ],
)
def test_what_somebody_changed_by_hand_is_foreseen_and_mended_once(
    host: Host, hand: Callable[[Box, Path], object], action: str, reason: str
) -> None:
    deploy(host, app(secrets={"KEY": "value-one"}))
    hand(host.boxes["id-shop-r1"], host.root)
    for work in (releaser(host).predict, releaser(host).run):
        (outcome,) = work([app(secrets={"KEY": "value-one"})])
        assert outcome.action == action
        assert reason in outcome.reason
    (outcome,) = deploy(host, app(secrets={"KEY": "value-one"}))
    assert (outcome.action, outcome.changed) == ("unchanged", False)
