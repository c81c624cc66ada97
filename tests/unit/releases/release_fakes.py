"""A host made up for tests: an engine, an nginx and a clock that can be cut off between any two effects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.engine.base import (
    Condition,
    Container,
    EngineError,
    Image,
    NetworkGoneError,
)
from ansible_collections.portside.vps.plugins.module_utils.releases import mounts
from ansible_collections.portside.vps.plugins.module_utils.releases.front import FrontError
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Answer, Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.proof import Seen
from ansible_collections.portside.vps.plugins.module_utils.releases.releaser import Releaser
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Settings
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Record, Store


class Killed(BaseException):
    """kill -9: nothing of the run is executed after it."""


@dataclass
class Box:
    """A container."""

    id: str
    name: str
    config: Mapping[str, Any]
    image_id: str
    status: str = "created"
    restart: str = "no"
    restarts: int = 0
    exit_code: int = 0
    networks: list[str] = field(default_factory=list)
    stopped: bool = False
    started: bool = False

    @property
    def returns(self) -> bool:
        """Whether the engine starts it by itself after a reboot: only what was started before."""
        return self.started and (self.restart == "always" or (self.restart == "unless-stopped" and not self.stopped))

    @property
    def port(self) -> int | None:
        bindings = self.config["HostConfig"].get("PortBindings") or {}
        return next((int(binding[0]["HostPort"]) for binding in bindings.values()), None)


def each_step(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A folder for each step after which a run is cut off; the test leaves when one was not, and fails otherwise."""
    for step in range(1, 100):
        root = tmp_path / str(step)
        root.mkdir()
        yield step, root
    pytest.fail("the runs never ended")


@dataclass
class Host:
    """Everything that survives the end of a run. `effects` counts; the run is cut off at number `kill_at`."""

    root: Path
    present: dict[str, str] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    crashing: set[str] = field(default_factory=set)
    foreign_ports: set[int] = field(default_factory=set)
    boxes: dict[str, Box] = field(default_factory=dict)
    loaded: dict[str, str] = field(default_factory=dict)
    rejects: bool = False
    talkative: bool = False
    registry_down: bool = False
    now: float = 0.0
    networks: set[str] = field(default_factory=set)
    answering: dict[tuple[str, int], int] = field(default_factory=dict)
    silent: set[tuple[str, int]] = field(default_factory=set)
    effects: list[str] = field(default_factory=list)
    kill_at: int | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    jobs: list[list[str]] = field(default_factory=list)
    # The entry point of each job, where it has one of its own, and its command.
    commands: list[tuple[list[str], list[str]]] = field(default_factory=list)
    job_status: int = 0
    credentials: list[Any] = field(default_factory=list)
    watch: Callable[[Host], None] | None = None
    front_door: Callable[[App], Seen] = lambda _: Seen()
    entrypoint: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()

    def effect(self, name: str) -> None:
        """Called after each effect on the host."""
        self.effects.append(name)
        if self.watch:
            self.watch(self)
        if self.kill_at is not None and len(self.effects) == self.kill_at:
            raise Killed(name)

    def reboot(self, *, newest_first: bool) -> None:
        """Everything ends, and the engine starts what comes back; of two on one port the first one gets it."""
        for box in self.boxes.values():
            box.status = "exited"
        for box in sorted(self.boxes.values(), key=lambda item: item.name, reverse=newest_first):
            if box.returns and not (box.port and self.on_port(box.port)):
                box.status, box.stopped = "running", False

    def up(self, app: str) -> list[Box]:
        """The app's containers that run."""
        return [box for box in self.boxes.values() if box.status == "running" and _app(box) == app]

    def on_port(self, port: int) -> Box | None:
        return next((box for box in self.boxes.values() if box.status == "running" and box.port == port), None)

    def answer(self, path: str) -> int | None:
        """What a client gets from nginx through this upstream file, None for a 502."""
        box = next((box for port in self.asked(path) if (box := self.on_port(port))), None)
        return self.statuses.get(box.image_id, 200) if box else None

    def asked(self, path: str) -> list[int]:
        """The published ports that nginx shares the clients out to."""
        lines = [line.split() for line in self.loaded.get(path, "").splitlines() if line.startswith("server 127.")]
        return [int(line[1].rpartition(":")[2].rstrip(";")) for line in lines if "backup" not in line]

    def answering_for(self, path: str) -> list[str | None]:
        """The container behind each of these ports; None where a client's first choice refuses."""
        return [box.name if (box := self.on_port(port)) else None for port in self.asked(path)]


