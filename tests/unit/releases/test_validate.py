"""What is refused, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import validate

LOGIN = {"username": "u", "password": "p"}
GOOD = {"name": "shop", "image": "ghcr.io/acme/shop:1", "port": 8000}


def refused(*apps: dict[str, Any]) -> str:
    with pytest.raises(validate.InvalidInputError) as caught:
        validate.apps(list(apps))
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prot": 8000}, "app `shop`: unknown key `prot`: did you mean `port`?"),
        ({"xyz": 1}, "app `shop`: unknown key `xyz`: allowed are before,"),
        ({"health": {"paht": "/"}}, "app `shop`: `health`: unknown key `paht`: did you mean `path`?"),
        ({"health": {"timeout": "soon"}}, "app `shop`: `health`: `timeout: soon` is not a number"),
        ({"health": "/health"}, "app `shop`: `health: /health` is not a dictionary"),
        ({"health": {"status": 200}}, "`status: 200` is not a list"),
        ({"health": {"status": ["ok"]}}, "`status` item `1: ok` is not a whole number"),
        ({"health": {"status": [700]}}, "`health.status: 700` is not an HTTP status"),
        ({"health": {"status": []}}, "`health.status` is empty"),
        ({"health": {"path": "health"}}, "`health.path: health` must begin with /"),
        ({"health": {"path": "/gesund?größe=1&ok=%20"}}, "sends it, `path: /gesund?gr%C3%B6%C3%9Fe=1&ok=%20`"),
        ({"health": {"timeout": 0}}, "`health.timeout: 0` is out of range: 1 to 3600"),
        ({"image": None}, "app `shop`: `image` is missing: Image reference"),
        ({"image": "Shop:1"}, "`image: Shop:1` is not an image reference"),
        ({"image": "shop 1"}, "`image: shop 1` is not an image reference"),
        ({"name": "Shop"}, "app `Shop`: `name` takes a-z, 0-9 and inner hyphens"),
        ({"name": "shop-"}, "`name` takes a-z, 0-9 and inner hyphens"),
        ({"name": None}, "item 1 of the list of apps: `name` is missing"),
        ({"port": "0.0.0.0:8000:8000"}, "`port: 0.0.0.0:8000:8000` is an address, not a port"),
        ({"port": "8000:8000"}, "`port: 8000:8000` is an address, not a port"),
        ({"port": 0}, "`port: 0` is out of range: 1 to 65535"),
        ({"port": 70000}, "`port: 70000` is out of range: 1 to 65535"),
        ({"port": "http"}, "`port: http` is not a whole number"),
        ({"port": True}, "`port: True` is not a whole number"),
        ({"bind": "0.0.0.0"}, "`bind: 0.0.0.0`: the container would be reachable from everywhere: Docker's own"),
        ({"bind": "::"}, "`bind: ::`: the container would be reachable from everywhere"),
        ({"bind": "192.168.1.5"}, "`bind: 192.168.1.5`: the container would be reachable"),
        ({"bind": "localhost"}, "`bind: localhost` is not an address: allowed are 127.0.0.1"),
        ({"bind": "::ffff:127.0.0.1"}, "`bind: ::ffff:127.0.0.1`"),
        ({"host_ports": [1, 2, 3]}, "`host_ports` takes two different ports"),
        ({"host_ports": [8000, 8000]}, "`host_ports` takes two different ports"),
        ({"host_ports": [8000, 99999]}, "`host_ports: 99999` is out of range"),
        ({"port": None, "host_ports": [8000]}, "`host_ports` needs `port`"),
        ({"port": None, "upstream_file": "/x"}, "`upstream_file` needs `port`"),
        ({"upstream_file": "x.conf"}, "`upstream_file: x.conf` is not an absolute path"),
        ({"env": {"DEBUG": True}}, "`env`: `DEBUG` must be text or a number: write it in quotes"),
        ({"env": {"DEBUG": None}}, "`env`: `DEBUG` has no value"),
        ({"env": {"A B": "c"}}, "`env`: `A B` is not the name of an environment variable"),
        ({"env": {"Logging:Level:Default": "Debug"}}, "write `Logging__Level__Default`, which .NET reads alike"),
        ({"env": ["A=b"]}, "`env` is not a dictionary of names and values"),
        ({"secrets": {"KEY": "short"}}, "the value of `KEY` is shorter than 6 characters"),
        ({"env": {"KEY": "x"}, "secrets": {"KEY": "long-enough"}}, "`KEY` stands in both `env` and `secrets`"),
        ({"volumes": ["data"]}, "`volumes` item `data`: write `name:/path/in/container`"),
        ({"volumes": ["data:/"]}, "`volumes` item `data:/`: write"),
        ({"volumes": ["./data:/data"]}, "`volumes` item `./data:/data`: write"),
        ({"volumes": ["data:/data:readonly"]}, "unknown flag `readonly`: allowed are"),
        ({"volumes": ["a:/data", "b:/data/"]}, "/data is mounted more than once"),
        ({"restart": "sometimes"}, "`restart: sometimes`: allowed are unless-stopped, always, on-failure, no"),
        ({"state": "gone"}, "`state: gone`: allowed are present, absent"),
        ({"before": ["sh -c 'x"]}, "`before` item `sh -c 'x`: No closing quotation"),
        ({"before": [" "]}, "`before` item ` ` is no command"),
        ({"command": "sh -c 'x"}, "`command: sh -c 'x`: No closing quotation"),
        ({"cap_add": ["net raw"]}, "`cap_add` item `net raw` is not a capability"),
        ({"drain": 5000}, "`drain: 5000` is out of range"),
        ({"log": {"max_size": "big"}}, "`log.max_size: big` is not a size"),
        ({"log": {"max_file": 0}}, "`log.max_file: 0` is out of range"),
        ({"init": "maybe"}, "`init: maybe` is not `true` or `false`"),
    ],
)
def test_one_message_names_app_key_and_what_is_allowed(change: dict[str, Any], message: str) -> None:
    said = refused({**GOOD, **change})
    assert message in said
    assert len(said.splitlines()) == 1


def test_everything_that_is_wrong_is_said_at_once() -> None:
    said = refused({**GOOD, "prot": 1, "restart": "x"}, {**GOOD, "name": "other", "bind": "0.0.0.0"})
    assert len(said.splitlines()) == 3


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ({**GOOD}, "two apps are called `shop`: every app needs a name of its own"),
        (
            {**GOOD, "name": "b", "host_ports": [8000, 8002]},
            "127.0.0.1:8000 stands under `host_ports` of more than one app: `shop`, `b`",
        ),
        (
            {**GOOD, "name": "b", "upstream_file": "/u.conf"},
            "`upstream_file: /u.conf` belongs to more than one app: `shop`, `b`",
        ),
    ],
)
def test_two_apps_share_no_name_port_or_file(second: dict[str, Any], message: str) -> None:
    first = {**GOOD, "host_ports": [8000, 8001], "upstream_file": "/u.conf"}
    assert refused(first, second) == message


@pytest.mark.parametrize(
    ("other", "refused_too"),
    [
        ({"image": "postgres:16"}, True),
        ({"image": "docker.io/library/postgres:16"}, True),
        ({"image": "postgres:16", "image_archive": "other.tar"}, True),
        ({"image": "postgres:16", "image_archive": "built.tar"}, False),
        ({"image": "postgres:16", "pull": "never"}, False),
        ({"image": "postgres:17"}, False),
        ({"image": "postgres:16", "state": "absent"}, False),
    ],
)
def test_the_file_of_one_app_replaces_the_image_of_no_other(other: dict[str, Any], refused_too: bool) -> None:
    built = {**GOOD, "image": "postgres:16", "image_archive": "built.tar"}
    database = {**GOOD, "name": "db", **other}
    if refused_too:
        assert "of app `db` would be replaced by the `image_archive` of app `shop`" in refused(built, database)
    else:
        assert len(validate.apps([built, database])) == 2


@pytest.mark.parametrize("raw", [None, "shop", {"name": "shop"}])
def test_a_list_is_a_list(raw: Any) -> None:
    with pytest.raises(validate.InvalidInputError, match="is not a list: every app starts with `- name:`"):
        validate.apps(raw)


def test_no_message_quotes_a_secret() -> None:
    for secrets in ("hunter2", ["hunter2"], {"KEY": ["hunter2"]}, {"KEY": "hunt2"}, {"a b": "hunter2-long"}):
        said = refused({**GOOD, "secrets": secrets})
        assert "hunt" not in said


def test_defaults_are_filled_in_at_every_depth() -> None:
    (app,) = validate.apps([{"name": "shop", "image": "shop", "port": "8000", "health": {"path": "/health"}}])
    assert (app["port"], app["bind"], app["restart"], app["state"]) == (8000, "127.0.0.1", "unless-stopped", "present")
    assert app["health"]["path"] == "/health"
    assert app["health"]["status"] == [200]
    assert app["log"] == {"driver": "local", "max_size": "10m", "max_file": 5, "options": {}}


def test_null_counts_as_left_out() -> None:
    (app,) = validate.apps([{**GOOD, "health": None, "env": None, "host_ports": None}])
    assert (app["health"]["timeout"], app["env"], app["host_ports"]) == (60, {}, [])


def test_an_absent_app_needs_no_image() -> None:
    (app,) = validate.apps([{"name": "shop", "state": "absent"}])
    assert (app["state"], app["image"]) == ("absent", None)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("gunicorn -w 2 'app:make(x, y)'", ["gunicorn", "-w", "2", "app:make(x, y)"]),
        (["gunicorn", "-w", 2], ["gunicorn", "-w", "2"]),
        (None, []),
    ],
)
def test_a_command_is_a_list_or_a_line(written: Any, read: list[str]) -> None:
    (app,) = validate.apps([{**GOOD, "command": written}])
    assert app["command"] == read


def test_numbers_in_the_environment_become_text() -> None:
    (app,) = validate.apps([{**GOOD, "env": {"WORKERS": 4, "RATIO": 0.5}, "secrets": {"PIN": 123456}}])
    assert (app["env"], app["secrets"]) == ({"WORKERS": "4", "RATIO": "0.5"}, {"PIN": "123456"})


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.8.9.1", "::1"])
def test_addresses_that_only_the_server_reaches(bind: str) -> None:
    assert validate.bind_problem(bind) is None


def test_registries_are_found_by_host() -> None:
    given = [{"registry": "ghcr.io", "username": "u", "password": "p"}]
    assert validate.registries(given) == {"ghcr.io": {"username": "u", "password": "p"}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([{"registry": "ghcr.io", "username": "u"}], "`password` is missing"),
        ([{"registry": "a", "username": "u", "password": "p", "token": 1}], "unknown key `token`"),
        ([{"registry": "a", "username": "u", "password": "p"}] * 2, "`a` stands in the list twice"),
        ({"registry": "a"}, "the registries are not a list"),
        (["a"], "item 1 of the registries is not a dictionary"),
        ([{**LOGIN, "registry": "ghcr.io/acme"}], "`registry: ghcr.io/acme`: write the host alone"),
        (
            [{**LOGIN, "registry": "docker.io"}, {**LOGIN, "registry": "https://index.docker.io/v1/"}],
            "`docker.io` stands in the list twice, here as `https://index.docker.io/v1/`",
        ),
    ],
)
def test_registries_that_can_not_be_used(given: Any, message: str) -> None:
    with pytest.raises(validate.InvalidInputError, match=message):
        validate.registries(given)


def test_port_range() -> None:
    assert validate.port_range("18000-18002") == range(18000, 18003)


@pytest.mark.parametrize("text", ["18000", "18000-18000", "90-99", "18000-70000", "a-b", "18001-18000"])
def test_port_ranges_that_can_not_be_used(text: str) -> None:
    with pytest.raises(validate.InvalidInputError, match="is no range of ports"):
        validate.port_range(text)


def test_a_choice_of_apps_names_apps() -> None:
    assert validate.strangers(["shpo"], ["shop", "blog"]) == ["no app is called `shpo`: did you mean `shop`?"]
