"""Options of a container in the Engine API's words, and what of them is refused."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import container_body, networks, spec, validate
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

GOOD = {"name": "shop", "image": "shop:1", "port": 8000}


def body(**options: Any) -> dict[str, Any]:
    app = spec.app(validate.apps([{**GOOD, **options}])[0])
    return spec.container_config(app, "shop:1", 3, "abc", 18000, secrets_dir="/state/shop/secrets/r3")


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"memory": "512m"}, {"Memory": 512 << 20}),
        ({"cpus": 1.5}, {"CpuQuota": 150_000, "CpuPeriod": 100_000}),
        ({"pids": 100}, {"PidsLimit": 100}),
        ({"shm_size": "1G"}, {"ShmSize": 1 << 30}),
        ({"ulimits": {"nofile": 65536}}, {"Ulimits": [{"Name": "nofile", "Soft": 65536, "Hard": 65536}]}),
        ({"ulimits": {"nofile": "1:-1"}}, {"Ulimits": [{"Name": "nofile", "Soft": 1, "Hard": -1}]}),
        ({"tmpfs": ["/tmp", "/run/x:size=1m"]}, {"Tmpfs": {"/tmp": "", "/run/x": "size=1m"}}),
        ({"extra_hosts": {"db": "10.0.0.5"}}, {"ExtraHosts": ["db:10.0.0.5"]}),
        ({"extra_hosts": {"six": "fd00::1"}}, {"ExtraHosts": ["six:fd00::1"]}),
        ({"read_only": True}, {"ReadonlyRootfs": True}),
        ({"networks": ["a", "b"]}, {"NetworkMode": "portside.net.a"}),
        (
            {"log": {"driver": "journald", "options": {"tag": "x"}}},
            {"LogConfig": {"Type": "journald", "Config": {"tag": "x"}}},
        ),
    ],
)
def test_what_the_host_gives(option: dict[str, Any], expected: dict[str, Any]) -> None:
    found = body(**option)["HostConfig"]
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ({"user": 10001}, {"User": "10001"}),
        ({"workdir": "/srv"}, {"WorkingDir": "/srv"}),
        ({"stop_signal": "SIGQUIT"}, {"StopSignal": "SIGQUIT"}),
    ],
)
def test_what_the_program_gets(option: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(**option).items() >= expected.items()


def test_labels_stand_beside_the_engine_s_own() -> None:
    assert body(labels={"team": 7})["Labels"] == {
        "team": "7",
        "portside.app": "shop",
        "portside.release": "3",
        "portside.hash": "abc",
    }


def test_what_is_left_out_is_left_to_docker_and_the_image() -> None:
    found = body(pids=0)
    assert not {"User", "WorkingDir", "StopSignal"} & set(found)
    assert not {"Memory", "CpuQuota", "PidsLimit", "Tmpfs", "ReadonlyRootfs", "Ulimits"} & set(found["HostConfig"])


def test_secrets_are_variables_or_files_and_never_both() -> None:
    secrets = {"API_KEY": "hunter2-hunter2"}
    variables, files = body(secrets=secrets), body(secrets=secrets, secrets_as="files")
    assert variables["Env"] == ["API_KEY=hunter2-hunter2"]
    assert variables["HostConfig"]["Binds"] == []
    assert "hunter2" not in str(files)
    assert files["HostConfig"]["Binds"] == ["/state/shop/secrets/r3:/run/secrets:ro"]


def test_a_private_app_publishes_nothing_and_makes_room_for_its_next_release() -> None:
    app = spec.app(validate.apps([{**GOOD, "expose": "private"}])[0])
    assert (app.published, app.recreates) == (False, True)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"memory": "512"}, "`memory: 512` is not a size with its unit"),
        ({"memory": "1m"}, "`memory: 1m` is too little"),
        ({"shm_size": "big"}, "`shm_size: big` is not a size with its unit"),
        ({"cpus": -1}, "`cpus: -1` is out of range"),
        ({"pids": -1}, "`pids: -1` is out of range"),
        ({"ulimits": {"nofile": "many"}}, "`ulimits`: `nofile: many`: write"),
        ({"ulimits": [1]}, "`ulimits` is not a dictionary of names and values: write `ulimits: {nofile: 65536}`"),
        ({"tmpfs": ["tmp"]}, "`tmpfs` item `tmp`: write `/path`"),
        ({"tmpfs": "/tmp"}, '`tmpfs: /tmp` is not a list: write `tmpfs: ["/tmp:size=64m"]`'),
        ({"tmpfs": ["/data"], "volumes": ["x:/data"]}, "/data is mounted more than once"),
        ({"secrets_as": "files", "volumes": ["x:/run/secrets"]}, "/run/secrets is mounted more than once"),
        ({"secrets_as": "swarm"}, "`secrets_as: swarm`: allowed are env, files"),
        ({"user": "a b"}, "`user: a b`: write a name or a number"),
        ({"workdir": "srv"}, "`workdir: srv` is not an absolute path"),
        ({"stop_signal": "QUIT"}, "`stop_signal: QUIT` is not a signal such as `SIGQUIT`"),
        ({"extra_hosts": {"db": "db.example.com"}}, "`extra_hosts`: `db: db.example.com`: write a name and an address"),
        ({"labels": {"portside.app": "x"}}, "`labels`: `portside.app`: labels that begin with `portside.`"),
        ({"labels": {"a": True}}, "`labels`: `a` must be text or a number"),
        ({"networks": ["Back End"]}, "`networks` item `Back End`: a name takes a-z"),
        ({"networks": ["a", "a"]}, "`networks`: `a` stands there twice"),
        ({"expose": "private", "host_ports": [1, 2]}, "`host_ports` needs `expose: public`"),
        ({"expose": "internal"}, "`expose: internal`: allowed are public, private"),
    ],
)
def test_a_mistake_is_named_with_what_to_write(option: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        validate.apps([{**GOOD, **option}])
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(("text", "found"), [("1", 1), ("2k", 2048), ("3M", 3 << 20), ("1g", 1 << 30)])
def test_sizes(text: str, found: int) -> None:
    assert container_body.size(text) == found


def test_an_app_is_on_the_networks_it_shares_or_on_its_own() -> None:
    assert networks.bridges("shop", [], {}) == {"portside.app.shop": ""}
    assert networks.bridges("shop", ["a", "b"], {}) == {"portside.net.a": "", "portside.net.b": ""}


@pytest.mark.parametrize(
    ("shared", "fixed", "expected"),
    [
        ([], {"_own": "br-1"}, {"portside.list.shop": "br-1"}),
        (["a"], {"a": "br-2"}, {"portside.shut.a": "br-2"}),
        (["a", "b"], {"a": "br-2"}, {"portside.shut.a": "br-2", "portside.net.b": ""}),
        (["a"], {"a": "br-2", "_own": ""}, {"portside.app.shop": "", "portside.shut.a": "br-2"}),
        (["a"], {"a": "br-2", "_own": "br-1"}, {"portside.list.shop": "br-1", "portside.shut.a": "br-2"}),
    ],
)
def test_a_container_goes_out_by_the_network_that_is_meant_for_it(
    shared: list[str], fixed: dict[str, str], expected: dict[str, str]
) -> None:
    """Docker takes the first by name: a shut one comes last."""
    found = networks.bridges("shop", shared, fixed)
    assert found == expected
    first = min(found)
    assert not first.startswith("portside.shut.") or set(found) == {first}


def test_a_network_that_is_shut_has_a_bridge_that_the_firewall_knows() -> None:
    assert networks.body({}, "br-1")["options"] == {"com.docker.network.bridge.name": "br-1"}


def test_a_network_has_the_mtu_of_docker_s_own() -> None:
    assert networks.body({networks.MTU: "1450"})["options"] == {networks.MTU: "1450"}
    assert networks.body({})["options"] == {}


def test_networks_that_nobody_is_on_any_more() -> None:
    own = ["bridge", "portside.app.shop", "portside.net.a", "portside.net.b"]
    assert networks.deserted(own, ["portside.net.b"]) == ["portside.app.shop", "portside.net.a"]


@pytest.mark.parametrize("option", ["networks", "tmpfs", "user", "memory", "read_only", "labels"])
def test_an_option_that_says_nothing_makes_no_other_release(option: str) -> None:
    one, two = (spec.app(validate.apps([{**GOOD, **more}])[0]) for more in ({}, {option: None}))
    assert spec.fingerprint(one, b"s") == spec.fingerprint(two, b"s")
    assert option not in spec.recorded(one)


@pytest.mark.parametrize(
    "change",
    [
        {"networks": ["a"]},
        {"expose": "private"},
        {"tmpfs": ["/tmp"]},
        {"user": "1"},
        {"memory": "64m"},
        {"pids": 5},
        {"secrets_as": "files"},
        {"labels": {"a": "b"}},
        {"read_only": True},
        {"stop_signal": "SIGINT"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_option_that_says_something_is_in_the_hash_and_in_the_record(change: dict[str, Any]) -> None:
    plain, changed = (spec.app(validate.apps([{**GOOD, **more}])[0]) for more in ({}, change))
    assert spec.fingerprint(plain, b"s") != spec.fingerprint(changed, b"s")
    assert spec.changed_keys(spec.recorded(plain), spec.recorded(changed)) == list(change)
