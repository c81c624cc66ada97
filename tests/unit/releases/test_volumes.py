"""The files and directories of the server that an app mounts, and whose its fresh volumes are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.engine.base import EngineError
from ansible_collections.portside.vps.plugins.module_utils.releases import spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import volumes

from tests.unit.releases.release_fakes import FakeEngine, Host, app, releaser


def made(**changes: Any) -> App:
    return spec.app(validate.apps([{"name": "shop", "image": "shop:1", "port": 8000, **changes}])[0])


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two"})


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """What was given away: path, user, group."""
    found: list[tuple[str, int, int]] = []

    def note(handle: int, user: int, group: int) -> None:
        found.append((os.readlink(f"/proc/self/fd/{handle}"), user, group))

    monkeypatch.setattr(os, "fchown", note)
    return found


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("shop.conf", "/etc/shop.conf"),
        ("shop", "/etc/shop.toml"),
        ("Caddyfile", "/etc/caddy/Caddyfile"),
        (".env", "/app/.env"),
    ],
)
def test_a_file_that_is_not_on_the_server_is_refused_before_anything_is_done(
    host: Host, tmp_path: Path, source: str, target: str
) -> None:
    wanted = app(volumes=(f"{tmp_path}/{source}:{target}:ro",))
    for work in (releaser(host).predict, releaser(host).run):
        (outcome,) = work([wanted])
        assert f"{tmp_path}/{source} is not on the server, and Docker would make a directory" in outcome.message
    assert (host.effects, host.boxes, (tmp_path / source).exists()) == ([], {}, False)
    (tmp_path / source).write_text("")
    assert releaser(host).run([wanted])[0].action == "deployed"


def test_the_old_release_goes_on_when_the_next_one_lacks_a_file(host: Host, tmp_path: Path) -> None:
    releaser(host).run([app()])
    assert releaser(host).run([app(volumes=(f"{tmp_path}/shop.conf:/etc/shop.conf",))])[0].failed
    assert [box.name for box in host.up("shop")] == ["shop-r1"]


@pytest.mark.parametrize("name", ["data", "conf.d", "app-1.2", ".cache", "example.com", "shop.example.de"])
def test_a_directory_that_is_not_there_is_made_for_whom_it_is(
    host: Host, tmp_path: Path, name: str, given: list[tuple[str, int, int]]
) -> None:
    wanted = made(volumes=[f"{tmp_path}/srv/{name}:/data"], user="1000:1001")
    assert releaser(host).run([wanted])[0].action == "deployed"
    assert (tmp_path / "srv" / name).is_dir()
    assert given == [(f"{tmp_path}/srv/{name}", 1000, 1001)]


def test_a_directory_made_for_a_release_that_came_to_nothing_goes_again(host: Host, tmp_path: Path) -> None:
    host.crashing.add("one")
    assert releaser(host).run([app(volumes=(f"{tmp_path}/srv:/data",))])[0].failed
    assert not (tmp_path / "srv").exists()


class OverAFile(FakeEngine):
    """An image that has a file where a directory is mounted."""

    def start(self, container: str) -> None:
        raise EngineError("error mounting: not a directory: Are you trying to mount a directory onto a file?")


def test_a_directory_over_a_file_of_the_image_says_which_was_missing(host: Host, tmp_path: Path) -> None:
    run = releaser(host)
    object.__setattr__(run._host, "engine", OverAFile(host))
    (outcome,) = run.run([app(volumes=(f"{tmp_path}/srv/shop:/etc/shop",))])
    assert f"{tmp_path}/srv/shop was not on the server: where the image has a file, put one there" in outcome.message
    assert not (tmp_path / "srv" / "shop").exists()


def test_a_link_that_leads_to_what_gives_the_server_away_needs_consent(tmp_path: Path) -> None:
    (tmp_path / "innocent").symlink_to("/etc")
    source = f"{tmp_path}/innocent"
    wanted = made(volumes=[f"{source}:/data"])
    assert f"{source} leads to /etc of the server" in volumes.problem(wanted)
    assert volumes.problem(wanted, restored=True) == ""
    assert volumes.problem(app(volumes=(f"{source}:/data",), host_access=(source,))) == ""


def fresh(tmp_path: Path, *content: str) -> str:
    directory = tmp_path / "volumes" / "data"
    directory.mkdir(parents=True)
    for name in content:
        (directory / name).write_text("")
    return str(directory)


@pytest.mark.parametrize(
    ("options", "owner"),
    [
        ({"user": "1000:1001"}, [(1000, 1001)]),
        ({"user": "1000"}, [(1000, -1)]),
        ({"volume_owners": {"data": "33:33"}}, [(33, 33)]),
        ({"user": "1000:1000", "volume_owners": {"data": "33"}}, [(33, -1)]),
        ({"user": "app"}, []),
        ({}, []),
    ],
)
def test_a_fresh_volume_belongs_to_whom_the_container_runs_as(
    host: Host, tmp_path: Path, options: dict[str, Any], owner: list[tuple[int, int]], given: list[tuple[str, int, int]]
) -> None:
    path = fresh(tmp_path)
    assert releaser(host).run([made(volumes=["data:/data"], **options)])[0].action == "deployed"
    assert given == [(path, *one) for one in owner]


@pytest.mark.parametrize("owners", [{}, {"data": "33:33"}])
def test_a_volume_with_content_is_never_touched(
    host: Host, tmp_path: Path, owners: dict[str, str], given: list[tuple[str, int, int]]
) -> None:
    fresh(tmp_path, "precious")
    wanted = made(volumes=["data:/data"], user="1000:1000", volume_owners=owners)
    assert releaser(host).run([wanted])[0].action == "deployed"
    assert given == []


def test_the_owner_that_the_image_gave_a_volume_gives_way_to_a_declared_one_alone(
    host: Host, tmp_path: Path, given: list[tuple[str, int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fresh(tmp_path)
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    releaser(host).run([made(volumes=["data:/data"], user="1000:1000")])
    assert given == []
    releaser(host).run([made(volumes=["data:/data"], volume_owners={"data": "33:33"})])
    assert given == [(path, 33, 33)]


class Ordered(FakeEngine):
    """Notes when containers are made and started."""

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        self.host.effects.append(f"made {name}")
        return super().create(name, config)

    def start(self, container: str) -> None:
        self.host.effects.append(f"started {container}")
        super().start(container)


def test_a_migration_finds_the_volume_its_own_already(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh(tmp_path)
    monkeypatch.setattr(os, "fchown", lambda *_: host.effects.append("given away"))
    run = releaser(host)
    object.__setattr__(run._host, "engine", Ordered(host))
    run.run([made(volumes=["data:/data"], user="1000:1000", before=["true"])])
    noted = [effect for effect in host.effects if effect == "given away" or effect.startswith(("made", "started"))]
    assert noted[:3] == ["made shop-r1-before-1", "given away", "started id-shop-r1-before-1"]


@pytest.mark.parametrize(
    ("owners", "message"),
    [
        ({"dta": "1000:1000"}, "`volume_owners`: `dta` is not one of `volumes`: did you mean `data`?"),
        ({"data": "www-data"}, 'write numbers in quotes, `data: "1000:1000"`'),
    ],
)
def test_owners_that_can_not_be_are_refused(owners: dict[str, str], message: str) -> None:
    with pytest.raises(validate.InvalidInputError) as caught:
        made(volumes=["data:/data"], volume_owners=owners)
    assert message in str(caught.value)
