"""Rights that give the server away, and the word of consent that they need."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import mounts, rights, spec, validate

GOOD: dict[str, Any] = {"name": "shop", "image": "ghcr.io/acme/shop:1", "port": 8000}


def refused(**change: Any) -> list[str]:
    try:
        validate.apps([{**GOOD, **change}])
    except validate.InvalidInputError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    "source",
    [
        "/",
        "//",
        "/srv/../etc",
        "/etc",
        "/etc/cron.d",
        "/root",
        "/root/.ssh",
        "/home",
        "/home/ann",
        "/home/ann/.ssh",
        "/srv/www/.ssh/authorized_keys",
        "/proc",
        "/sys/fs/cgroup",
        "/dev",
        "/run",
        "/var/run",
        "/run/systemd/private",
        "/run/docker.sock",
        "/var/run/docker.sock",
        "/srv/proxy/docker.sock",
        "/run/containerd/containerd.sock",
        "/var",
        "/var/lib",
        "/var/lib/docker/volumes",
        "/var/lib/portside/apps/other/secrets",
        "/var/spool/cron/crontabs",
        "/usr/local/bin",
    ],
)
def test_what_gives_the_server_away_is_refused_without_consent(source: str) -> None:
    (said,) = refused(volumes=[f"{source}:/mounted"])
    path = mounts.canonical(source)
    assert said.startswith(f"app `shop`: `volumes`: with `{path}` of the server, whoever gets into the container")
    assert said.endswith(f"if that is meant, write `host_access: [{path}]`")
    assert refused(volumes=[f"{source}:/mounted"], host_access=[source]) == []


@pytest.mark.parametrize(
    "volume",
    [
        "data:/data",
        "/srv/shop:/data",
        "/opt/shop/data:/data",
        "/home/ann/shop/data:/data",
        "/var/log/shop:/log",
        "/var/lib/shop:/data",
        "/var/www/shop:/www",
        "/etc/localtime:/etc/localtime:ro",
        "/etc/ssl/certs:/etc/ssl/certs:ro",
        "/etc/shop/ca.pem:/ca.pem:ro",
        "/usr/share/zoneinfo:/usr/share/zoneinfo:ro",
        "/lib/modules:/lib/modules:ro",
        "/run/systemd/resolve/stub-resolv.conf:/etc/resolv.conf:ro",
        "/devices:/data",
        "/run/postgresql:/run/postgresql",
        "/var/run/mysqld:/var/run/mysqld",
    ],
)
def test_data_of_the_app_and_public_files_need_no_consent(volume: str) -> None:
    assert refused(volumes=[volume]) == []


@pytest.mark.parametrize(
    "source", ["/", "/etc", "/etc/shadow", "/etc/letsencrypt/live/shop", "/etc/ssl", "/etc/ssh/key", "/var/lib/docker"]
)
def test_reading_keys_and_passwords_of_the_server_needs_consent_too(source: str) -> None:
    assert len(refused(volumes=[f"{source}:/mounted:ro"])) == 1


@pytest.mark.parametrize("name", ["ALL", "SYS_ADMIN", "CAP_SYS_ADMIN", "SYS_MODULE", "DAC_READ_SEARCH", "BPF", "NEW"])
def test_a_capability_beyond_the_container_is_refused_without_consent(name: str) -> None:
    (said,) = refused(cap_add=["CHOWN", name])
    bare = name.removeprefix("CAP_")
    assert f"`cap_add` item `{bare}` acts on the whole server" in said
    assert said.endswith(f"write `host_access: [{bare}]`")
    assert refused(cap_add=["CHOWN", name], host_access=[name]) == []


def test_what_acts_inside_of_the_container_needs_no_consent() -> None:
    assert refused(cap_add=["NET_ADMIN", "NET_RAW", "SYS_PTRACE", "IPC_LOCK"]) == []


def test_consent_covers_what_it_names_and_nothing_else() -> None:
    wanted = {"volumes": ["/var/run/docker.sock:/s", "/etc:/e:ro"], "host_access": ["/var/run/docker.sock"]}
    (said,) = refused(**wanted)
    assert said.endswith("write `host_access: [/var/run/docker.sock, /etc]`")


def test_consent_that_nothing_needs_is_refused() -> None:
    (said,) = refused(volumes=["data:/data"], host_access=["/"])
    assert "`host_access` item `/` names nothing that the app has: remove it" in said


def test_consent_makes_no_app_another_release() -> None:
    def made(**change: Any) -> str:
        return spec.fingerprint(spec.app(validate.recorded({**GOOD, "cap_add": ["ALL"], **change})), b"salt")

    assert made(host_access=["ALL"]) == made()


def test_rights_of_a_release_are_told_from_what_was_recorded_of_it() -> None:
    app = spec.app(validate.apps([{**GOOD, "volumes": ["/run:/run:ro"], "host_access": ["/run"]}])[0])
    recorded = spec.recorded(app)
    assert rights.beyond(recorded["cap_add"], recorded["volumes"]) == ["/run"]
