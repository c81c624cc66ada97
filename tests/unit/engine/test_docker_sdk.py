"""What Docker's answers are read as; captured on Docker 20.10."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests
from ansible_collections.portside.vps.plugins.module_utils.engine import docker_sdk
from ansible_collections.portside.vps.plugins.module_utils.engine.base import (
    Condition,
    EngineError,
    EngineUnavailableError,
    Image,
    NetworkGoneError,
)
from ansible_collections.portside.vps.plugins.module_utils.engine.docker_sdk import DockerEngine, PullError

CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> Any:
    return json.loads((CAPTURED / f"{name}.json").read_text())


class Client:
    """Stands in for docker.APIClient: each method gives, or raises, what it was told to."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            self.asked.append((name, arguments, options))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def engine(**answers: Any) -> tuple[DockerEngine, Client]:
    client = Client(**answers)
    return DockerEngine(connect=lambda **_: client), client


def refusal(status: int, said: str) -> docker.errors.APIError:
    response = requests.Response()
    response.status_code = status
    kind = docker.errors.NotFound if status == 404 else docker.errors.APIError
    return kind(said, response=response, explanation=said)


def test_containers_of_our_label() -> None:
    docker, client = engine(containers=captured("containers_20.10"))
    found = docker.containers()
    assert [(item.name, item.app, item.release, item.status) for item in found] == [
        ("pu-run", "shop", 3, "running"),
        ("pu-exit", "shop", 4, "exited"),
        ("pu-loop", "shop", 5, found[2].status),
    ]
    assert found[0].host_ports == (18443,)
    assert found[0].hash == "abc"
    assert found[0].image_id.startswith("sha256:8160e0a3")
    assert client.asked == [("containers", (), {"all": True, "filters": {"label": ["portside.app"]}})]


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("inspect_run_20.10", Condition("running")),
        ("inspect_exit_20.10", Condition("exited", exit_code=3)),
    ],
)
def test_condition_of_a_container(name: str, condition: Condition) -> None:
    assert docker_sdk.condition(captured(name)) == condition


# Of a container with two volumes, a directory of the server, and a place in memory, which is not among them.
MOUNTS = [
    {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "RW": True},
    {"Type": "volume", "Name": "seen", "Source": "/var/lib/docker/volumes/seen/_data", "RW": False},
    {"Type": "bind", "Source": "/srv/shop", "RW": True},
    {"Type": "tmpfs", "Source": "", "RW": True},
]


def test_what_a_container_writes_to_is_known_by_volume_and_path() -> None:
    (listed, *_) = captured("containers_20.10")
    assert docker_sdk.container({**listed, "Mounts": MOUNTS}).writes == ("data", "/srv/shop")
    assert docker_sdk.container({**listed, "Mounts": None}).writes == ()


VOLUME = {"Driver": "local", "Mountpoint": "/var/lib/docker/volumes/data/_data", "Options": None}


@pytest.mark.parametrize(
    ("volume", "security", "directory"),
    [
        (VOLUME, ["name=apparmor"], VOLUME["Mountpoint"]),
        ({**VOLUME, "Options": {"type": "nfs", "device": ":/data"}}, [], ""),
        ({**VOLUME, "Driver": "rclone"}, [], ""),
        (VOLUME, ["name=userns"], ""),
        (refusal(404, "no such volume"), [], ""),
    ],
)
def test_only_a_plain_volume_is_a_directory_to_give_away(volume: Any, security: list[str], directory: str) -> None:
    docker, _ = engine(inspect_volume=volume, info={"SecurityOptions": security})
    assert docker.volume_directory("data") == directory


def test_a_container_in_a_crash_loop_has_restarts() -> None:
    found = docker_sdk.condition(captured("inspect_loop_20.10"))
    assert (found.exit_code, found.restarts > 0) == (7, True)


def test_an_image_that_was_never_in_a_registry_has_no_digest() -> None:
    found = docker_sdk.image(captured("image_20.10"))
    assert found.id.startswith("sha256:")
    assert found.digests == ()


def test_an_image_that_is_not_there() -> None:
    docker, _ = engine(inspect_image=refusal(404, "No such image"))
    assert docker.image("shop:1") is None


@pytest.mark.parametrize(
    ("said", "hint", "passing"),
    [
        ("manifest for r/probe:nosuch not found: manifest unknown: manifest unknown", "no such tag", False),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "no such repo", False),
        ('Head "https://r/v2/x": unauthorized: authentication required', "docker_app_registries", False),
        ("no basic auth credentials", "docker_app_registries", False),
        ('Get "https://r/v2/": http: server gave HTTP response to HTTPS client', "insecure-registries", True),
        ('Get "https://r/v2/": dial tcp 140.82.121.33:443: connect: network is unreachable', "NAT64", True),
        ('Get "https://r/v2/": dial tcp: lookup r on 1.1.1.1:53: no such host', "can't resolve", True),
        ('Get "https://r/v2/": proxyconnect tcp: dial tcp 10.0.0.1:3128: connect: refused', "`proxies`", True),
        ('Get "https://r/v2/": net/http: request canceled (Client.Timeout exceeded)', "could not be pulled", True),
    ],
)
def test_a_pull_that_failed_says_what_helps(said: str, hint: str, passing: bool) -> None:
    for answer in ({"pull": refusal(500, said)}, {"pull": [{"status": "Pulling"}, {"error": said}]}):
        docker, _ = engine(**answer)
        with pytest.raises(PullError) as caught:
            docker.pull("r/x:1", None)
        assert hint in str(caught.value)
        assert said in str(caught.value)
        assert caught.value.passing is passing


