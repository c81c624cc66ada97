"""An app as it is wanted, and the release that it asks for."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.releases import container_body, networks
from ansible_collections.portside.vps.plugins.module_utils.releases.container_options import CONTAINER
from ansible_collections.portside.vps.plugins.module_utils.releases.options import CAPABILITIES

DOCKER_HUB = "docker.io"
# What people and Docker's own programs call it: the last is the key under which `docker login` keeps its password.
HUB_NAMES = frozenset(
    [DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com", "hub.docker.com"]
)
# Labels by which the engine's containers are known.
LABEL_APP = "portside.app"
LABEL_RELEASE = "portside.release"
LABEL_HASH = "portside.hash"
LABEL_REPLICA = "portside.replica"
# Stands on what began as a canary, for the day on which the state file is lost; it stays there when that is promoted.
LABEL_CANARY = "portside.canary"

# What of an app is part of a release: a change of any of these starts a new container. The rest (how a release is
# gated, drained and pointed at) may change without one.
RELEASE_KEYS = (
    "image",
    "port",
    "expose",
    "bind",
    "env",
    "secrets",
    "volumes",
    "command",
    "restart",
    "init",
    "cap_add",
    "log",
    "stop_timeout",
)


@dataclass(frozen=True)
class Health:
    """When a container is healthy; times in seconds."""

    check: str = "http"
    scheme: str = "http"
    method: str = "GET"
    path: str = "/"
    host: str = "localhost"
    status: tuple[int, ...] = (200,)
    interval: float = 0.2
    timeout: float = 60.0
    request_timeout: float = 5.0
    successes: int = 2
    grace: float = 2.0


@dataclass(frozen=True)
class App:
    """One item of the list of apps, checked and completed."""

    name: str
    image: str
    present: bool = True
    renamed_from: str = ""
    host_access: tuple[str, ...] = ()
    pull: str = "missing"
    port: int | None = None
    expose: str = "public"
    depends_on: tuple[str, ...] = ()
    bind: str = "127.0.0.1"
    host_ports: tuple[int, ...] = ()
    health: Health = field(default_factory=Health)
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    volumes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    restart: str = "unless-stopped"
    init: bool = True
    cap_add: tuple[str, ...] = CAPABILITIES
    log: Mapping[str, str] = field(default_factory=dict)
    stop_timeout: int = 30
    # Those of `container_options.CONTAINER` that say something.
    container: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[tuple[str, ...], ...] = ()
    before_timeout: float = 600.0
    before_entrypoint: str = "image"
    strategy: str = "blue_green"
    replicas: int = 1
    canary: int = 0
    drain: float = 30.0
    # Part of no release: what an app may reach is decided now, also for a release of the past.
    bridges: Mapping[str, str] = field(default_factory=dict)
    dns: tuple[str, ...] = ()
    upstream_file: str = ""
    front_host: str = ""
    front_port: int = 443
    front_protocol: str = "http"
    extra: str = field(default="", repr=False)
    # The item that this was made from, without secrets: what is kept of a release.
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def recreates(self) -> bool:
        """Whether the old release has to stop before the new one can start."""
        return len(self.host_ports) == self.replicas or self.expose == "private" or self.strategy == "recreate"

    @property
    def published(self) -> bool:
        """Whether its port is published on loopback, for nginx."""
        return self.port is not None and self.expose == "public"

    @property
    def networks(self) -> list[str]:
        """Docker's names of the networks it is on."""
        return list(self.network_bridges)

    @property
    def network_bridges(self) -> dict[str, str]:
        """Docker's names of the networks it is on, each with its bridge if that is shut (networks.bridges)."""
        return networks.bridges(self.name, self.container.get("networks", ()), self.bridges)

    @property
    def secret_files(self) -> Mapping[str, str]:
        """The secrets that reach the container as files."""
        return self.secrets if self.container.get("secrets_as") == "files" else {}


def _log(options: Mapping[str, Any]) -> dict[str, str]:
    """Driver and options as Docker takes them; only the drivers that write files know of rotation."""
    log = {"driver": str(options["driver"])}
    if log["driver"] in {"local", "json-file"}:
        log |= {"max-size": str(options["max_size"]), "max-file": str(options["max_file"])}
    return log | {str(key): str(value) for key, value in options["options"].items()}


