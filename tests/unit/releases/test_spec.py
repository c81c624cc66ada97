"""An app as it is wanted: its hash, its container."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App

SALT = b"salt"


def made(**changes: Any) -> App:
    return spec.app(validate.apps([{"name": "shop", "image": "shop:1", "port": 8000, **changes}])[0])


@pytest.mark.parametrize(
    "change",
    [
        {"image": "shop:2"},
        {"port": 9000},
        {"bind": "::1"},
        {"env": {"A": "b"}},
        {"secrets": {"KEY": "value-two"}},
        {"volumes": ["data:/data"]},
        {"command": ["true"]},
        {"restart": "always"},
        {"init": False},
        {"cap_add": []},
        {"log": {"max_file": 2}},
        {"stop_timeout": 5},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_the_container_is_made_of_is_in_the_hash(change: dict[str, Any]) -> None:
    base = {"secrets": {"KEY": "value-one"}}
    assert spec.fingerprint(made(**base), SALT) != spec.fingerprint(made(**{**base, **change}), SALT)


@pytest.mark.parametrize(
    "change", [{"health": {"path": "/x"}}, {"drain": 1}, {"upstream_file": "/x"}, {"host_ports": [1, 2]}]
)
def test_how_a_release_is_made_is_not(change: dict[str, Any]) -> None:
    assert spec.fingerprint(made(), SALT) == spec.fingerprint(made(**change), SALT)


def test_the_order_in_which_variables_are_written_is_not() -> None:
    one, two = made(env={"A": "1", "B": "2"}), made(env={"B": "2", "A": "1"})
    assert spec.fingerprint(one, SALT) == spec.fingerprint(two, SALT)


def test_another_host_has_another_hash() -> None:
    assert spec.fingerprint(made(), SALT) != spec.fingerprint(made(), b"other")


def test_a_record_and_a_representation_have_names_of_secrets_only() -> None:
    app = made(secrets={"KEY": "hunter2-hunter2"})
    assert spec.recorded(app)["secrets"] == ["KEY"]
    assert "hunter2" not in repr(app)


def test_a_container_is_published_on_loopback_and_runs_with_few_rights() -> None:
    config = spec.container_config(made(env={"A": "b"}, command=["serve"]), "shop:1", 7, "abc", 18001)
    assert config == {
        "Image": "shop:1",
        "Env": ["A=b"],
        "Labels": {"portside.app": "shop", "portside.release": "7", "portside.hash": "abc"},
        "StopTimeout": 30,
        "NetworkingConfig": {"EndpointsConfig": {"portside.app.shop": {"Aliases": ["shop"]}}},
        "Cmd": ["serve"],
        "ExposedPorts": {"8000/tcp": {}},
        "HostConfig": {
            "RestartPolicy": {"Name": "no"},
            "Init": True,
            "CapDrop": ["ALL"],
            "CapAdd": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"],
            "SecurityOpt": ["no-new-privileges"],
            "Binds": [],
            "NetworkMode": "portside.app.shop",
            "PidsLimit": 4096,
            "LogConfig": {"Type": "local", "Config": {"max-size": "10m", "max-file": "5"}},
            "PortBindings": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18001"}]},
        },
    }


def test_a_worker_publishes_nothing() -> None:
    config = spec.container_config(made(port=None), "shop:1", 1, "abc", None)
    assert "ExposedPorts" not in config
    assert "PortBindings" not in config["HostConfig"]


def test_a_log_driver_that_writes_no_files_gets_no_rotation() -> None:
    config = spec.container_config(made(log={"driver": "journald"}), "shop:1", 1, "abc", 1)
    assert config["HostConfig"]["LogConfig"] == {"Type": "journald", "Config": {}}


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("redis", "docker.io"),
        ("acme/shop:1", "docker.io"),
        ("docker.io/acme/shop", "docker.io"),
        ("index.docker.io/acme/shop", "docker.io"),
        ("ghcr.io/acme/shop:1", "ghcr.io"),
        ("registry:5000/shop", "registry:5000"),
        ("localhost/shop", "localhost"),
        ("registry-1.docker.io/library/redis:7", "docker.io"),
        ("GHCR.io/acme/shop:1", "ghcr.io"),
        ("ghcr.io:443/acme/shop:1", "ghcr.io"),
    ],
)
def test_registry_of_an_image(image: str, registry: str) -> None:
    assert spec.registry_of(image) == registry


@pytest.mark.parametrize(
    ("image", "floating"),
    [
        ("redis", True),
        ("redis:latest", True),
        ("registry:5000/redis", True),
        ("redis:7", False),
        ("registry:5000/redis:7", False),
        ("redis@sha256:" + "0" * 64, False),
    ],
)
def test_images_without_a_fixed_tag(image: str, floating: bool) -> None:
    assert spec.floating(image) is floating


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ("redis", "docker.io/library/redis:latest"),
        ("redis:7", "docker.io/library/redis:7"),
        ("acme/shop:1", "docker.io/acme/shop:1"),
        ("index.docker.io/library/redis:7", "docker.io/library/redis:7"),
        ("ghcr.io/acme/shop:1", "ghcr.io/acme/shop:1"),
        ("localhost:5000/shop", "localhost:5000/shop:latest"),
        ("shop@sha256:ab", "docker.io/library/shop@sha256:ab"),
    ],
)
def test_an_image_has_one_spelling(image: str, reference: str) -> None:
    assert spec.spelt_out(image) == reference
