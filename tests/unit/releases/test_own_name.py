"""What a container takes for its own name, and what it runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.before import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App

from tests.unit.releases.release_fakes import Box, Host, releaser

CAPTURED = Path(__file__).parent / "captured"
QUEUE: dict[str, Any] = {
    "name": "queue",
    "image": "rabbitmq:4.0",
    "port": 5672,
    "expose": "private",
    "volumes": ["queue-data:/var/lib/rabbitmq"],
    "before": ["true"],
}


def made(**changes: Any) -> App:
    return spec.app(validate.apps([{"name": "shop", "image": "shop:1", "port": 8000, **changes}])[0])


def config(app: App, release: int = 1, replica: int = 1) -> dict[str, Any]:
    return spec.container_config(app, app.image, release, "hash", 18000, replica=replica)


@pytest.mark.parametrize("change", [{"expose": "private"}, {"strategy": "recreate"}, {"host_ports": [8000]}])
def test_what_runs_alone_keeps_its_host_name_across_releases(change: dict[str, Any]) -> None:
    assert [config(made(**change), release)["Hostname"] for release in (1, 2)] == ["shop", "shop"]


def test_what_runs_beside_its_last_release_has_a_name_if_it_says_one() -> None:
    assert "Hostname" not in config(made())
    assert config(made(hostname="queue"))["Hostname"] == "queue"
    assert config(made(hostname="other", expose="private"))["Hostname"] == "other"


def test_no_two_replicas_have_one_host_name() -> None:
    app = made(hostname="queue", replicas=3)
    assert [config(app, replica=number)["Hostname"] for number in (1, 2, 3)] == ["queue", "queue-2", "queue-3"]


def test_a_migration_has_the_name_of_the_release_that_it_is_for() -> None:
    assert Job("shop-r1", 1, ("true",), 60).config(config(made(hostname="queue")))["Hostname"] == "queue"


@pytest.mark.parametrize("name", ["-a", "a_b", "a..b", "a.", "x" * 64])
def test_a_host_name_that_no_container_can_have_is_refused(name: str) -> None:
    with pytest.raises(validate.InvalidInputError, match="is not a host name: letters, digits and inner hyphens"):
        made(hostname=name)
    assert made(hostname="x" * 63)


def test_room_is_left_for_the_number_of_a_replica() -> None:
    with pytest.raises(validate.InvalidInputError, match="at most 61 characters"):
        made(hostname="x" * 62, replicas=2)


def queue(root: Path) -> Host:
    """A host on which version 0.1 released a RabbitMQ: what it wrote stands in `captured`."""
    host = Host(root / "apps", present={"rabbitmq:4.0": "one"})
    host.silent.add(("172.18.0.2", 5672))
    app = root / "apps" / "queue"
    (app / "releases").mkdir(parents=True)
    (app / "secrets").mkdir()
    (root / "apps" / ".salt").write_text("00" * 32 + "\n")
    shutil.copy(CAPTURED / "state_0.1.json", app / "state.json")
    shutil.copy(CAPTURED / "record_0.1.json", app / "releases" / "r1.json")
    (app / "secrets" / "r1.json").write_text("{}")
    for path in (root / "apps", app, *app.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    (app / "releases" / "r1.json").chmod(0o600)
    (app / "secrets" / "r1.json").chmod(0o600)
    labels = {"portside.app": "queue", "portside.release": "1", "portside.hash": "x"}
    old = {"Labels": labels, "HostConfig": {}, "Env": [], "Image": "rabbitmq:4.0"}
    host.networks.add("portside.app.queue")
    host.boxes["id-queue-r1"] = Box(
        "id-queue-r1", "queue-r1", old, "one", "running", "unless-stopped", networks=["portside.app.queue"]
    )
    return host


def test_an_upgrade_alone_releases_nothing_that_an_older_version_wrote(tmp_path: Path) -> None:
    host = queue(tmp_path)
    (outcome,) = releaser(host).run([spec.app(validate.apps([QUEUE])[0])])
    assert (outcome.action, outcome.failed) == ("unchanged", False)
    assert [box.name for box in host.boxes.values()] == ["queue-r1"]


def test_the_next_release_after_an_upgrade_has_its_own_name(tmp_path: Path) -> None:
    host = queue(tmp_path)
    host.present["rabbitmq:4.1"] = "two"
    (outcome,) = releaser(host).run([spec.app(validate.apps([{**QUEUE, "image": "rabbitmq:4.1"}])[0])])
    assert outcome.action == "deployed"
    assert [box.config.get("Hostname") for box in host.up("queue")] == ["queue"]


def test_an_entry_point_takes_the_place_of_the_images() -> None:
    assert "Entrypoint" not in config(made())
    body = config(made(entrypoint="/app/serve --now", command=["all"]))
    assert (body["Entrypoint"], body["Cmd"]) == (["/app/serve", "--now"], ["all"])
    job = Job("shop-r1", 1, ("migrate",), 60).config(body)
    assert (job["Entrypoint"], job["Cmd"]) == (["/app/serve", "--now"], ["migrate"])


def test_a_migration_can_do_without_the_entry_point_of_the_image(tmp_path: Path) -> None:
    host = Host(tmp_path / "apps", present={"shop:1": "one"})
    wanted = made(before=["python manage.py migrate"], before_entrypoint="none")
    releaser(host).run([wanted])
    assert host.commands == [(["python", "manage.py", "migrate"], [])]


@pytest.mark.parametrize(
    ("change", "another"),
    [
        ({"hostname": "queue"}, True),
        ({"entrypoint": ["/x"]}, True),
        ({"before": ["true"], "before_entrypoint": "none"}, True),
        ({"before_entrypoint": "none"}, False),
    ],
)
def test_only_what_is_said_and_used_makes_another_release(change: dict[str, Any], another: bool) -> None:
    base = made(**{key: change[key] for key in ("before",) if key in change})
    assert (spec.fingerprint(made(**change), b"salt") != spec.fingerprint(base, b"salt")) is another