def test_credentials_are_handed_over_with_the_pull() -> None:
    docker, client = engine(pull=[{"status": "done"}], inspect_image=captured("image_20.10"))
    found = docker.pull("ghcr.io/acme/shop:1", {"username": "u", "password": "p"})
    assert found == Image(found.id)
    _, arguments, options = client.asked[0]
    assert arguments == ("ghcr.io/acme/shop:1",)
    assert options["auth_config"] == {"username": "u", "password": "p"}


def test_a_container_is_made_from_the_body_as_it_is() -> None:
    docker, client = engine(create_container_from_config={"Id": "abc"})
    assert docker.create("shop-r1", {"Image": "shop:1"}) == "abc"
    assert client.asked == [("create_container_from_config", ({"Image": "shop:1"},), {"name": "shop-r1"})]


@pytest.mark.parametrize(("paused", "call"), [(False, "start"), (True, "unpause")])
def test_a_paused_container_goes_on(paused: bool, call: str) -> None:
    docker, client = engine(inspect_container={"State": {"Paused": paused}})
    docker.start("abc")
    assert client.asked[-1][0] == call


def test_what_is_gone_is_stopped_and_removed() -> None:
    docker, client = engine(stop=refusal(404, "gone"), remove_container=refusal(404, "gone"))
    docker.stop("abc", 30)
    docker.remove("abc")
    assert client.asked == [
        ("stop", ("abc",), {"timeout": 30}),
        ("remove_container", ("abc",), {"v": True, "force": True}),
    ]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (404, "No such container: abc"),
        (409, "Restart policy cannot be updated because AutoRemove is enabled for the container"),
    ],
)
def test_what_ends_for_good_needs_no_restart_policy(status: int, said: str) -> None:
    docker, client = engine(update_container=refusal(status, said))
    docker.set_restart("abc", "no")
    assert client.asked == [("update_container", ("abc",), {"restart_policy": {"Name": "no"}})]


def test_any_other_refusal_of_a_restart_policy_is_an_error() -> None:
    docker, _ = engine(update_container=refusal(500, "no space left on device"))
    with pytest.raises(EngineError, match="no space left"):
        docker.set_restart("abc", "no")


def test_what_docker_is_removing_itself_is_removed() -> None:
    docker, client = engine(remove_container=refusal(409, "removal of container abc is already in progress"))
    docker.remove("abc", volumes=False)
    assert client.asked == [("remove_container", ("abc",), {"v": False, "force": True})]


@pytest.mark.parametrize("status", [404, 500])
def test_a_container_whose_network_was_removed_is_known_as_such(status: int) -> None:
    docker, _ = engine(inspect_container={"State": {}}, start=refusal(status, "network 0d1a5c not found"))
    with pytest.raises(NetworkGoneError, match="network 0d1a5c not found"):
        docker.start("abc")


@pytest.mark.parametrize("status", [404, 409])
def test_an_image_in_use_stays(status: int) -> None:
    docker, _ = engine(remove_image=refusal(status, "image is being used by running container"))
    docker.remove_image("sha256:abc")


def test_a_refusal_says_what_was_being_done() -> None:
    docker, _ = engine(inspect_container={"State": {}}, start=refusal(500, "driver failed programming"))
    with pytest.raises(EngineError, match="Docker could not start the container: driver failed programming"):
        docker.start("abc")


def test_a_daemon_that_is_down_is_said_with_where_to_look() -> None:
    def connect(**_: Any) -> Any:
        raise docker.errors.DockerException("Error while fetching server API version: ('Connection aborted.')")

    with pytest.raises(EngineUnavailableError, match="systemctl status docker"):
        DockerEngine(connect=connect)
    down, _ = engine(containers=requests.exceptions.ConnectionError("refused"))
    with pytest.raises(EngineUnavailableError, match="systemctl status docker"):
        down.containers()


def test_a_log_that_can_not_be_read_is_no_failure() -> None:
    docker, _ = engine(logs=refusal(501, "configured logging driver does not support reading"))
    assert "does not support reading" in docker.logs("abc", 50)[0]
    docker, _ = engine(logs=b"one\ntw\xffo\n")
    assert docker.logs("abc", 50) == ["one", "tw\ufffdo"]


def test_no_network_is_made_that_the_firewall_was_to_shut_and_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []
    client = SimpleNamespace(
        networks=lambda names: [],
        inspect_network=lambda name: {},
        create_network=lambda name, **options: made.append(options["options"]),
    )
    engine = object.__new__(docker_sdk.DockerEngine)
    monkeypatch.setattr(engine, "_client", client, raising=False)
    monkeypatch.setattr(docker_sdk, "shut", lambda bridge: bridge == "br-1")
    with pytest.raises(EngineError, match=r"no rule yet for network portside.list.db .* run site.yml"):
        engine.ensure_network("portside.list.db", "br-2")
    assert made == []
    engine.ensure_network("portside.list.db", "br-1")
    assert made == [{"com.docker.network.bridge.name": "br-1"}]
