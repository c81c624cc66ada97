"""Jobs that have to be done before a release may start: migrations.

Each runs in a container of its own, with the image, environment, volumes and networks of the new release, while the old
one goes on serving.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container, Engine
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock

LABEL_JOB = "portside.job"
POLL = 0.2
LOG_LINES = 50


class JobFailedError(Exception):
    """A job ended with another status than 0, or did not end in time."""

    def __init__(self, said: str, lines: Sequence[str]) -> None:
        super().__init__(said)
        self.lines = list(lines)


@dataclass(frozen=True)
class Job:
    """One job: the container's name of the release it is for, its number (from 1), its command, its limit (seconds).

    A `bare` one runs its command as it stands; of another the ENTRYPOINT gets it as arguments.
    """

    release: str
    number: int
    command: tuple[str, ...]
    timeout: float
    bare: bool = False

    @property
    def name(self) -> str:
        """What its container is called."""
        return f"{self.release}-before-{self.number}"

    def config(self, release: Mapping[str, Any]) -> dict[str, Any]:
        """The body of the create call, made from that of the release: no port, no alias, another command."""
        host = {key: value for key, value in release["HostConfig"].items() if key != "PortBindings"}
        return {
            **{key: value for key, value in release.items() if key not in {"ExposedPorts", "NetworkingConfig"}},
            # An entry point that is given takes the place of the image's, and an empty command that of its command.
            **({"Entrypoint": list(self.command), "Cmd": []} if self.bare else {"Cmd": list(self.command)}),
            "Labels": {**release["Labels"], LABEL_JOB: str(self.number)},
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": host,
        }


def run(
    engine: Engine,
    clock: Clock,
    job: Job,
    config: Mapping[str, Any],
    networks: Sequence[str],
    *,
    made: Callable[[], None] = lambda: None,
) -> None:
    """Do one job, and remove its container.

    Args:
        engine: runs the containers.
        clock: time.
        job: what is to be done.
        config: body of the release's create call.
        networks: those that the release is on, the first of which stands in the body.
        made: called between the making of its container and its start.

    Raises:
        JobFailedError: it failed; with the last lines of its log.
    """
    shown = " ".join(job.command)
    container = engine.create(job.name, job.config(config))
    for network in networks[1:]:
        engine.connect(container, network, job.name)
    made()
    engine.start(container)
    ended = wait(engine, clock, container, job.timeout)
    status = engine.condition(container).exit_code
    said = engine.logs(container, LOG_LINES) if status or not ended else []
    engine.remove(container)
    if not ended:
        raise JobFailedError(f"`before: {shown}` was not done within {job.timeout:g} s", said)
    if status:
        raise JobFailedError(f"`before: {shown}` ended with exit status {status}", said)


def wait(engine: Engine, clock: Clock, container: str, limit: float) -> bool:
    """Wait for a container to end, for `limit` seconds at most; whether it did."""
    deadline = clock.now() + limit
    while engine.condition(container).status in {"created", "running", "restarting", "paused"}:
        if clock.now() >= deadline:
            return False
        clock.sleep(POLL)
    return True


def finish(engine: Engine, clock: Clock, left: Sequence[Container], limit: float) -> None:
    """Jobs that an interrupted run left: half a migration is worse than a whole one, so they are let end."""
    for container in left:
        if container.up:
            wait(engine, clock, container.id, limit)
        engine.remove(container.id)
