"""Jobs before a release, and releases that can't run beside the old one."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases.before import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, container_config
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome

from tests.unit.releases.release_fakes import Host, Killed, app, releaser

MIGRATE = ("python", "manage.py", "migrate")
COLLECT = ("python", "manage.py", "collectstatic")


def fresh(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two"})


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return fresh(tmp_path)


def deploy(host: Host, wanted: App, **options: object) -> Outcome:
    return releaser(host, **options).run([wanted])[0]  # type: ignore[arg-type]


def test_jobs_run_in_order_before_the_new_container_and_leave_nothing(host: Host) -> None:
    deploy(host, app())
    host.effects = []
    outcome = deploy(host, app(image="shop:2", before=(MIGRATE, COLLECT)))
    assert outcome.action == "deployed"
    assert host.jobs == [list(MIGRATE), list(COLLECT)]
    assert sorted(box.name for box in host.boxes.values()) == ["shop-r1", "shop-r2"]
    deploy(host, app(image="shop:2", before=(MIGRATE, COLLECT)))
    assert len(host.jobs) == 2


def test_a_job_that_fails_leaves_the_old_release_serving_and_shows_its_log(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(upstream_file=upstream))
    host.job_status = 4
    wanted = app(image="shop:2", upstream_file=upstream, before=(MIGRATE, COLLECT))
    outcome = deploy(host, wanted)
    assert outcome.failed
    assert "`before: python manage.py migrate` ended with exit status 4" in outcome.message
    assert "a line of shop-r2-before-1" in outcome.message
    assert host.jobs == [list(MIGRATE)]
    assert host.answer(upstream) == 200
    assert [box.name for box in host.boxes.values()] == ["shop-r1"]
    assert deploy(host, wanted).action == "held"
    host.job_status = 0
    assert deploy(host, wanted, retry=["shop"]).action == "deployed"


def test_job_that_an_entrypoint_swallowed_says_whose_arguments_it_became(host: Host) -> None:
    host.job_status, host.entrypoint = 2, ("gunicorn", "shop.wsgi")
    outcome = deploy(host, app(before=(MIGRATE,)))
    assert "What to do: the image's ENTRYPOINT `gunicorn` gets the command as its arguments" in outcome.message
    host.entrypoint = ("docker-entrypoint.sh",)
    assert "ENTRYPOINT" not in deploy(host, app(before=(MIGRATE,)), retry=["shop"]).message


def test_release_that_was_given_up_says_what_to_do_by_its_last_lines(host: Host) -> None:
    host.statuses["one"], host.writes = 500, ("s6-overlay-suexec: fatal: can only run as pid 1",)
    outcome = deploy(host, app())
    last = outcome.message.splitlines()[-1]
    assert last.startswith("What to do: ")
    assert "`init: false`" in last
    host.writes = ()
    assert "What to do" not in deploy(host, app(env={"A": "2"})).message


def test_a_rollback_runs_no_job(host: Host) -> None:
    deploy(host, app(before=(MIGRATE,)))
    deploy(host, app(image="shop:2", before=(MIGRATE,)))
    releaser(host).roll_back(app(image="shop:2"), None)
    assert len(host.jobs) == 2


def test_a_job_has_what_the_release_has_but_its_ports_and_name() -> None:
    wanted = app(env={"A": "b"}, secrets={"KEY": "value-one"}, volumes=("data:/data",))
    release = container_config(wanted, "shop:1", 3, "hash", 18000)
    body = Job("shop-r3", 1, MIGRATE, 60).config(release)
    assert body["Env"] == release["Env"]
    assert body["HostConfig"]["Binds"] == ["data:/data"]
    assert body["HostConfig"]["NetworkMode"] == release["HostConfig"]["NetworkMode"]
    assert "PortBindings" not in body["HostConfig"]
    assert "ExposedPorts" not in body
    assert "NetworkingConfig" not in body
    assert body["Cmd"] == list(MIGRATE)
    assert "PortBindings" in release["HostConfig"]


def test_killed_anywhere_with_a_job_ends_with_one_container(tmp_path: Path) -> None:
    for step in range(1, 80):
        root = tmp_path / str(step)
        root.mkdir()
        host = fresh(root)
        upstream = str(root / "shop.conf")
        deploy(host, app(upstream_file=upstream))
        wanted = app(image="shop:2", upstream_file=upstream, before=(MIGRATE,))
        host.effects, host.kill_at = [], step
        try:
            deploy(host, wanted)
        except Killed:
            host.kill_at = None
        else:
            return
        assert host.answer(upstream) == 200
        assert not deploy(host, wanted).failed
        assert [box.image_id for box in host.up("shop")] == ["two"]
        assert not [box.name for box in host.boxes.values() if "before" in box.name]
    pytest.fail("the run never ended")


def test_recreate_stops_the_old_release_first(host: Host) -> None:
    deploy(host, app(strategy="recreate"))
    host.effects = []
    outcome = deploy(host, app(image="shop:2", strategy="recreate"))
    assert outcome.action == "deployed"
    assert host.effects.index("stop") < host.effects.index("start")


def test_recreate_brings_the_old_release_back_when_the_new_one_fails(host: Host, tmp_path: Path) -> None:
    upstream = str(tmp_path / "shop.conf")
    deploy(host, app(strategy="recreate", upstream_file=upstream))
    host.statuses["two"] = 500
    assert deploy(host, app(image="shop:2", strategy="recreate", upstream_file=upstream)).failed
    assert [box.name for box in host.up("shop")] == ["shop-r1"]
    assert host.answer(upstream) == 200


def test_killed_anywhere_with_recreate_ends_with_one_container(tmp_path: Path) -> None:
    for step in range(1, 80):
        root = tmp_path / str(step)
        root.mkdir()
        host = fresh(root)
        upstream = str(root / "shop.conf")
        deploy(host, app(strategy="recreate", upstream_file=upstream))
        host.effects, host.kill_at = [], step
        wanted = app(image="shop:2", strategy="recreate", upstream_file=upstream)
        try:
            deploy(host, wanted)
        except Killed:
            host.kill_at = None
        else:
            return
        assert not deploy(host, wanted).failed
        assert [box.image_id for box in host.up("shop")] == ["two"]
        assert host.answer(upstream) == 200
    pytest.fail("the run never ended")
