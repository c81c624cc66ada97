"""What the release engine needs from whatever runs the containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


class EngineError(Exception):
    """The engine refused or failed to do something; the message names it and says what to do next."""


class EngineUnavailableError(EngineError):
    """Nobody answers at the engine's socket, or the library to talk to it is not installed."""


class NetworkGoneError(EngineError):
    """A network that the container was on was removed: it can't be started any more."""


@dataclass(frozen=True)
class Container:
    """A container of one of our apps, as the engine lists it; `address` is empty unless it is on one network alone,
    `canary` tells that it began as one, and `writes` are the volumes and paths of the server that it may write."""

    id: str
    name: str
    app: str
    release: int
    hash: str
    image_id: str
    status: str
    host_ports: tuple[int, ...] = ()
    networks: tuple[str, ...] = ()
    job: bool = False
    replica: int = 1
    address: str = ""
    canary: bool = False
    writes: tuple[str, ...] = ()

    @property
    def running(self) -> bool:
        """Whether its program runs now; a container in a crash loop is `restarting`."""
        return self.status == "running"

    @property
    def up(self) -> bool:
        """Whether the engine keeps it going, or has it stopped halfway."""
        return self.status in {"running", "restarting", "paused"}


@dataclass(frozen=True)
class Image:
    """An image that is on the host; `digests` are the references that a registry would know it by, `entrypoint` is what
    runs the command, and `architecture` the processor that it is for."""

    id: str
    digests: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = field(default=(), compare=False)
    architecture: str = field(default="", compare=False)


@dataclass(frozen=True)
class Condition:
    """How a container is doing."""

    status: str
    exit_code: int = 0
    restarts: int = 0
    out_of_memory: bool = False
    error: str = ""
    health: str = ""


class Engine(Protocol):
    """The calls. Each may raise EngineError."""

    def containers(self) -> list[Container]:
        """All containers that carry our label, running or not."""

    def image(self, reference: str) -> Image | None:
        """The image that the host has under this reference or ID."""

    def pull(self, reference: str, credentials: Mapping[str, str] | None) -> Image:
        """Fetch the image from its registry."""

    def registry_digest(self, reference: str, credentials: Mapping[str, str] | None) -> str:
        """The digest that the registry has for a reference; nothing is fetched."""

    def load(self, file: str) -> None:
        """Take over the images of a file on the host."""

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name, `repository:tag`."""

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Make a container from the body of the Engine API's create call; returns its ID."""

    def ensure_network(self, name: str, bridge: str = "") -> None:
        """Make a network unless there is one of that name. With `bridge`, the firewall has to have shut it.

        EngineError: it has not; what would be started on that network could go out.
        """

    def connect(self, container: str, network: str, alias: str) -> None:
        """Put a container on one more network, where it is known by this name too."""

    def remove_network(self, name: str) -> None:
        """Remove a network. One that is gone, or that something else is on, is left alone."""

    def volume_directory(self, name: str) -> str:
        """The directory on the server that is the named volume; empty where it is none, or its owners are others."""

    def address(self, container: str) -> str:
        """The address of a running container at which the host reaches it."""

    def start(self, container: str) -> None:
        """Start a container, or let a paused one go on. NetworkGoneError: a network of it is not there any more."""

    def stop(self, container: str, timeout: int) -> None:
        """SIGTERM, and SIGKILL after `timeout` seconds. A container that is gone is no error."""

    def remove(self, container: str, *, volumes: bool = True) -> None:
        """Remove a container, running or not, with its anonymous `volumes`. One that is gone is no error."""

    def set_restart(self, container: str, policy: str) -> None:
        """Change the restart policy. One that is gone, or is removed when it ends (`--rm`), is no error."""

    def restart_policy(self, container: str) -> str:
        """The restart policy that the container has now."""

    def condition(self, container: str) -> Condition:
        """How the container is doing now."""

    def logs(self, container: str, lines: int) -> Sequence[str]:
        """The last lines that it wrote."""

    def remove_image(self, image: str) -> None:
        """Remove an image that nothing uses; one that is used, or gone, is left alone."""