def _app(box: Box) -> str:
    return str(box.config["Labels"]["portside.app"])


class FakeEngine:
    """The engine of a Host."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def containers(self) -> list[Container]:
        return [
            Container(
                id=box.id,
                name=box.name,
                app=_app(box),
                release=int(box.config["Labels"]["portside.release"]),
                hash=box.config["Labels"]["portside.hash"],
                image_id=box.image_id,
                status=box.status,
                host_ports=(box.port,) if box.port and box.status == "running" else (),
                job="portside.job" in box.config["Labels"],
                networks=tuple(box.networks),
                replica=int(box.config["Labels"].get("portside.replica", 1)),
                canary="portside.canary" in box.config["Labels"],
                address=self.address(box.id) if box.status == "running" and len(box.networks) == 1 else "",
                writes=tuple(
                    mount.source
                    for mount in mounts.of(box.config["HostConfig"].get("Binds", ()))
                    if not mount.read_only
                ),
            )
            for box in self.host.boxes.values()
        ]

    def image(self, reference: str) -> Image | None:
        known = {*self.host.present.values(), *(box.image_id for box in self.host.boxes.values())}
        found = reference if reference in known else self.host.present.get(reference)
        digests = (f"{reference.partition(':')[0]}@sha256:{found}",)
        return Image(found, digests, entrypoint=self.host.entrypoint) if found else None

    def pull(self, reference: str, credentials: Mapping[str, str] | None) -> Image:
        self.host.credentials.append(credentials)
        if reference not in self.host.registry:
            raise EngineError(f"image {reference} could not be pulled: no such tag")
        self.host.present[reference] = self.host.registry[reference]
        self.host.effect("pull")
        image = self.image(reference)
        assert image
        return image

    def registry_digest(self, reference: str, credentials: Mapping[str, str] | None) -> str:
        if self.host.registry_down:
            raise EngineError(f"{reference}: connection refused")
        return f"sha256:{self.host.registry[reference]}"

    def load(self, file: str) -> None:
        image = Path(file).read_text()
        self.host.present[image] = image
        self.host.effect("load")

    def tag(self, image: str, reference: str) -> None:
        self.host.present[reference] = image
        self.host.effect("tag")

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        if any(box.name == name for box in self.host.boxes.values()):
            raise EngineError(f"the name {name} is already in use")
        identifier = f"id-{name}"
        network = config["HostConfig"]["NetworkMode"]
        if network not in self.host.networks:
            raise EngineError(f"network {network} not found")
        image = self.host.present.get(config["Image"], config["Image"])
        self.host.boxes[identifier] = Box(identifier, name, config, image, networks=[network])
        self.host.effect("create")
        return identifier

    def ensure_network(self, name: str, bridge: str = "") -> None:
        if name not in self.host.networks:
            self.host.networks.add(name)
            self.host.effect("network")

    def connect(self, container: str, network: str, alias: str) -> None:
        assert network in self.host.networks
        self.host.boxes[container].networks.append(network)
        self.host.effect("connect")

    def remove_network(self, name: str) -> None:
        self.host.networks.discard(name)
        self.host.effect("remove network")

    def volume_directory(self, name: str) -> str:
        path = self.host.root.parent / "volumes" / name
        return str(path) if path.exists() else ""

    def address(self, container: str) -> str:
        return self.host.addresses.get(container, "172.18.0.2")

    def start(self, container: str) -> None:
        box = self.host.boxes[container]
        if not {*box.networks} <= self.host.networks:
            raise NetworkGoneError(f"network {box.networks[0]} not found")
        if box.port and (self.host.on_port(box.port) or box.port in self.host.foreign_ports):
            raise EngineError(f"port {box.port} is already allocated")
        if box.image_id in self.host.crashing:
            box.status, box.exit_code = "exited", 3
        elif "portside.job" in box.config["Labels"]:
            self.host.jobs.append(box.config["Cmd"])
            self.host.commands.append((box.config.get("Entrypoint", []), box.config["Cmd"]))
            box.status, box.exit_code = "exited", self.host.job_status
        else:
            box.status, box.stopped, box.started = "running", False, True
        self.host.effect("start")

    def stop(self, container: str, timeout: int) -> None:
        if container in self.host.boxes and self.host.boxes[container].status == "running":
            self.host.boxes[container].status = "exited"
            self.host.boxes[container].stopped = True
            self.host.effect("stop")

    def remove(self, container: str, *, volumes: bool = True) -> None:
        self.host.boxes.pop(container, None)
        self.host.effect("remove" if volumes else "remove, volumes stay")

    def set_restart(self, container: str, policy: str) -> None:
        if container in self.host.boxes:
            self.host.boxes[container].restart = policy
        self.host.effect("restart policy")

    def restart_policy(self, container: str) -> str:
        return self.host.boxes[container].restart

    def condition(self, container: str) -> Condition:
        box = self.host.boxes[container]
        return Condition(box.status, exit_code=box.exit_code, restarts=box.restarts)

    def logs(self, container: str, lines: int) -> Sequence[str]:
        box = self.host.boxes[container]
        return [f"a line of {box.name}", *self.host.writes, *(box.config["Env"] if self.host.talkative else [])]

    def remove_image(self, image: str) -> None:
        if not any(box.image_id == image for box in self.host.boxes.values()):
            self.host.present = {name: other for name, other in self.host.present.items() if other != image}
            self.host.effect("remove image")


class FakeFront:
    """The nginx of a Host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.drains: list[float] = []

    def served(self, path: str) -> str | None:
        file = Path(path)
        return file.read_text() if file.exists() else None

    def point(self, path: str, text: str) -> None:
        before = self.served(path)
        Path(path).write_text(text)
        self.host.effect("write upstream")
        if self.host.rejects:
            if before is not None:
                Path(path).write_text(before)
            else:
                Path(path).unlink()
            raise FrontError("nginx would not accept its configuration")
        self.host.loaded[path] = text
        self.host.effect("reload")

    def drain(self, limit: float) -> bool:
        self.drains.append(limit)
        self.host.effect("drain")
        return True

    def withdraw(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)
        self.host.loaded.pop(path, None)
        self.host.effect("withdraw")


