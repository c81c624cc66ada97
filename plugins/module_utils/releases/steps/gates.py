"""The health gate of all containers of a release."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.releases import gate
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Replica
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job

LOG_LINES = 50


def wait(job: Job, made: Sequence[tuple[str, Replica]], *, served: bool = False) -> None:
    """Wait for all containers at a time; the first that fails is what is reported."""
    with ThreadPoolExecutor(max_workers=len(made)) as pool:
        waiting = [pool.submit(one, job, box, at.container, at.host_port, served=served) for box, at in made]
    for result in waiting:
        result.result()


def one(job: Job, container: str, name: str, host_port: int | None, *, served: bool = False) -> None:
    """Wait until a container is healthy; one that has `served` may have been restarted before."""
    app, port = job.app, host_port
    past = job.host.engine.condition(container).restarts if served else 0
    if app.port and not app.published:
        # Nobody but the apps on its networks reaches it, and the host itself.
        app, port = replace(app, bind=job.host.engine.address(container)), app.port
    try:
        gate.wait_healthy(
            app, port, lambda: job.host.engine.condition(container), job.host.ask, job.host.clock, restarts=past
        )
    except NotHealthyError as error:
        lines = job.host.engine.logs(container, LOG_LINES)
        release = next(
            (one for one in job.state.releases if name in {replica.container for replica in one.replicas}), None
        )
        raise NotHealthyError(job.told(release, str(error), lines, name)) from error
