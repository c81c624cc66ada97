"""An app under another name, on the data that it had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import validate

from tests.unit.releases.release_fakes import Host, Killed, app, each_step, releaser

DATA = ("db-data:/var/lib/postgresql/data",)


def fresh(root: Path) -> Host:
    host = Host(root / "apps", present={"shop:1": "one", "shop:2": "two"})
    releaser(host).run([app("db", volumes=DATA)])
    return host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return fresh(tmp_path)


def never_two(host: Host) -> None:
    """Called after each effect: at no moment do two containers run on the data."""
    assert len([box for box in host.boxes.values() if box.status == "running"]) <= 1


def test_a_new_name_on_the_data_of_a_container_that_nobody_declares_is_refused(host: Host) -> None:
    host.effects = []
    for work in (releaser(host).predict, releaser(host).run):
        (outcome,) = work([app("postgres", volumes=DATA)])
        assert outcome.failed
        assert "container db-r1 of app `db`, which is not declared, writes to db-data" in outcome.message
        assert "If `postgres` is the new name of `db`, write `renamed_from: db`" in outcome.message
    assert (host.effects, [box.name for box in host.up("db")]) == ([], ["db-r1"])


@pytest.mark.parametrize(
    ("mine", "theirs", "refused"),
    [
        ("/srv/db:/data", "/srv/db:/data", True),
        ("/srv:/data", "/srv/db:/data", True),
        ("/srv/db-2:/data", "/srv/db:/data", False),
        ("data:/data:ro", "data:/data", False),
        ("data:/data", "data:/data:ro", False),
    ],
)
def test_only_data_that_both_write_is_in_the_way(tmp_path: Path, mine: str, theirs: str, refused: bool) -> None:
    host = Host(tmp_path / "apps", present={"shop:1": "one"})
    root = str(tmp_path)
    releaser(host).run([app("db", volumes=(theirs.replace("/srv", f"{root}/srv"),))])
    (outcome,) = releaser(host).run([app("postgres", volumes=(mine.replace("/srv", f"{root}/srv"),))])
    assert outcome.failed is refused


def test_apps_that_are_declared_may_share_a_volume(host: Host) -> None:
    both = [app("db", volumes=DATA), app("backup", volumes=DATA)]
    assert [outcome.failed for outcome in releaser(host).run(both)] == [False, False]
    assert not releaser(host).run([app("third", volumes=DATA)], both)[0].failed


def test_what_goes_first_is_in_nobodys_way(host: Host) -> None:
    apps = [app("db", present=False), app("postgres", image="shop:2", volumes=DATA)]
    assert [outcome.failed for outcome in releaser(host).predict(apps)] == [False, False]
    assert [outcome.message for outcome in releaser(host).run(apps)] == ["", ""]


def test_the_old_name_stops_before_the_new_one_starts_and_leaves_nothing(host: Host) -> None:
    old = releaser(host)._host.store.load("db")
    host.watch = never_two
    (outcome,) = releaser(host).run([app("postgres", volumes=DATA, renamed_from="db")])
    assert outcome.action == "deployed"
    assert [box.name for box in host.boxes.values()] == ["postgres-r1"]
    store = releaser(host)._host.store
    assert store.names() == ["postgres"]
    new = store.load("postgres")
    assert old
    assert new
    assert new.ports == old.ports
    assert host.networks == {"portside.app.postgres"}


def test_the_old_name_comes_back_when_the_new_one_fails(host: Host) -> None:
    host.crashing.add("two")
    wanted = app("postgres", image="shop:2", volumes=DATA, renamed_from="db")
    assert releaser(host).run([wanted])[0].failed
    assert [(box.name, box.restart) for box in host.up("db")] == [("db-r1", "unless-stopped")]
    assert [box.name for box in host.boxes.values()] == ["db-r1"]
    assert releaser(host)._host.store.load("db") is not None


def test_a_new_name_that_was_rejected_is_not_tried_in_every_run(host: Host) -> None:
    host.crashing.add("two")
    wanted = app("postgres", image="shop:2", volumes=DATA, renamed_from="db")
    releaser(host).run([wanted])
    host.effects = []
    (outcome,) = releaser(host).run([wanted])
    assert "app `db` keeps its name for now: release 1 of `postgres` did not pass its gate" in outcome.message
    assert (host.up("db")[0].name, "stop" in host.effects) == ("db-r1", False)
    host.crashing.clear()
    assert releaser(host, retry=["postgres"]).run([wanted])[0].action == "deployed"


def test_named_ports_go_to_the_new_name(tmp_path: Path) -> None:
    host = Host(tmp_path / "apps", present={"shop:1": "one"})
    releaser(host).run([app("db", volumes=DATA, host_ports=(8000, 8001))])
    wanted = app("postgres", volumes=DATA, host_ports=(8000, 8001), renamed_from="db")
    assert releaser(host).run([wanted])[0].host_port in {8000, 8001}


def test_two_that_run_already_end_with_the_new_name_alone(host: Host) -> None:
    releaser(host).run([app("postgres")])
    wanted = app("postgres", renamed_from="db")
    assert releaser(host).predict([wanted])[0].changed
    (outcome,) = releaser(host).run([wanted])
    assert (outcome.action, outcome.reason) == ("repaired", "app `db`, which it was, is removed")
    assert [box.name for box in host.boxes.values()] == ["postgres-r1"]
    assert releaser(host).run([wanted])[0].action == "unchanged"


def test_an_old_name_that_is_gone_plays_no_part(tmp_path: Path) -> None:
    host = Host(tmp_path / "apps", present={"shop:1": "one"})
    wanted = app("postgres", volumes=DATA, renamed_from="db")
    assert releaser(host).run([wanted])[0].action == "deployed"
    assert releaser(host).run([wanted])[0].action == "unchanged"


def test_the_old_name_is_no_app_that_nobody_declares(host: Host) -> None:
    assert releaser(host).orphans([app("postgres", renamed_from="db")]) == []
    assert releaser(host).orphans([app("postgres")]) == ["db"]


def test_killed_anywhere_two_never_run_on_the_data_and_the_next_run_ends_it(tmp_path: Path) -> None:
    wanted = app("postgres", volumes=DATA, renamed_from="db")
    for step, root in each_step(tmp_path):
        host = fresh(root)
        host.effects, host.watch, host.kill_at = [], never_two, step
        try:
            releaser(host).run([wanted])
            return
        except Killed:
            host.kill_at = None
        (outcome,) = releaser(host).run([wanted])
        assert not outcome.failed, outcome.message
        assert [box.name for box in host.boxes.values() if box.status == "running"] == [outcome.container]
        assert {box.config["Labels"]["portside.app"] for box in host.boxes.values()} == {"postgres"}
        assert releaser(host)._host.store.names() == ["postgres"]


GOOD: dict[str, Any] = {"name": "postgres", "image": "postgres:16"}


@pytest.mark.parametrize(
    ("apps", "message"),
    [
        ([{**GOOD, "renamed_from": "postgres"}], "an app of that name is in the list as well"),
        ([{**GOOD, "renamed_from": "db"}, {**GOOD, "name": "db"}], "an app of that name is in the list as well"),
        ([{**GOOD, "renamed_from": "db"}, {**GOOD, "name": "b", "renamed_from": "db"}], "stands at more than one app"),
        ([{**GOOD, "renamed_from": "D b"}], "`renamed_from: D b` is no name of an app"),
    ],
)
def test_an_old_name_that_can_not_be_is_refused(apps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(validate.InvalidInputError) as caught:
        validate.apps(apps)
    assert message in str(caught.value)