class FakeStore(Store):
    """A real store, whose writes count as effects."""

    def __init__(self, host: Host) -> None:
        super().__init__(host.root)
        self.host = host

    def save(self, state: AppState) -> None:
        super().save(state)
        self.host.effect("save")

    def save_secrets(self, app: str, release: int, values: Mapping[str, str]) -> None:
        super().save_secrets(app, release, values)
        self.host.effect("save secrets")

    def save_record(self, app: str, release: int, record: Record) -> None:
        super().save_record(app, release, record)
        self.host.effect("save record")

    def drop_release(self, app: str, release: int) -> None:
        super().drop_release(app, release)
        self.host.effect("drop release")

    def forget(self, app: str) -> None:
        super().forget(app)
        self.host.effect("forget")


def releaser(host: Host, keep: int = 3, retry: Collection[str] = ()) -> Releaser:
    """A run on the host."""

    def sleep(seconds: float) -> None:
        host.now += seconds

    def ask(address: str, port: int, health: Health) -> Answer:
        if (address, port) in host.silent:
            return Answer(connected=True) if health.check == "tcp" else Answer(error="no answer within 5 s")
        if (address, port) in host.answering:
            return Answer(status=host.answering[address, port])
        box = host.on_port(port)
        return Answer(status=host.statuses.get(box.image_id, 200)) if box else Answer(error="Connection refused")

    return Releaser(
        FakeEngine(host),
        FakeFront(host),
        FakeStore(host),
        Settings(
            range(18000, 18010),
            keep,
            {"ghcr.io": {"username": "u", "password": "secret-token"}},
            frozenset(retry),
            "ann@desk",
        ),
        clock=Clock(lambda: host.now, sleep),
        ask=ask,
        busy=lambda _, port: port in host.foreign_ports or host.on_port(port) is not None,
        today=lambda: "2026-01-02T03:04:05Z",
        front_door=host.front_door,
    )


def app(name: str = "shop", image: str = "shop:1", **changes: Any) -> App:
    """An app with a port."""
    made = App(name, image, **{"port": 8000, **changes})
    if not made.present:
        return made
    item = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in asdict(made).items()
        if key
        not in {"present", "declared", "log", "health", "container", "front_host", "front_port", "front_protocol"}
    } | dict(made.container)
    return replace(made, declared={key: value for key, value in item.items() if key not in {"secrets", "extra"}})