def _container(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that say something: a new one, left out, makes no app another release."""
    said = {key: options[key] for key in CONTAINER if options[key] and options[key] != CONTAINER[key].get("default")}
    return said | ({"pids": options["pids"]} if options["pids"] else {})


def app(options: Mapping[str, Any]) -> App:
    """The app that `validate.apps` found good."""
    health = {**options["health"], "status": tuple(options["health"]["status"])}
    return App(
        name=options["name"],
        image=options["image"] or "",
        present=options["state"] == "present",
        renamed_from=options["renamed_from"],
        host_access=tuple(options["host_access"]),
        pull=options["pull"],
        port=options["port"],
        expose=options["expose"],
        depends_on=tuple(options["depends_on"]),
        bind=options["bind"],
        host_ports=tuple(options["host_ports"]),
        health=Health(**health),
        env=dict(options["env"]),
        secrets=dict(options["secrets"]),
        volumes=tuple(options["volumes"]),
        command=tuple(options["command"]),
        restart=options["restart"],
        init=options["init"],
        cap_add=tuple(sorted({name.removeprefix("CAP_") for name in options["cap_add"]})),
        log=_log(options["log"]),
        stop_timeout=options["stop_timeout"],
        container=_container(options),
        before=tuple(tuple(shlex.split(line)) for line in options["before"]),
        before_timeout=options["before_timeout"],
        before_entrypoint=options["before_entrypoint"],
        strategy=options["strategy"],
        replicas=options["replicas"],
        canary=options["canary"],
        drain=options["drain"],
        bridges=dict(options["bridges"]),
        dns=tuple(options["dns"]),
        upstream_file=options["upstream_file"],
        front_host=options["front"]["host"],
        front_port=options["front"]["port"],
        front_protocol=options["front"]["protocol"],
        extra=options["extra"],
        declared={key: value for key, value in options.items() if key not in {"secrets", "extra"}},
    )


def recorded(app: App) -> dict[str, Any]:
    """The part of an app that makes a release, as its state file shows it: of the secrets only the names."""
    found: dict[str, Any] = {}
    for key in RELEASE_KEYS:
        value = getattr(app, key)
        if key == "secrets":
            value = sorted(value)
        found[key] = list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
    # What failed as a migration may pass as another one: it is part of what was rejected.
    jobs: dict[str, Any] = {"before": [list(command) for command in app.before]} if app.before else {}
    if app.before and app.before_entrypoint != "image":
        jobs["before_entrypoint"] = app.before_entrypoint
    several = {"replicas": app.replicas} if app.replicas > 1 else {}
    resolvers = {"dns": list(app.dns)} if app.dns else {}
    return found | jobs | several | resolvers | dict(app.container)


def fingerprint(app: App, salt: bytes) -> str:
    """The hash of everything that makes a release, secrets included.

    It is keyed with a random salt of the host, because it stands in a container label: nobody shall be able to try
    guesses for a short secret against it.
    """
    whole = {**recorded(app), "secrets": dict(app.secrets)}
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()[:32]


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The options in which two recorded specs differ; a changed secret of the same name is not among them."""
    return sorted(key for key in {*before, *after} if before.get(key) != after.get(key))


def registry(host: str) -> str:
    """The one spelling of a registry, so that an image finds its login.

    Case plays no part in a host's name (RFC 4343), nor does the port that https has anyway. `docker login` and the
    files that it writes know Docker Hub as `https://index.docker.io/v1/`.

    Args:
        host: as it stands in an image reference, or in a list of logins: with a scheme, or `/v1/` behind it.
    """
    bare = re.sub(r"^https?://", "", host.strip().lower())
    bare = re.sub(r"(/v[12])?/*$", "", bare).removesuffix(":443")
    return DOCKER_HUB if bare in HUB_NAMES else bare


def registry_of(image: str) -> str:
    """The registry host of an image reference; Docker Hub where it names none.

    The rule is Docker's own: the first part is a host if it has a dot, a colon or a capital, or is `localhost`
    (github.com/distribution/reference, normalize.go).
    """
    first, slash, _ = image.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return DOCKER_HUB
    return registry(first)


def spelt_out(image: str) -> str:
    """The one spelling of an image reference, as Docker has it: registry, repository, and tag or digest.

    `redis:7` is `docker.io/library/redis:7` (github.com/distribution/reference, normalize.go).
    """
    host = registry_of(image)
    first, slash, rest = image.partition("/")
    path = rest if slash and registry_of(f"{first}/x") == host and registry(first) == host else image
    if host == DOCKER_HUB and "/" not in path:
        path = f"library/{path}"
    tagged = "@" in path or ":" in path.rpartition("/")[2]
    return f"{host}/{path}" if tagged else f"{host}/{path}:latest"


def floating(image: str) -> bool:
    """Whether the reference names whatever is newest: no tag, or `latest`, and no digest."""
    if "@" in image:
        return False
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return not colon or tag == "latest"


def container_name(app: str, release: int, replica: int = 1) -> str:
    """What a container of a release is called."""
    return f"{app}-r{release}" + (f"-{replica}" if replica > 1 else "")


def host_name(app: App, replica: int = 1) -> str:
    """What a container takes for its own name; empty for the ID that Docker gives it.

    A program that calls its data by the name of the host finds it again after a release. Where an app can't run twice
    the name is the app's, whether or not that was so when its last release was made: it is in no hash, or an upgrade
    would make releases.
    """
    name = str(app.container.get("hostname", "")) or (app.name if app.recreates else "")
    return f"{name}-{replica}" if name and replica > 1 else name


def container_config(
    app: App,
    image: str,
    release: int,
    digest: str,
    host_port: int | None,
    *,
    secrets_dir: str = "",
    replica: int = 1,
    share: int = 0,
) -> dict[str, Any]:
    """The body of the Engine API's POST /containers/create.

    The whole environment is what the app declares: neither the daemon's, the client's nor this process's proxy
    variables get in. The restart policy is `no` until the release has passed its gate, so that a container that exits
    is seen to exit, and a reboot in the middle of a release brings back the old one alone.

    Args:
        app: what is wanted.
        image: reference or ID that the container is created from.
        release: its number.
        digest: the release's hash, for the label.
        host_port: the port on `app.bind` that it is published on; None for a worker and for a private app.
        secrets_dir: the directory on the host with the secrets that are files; it has to be there before the start.
        replica: which of the release's containers it is, from 1.
        share: the percentage of clients that it is to have as a canary; 0 for all.
    """
    driver = {key: value for key, value in app.log.items() if key != "driver"}
    files = app.secret_files
    first, *_ = app.networks
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": "no"},
        "Init": app.init,
        "CapDrop": ["ALL"],
        "CapAdd": list(app.cap_add),
        "SecurityOpt": ["no-new-privileges"],
        "Binds": [*app.volumes, *([f"{secrets_dir}:{container_body.SECRETS}:ro"] if files else [])],
        "LogConfig": {"Type": app.log.get("driver", "local"), "Config": driver},
        "NetworkMode": first,
        **({"Dns": list(app.dns)} if app.dns else {}),
        **container_body.host_config(app.container),
    }
    environment = {**app.env, **({} if files else app.secrets)}
    own = {LABEL_APP: app.name, LABEL_RELEASE: str(release), LABEL_HASH: digest}
    if app.replicas > 1:
        own[LABEL_REPLICA] = str(replica)
    if share:
        own[LABEL_CANARY] = str(share)
    config: dict[str, Any] = {
        "Image": image,
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "Labels": {**app.container.get("labels", {}), **own},
        "StopTimeout": app.stop_timeout,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {first: {"Aliases": [app.name]}}},
        **container_body.config(app.container),
    }
    name = host_name(app, replica)
    if name:
        config["Hostname"] = name
    if app.command:
        config["Cmd"] = list(app.command)
    if app.port is not None and host_port is not None:
        config["ExposedPorts"] = {f"{app.port}/tcp": {}}
        host["PortBindings"] = {f"{app.port}/tcp": [{"HostIp": app.bind, "HostPort": str(host_port)}]}
    return config
