"""What somebody changed by hand beside containers themselves: restart policies, and what is remembered of an app."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container, Image
from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job


def decide(job: Job, image: Image | None) -> plan.Decision:
    """What the app needs; containers with another restart policy than they were given count as not running."""
    decision = plan.decide(job.app, job.hash, job.state, job.containers, image.id if image else None)
    if decision.action != plan.NOTHING:
        return decision
    for container, wanted in policies(job):
        found = job.host.engine.restart(container.id)
        if found != wanted:
            return plan.Decision(plan.START, f"container {container.name} has restart policy {found}, not {wanted}")
    return decision


def policies(job: Job) -> Iterator[tuple[Container, str]]:
    """The containers that serve, each with the restart policy that it was given."""
    for release in (job.state.live, job.state.canary):
        for container in job.containers if release else ():
            if release and container.release == release.number:
                yield container, str(release.spec.get("restart", job.app.restart))


def neglect(job: Job) -> str:
    """What is wrong with what is remembered of the app, in words; empty where nothing is."""
    unsafe = job.host.store.unsafe(job.app.name)
    if unsafe:
        return f"{unsafe[0]} is not root's alone"
    if job.state.live and job.host.store.load(job.app.name) is None:
        return "what was remembered of it is gone"
    return ""


def keep_safe(job: Job) -> None:
    """What is remembered of the app is there, and for root alone."""
    found = neglect(job)
    if not found:
        return
    job.outcome.did("repaired")
    job.outcome.reason = found
    job.host.store.secure(job.app.name)
    if job.state.live and job.host.store.load(job.app.name) is None:
        job.remember(job.state)
