"""What an earlier run left half done is finished or undone, and what ended is started."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.releases import before, plan
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import gates, hand, switch
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job


def damage(job: Job) -> plan.Damage:
    """What an earlier run left half done."""
    served = job.host.front.served(job.app.upstream_file) if job.app.upstream_file else None
    return plan.damage(job.app, job.state, job.containers, served)


def repair(job: Job) -> None:
    """Finish or undo what an earlier run left half done."""
    found = damage(job)
    if not found:
        return
    job.outcome.did("repaired")
    before.finish(job.host.engine, job.host.clock, job.jobs(), job.app.before_timeout)
    if found.finish:
        switch.switch(job, found.finish)
    elif found.abandon:
        give_up(job, found.abandon, "the run that made it was interrupted")
    if damage(job).repoint and job.state.live:
        switch.point(job, job.state)
    for container in found.strays:
        job.host.engine.remove(container.id)
    job.containers = job.own()
    switch.retire(job, [item for item in job.containers if item.up and item.release not in job.state.serving])
    job.containers = job.own()


def give_up(job: Job, release: Release, why: str, *, rejected: bool = False) -> None:
    """Undo a release that does not serve: the one before it runs, nginx points at it, the new container is gone."""
    live = job.state.live
    astray = job.state.switching
    # One that can't run beside the new one is started, and pointed at, when that is gone.
    if live and astray and not job.app.recreates:
        switch.revive(job, live)
        switch.point(job, job.state)
    for container in [*job.containers, *job.jobs()]:
        if container.release == release.number:
            job.host.engine.remove(container.id)
    if live:
        switch.revive(job, live)
    if live and astray and job.app.recreates:
        switch.point(job, job.state)
    job.host.store.drop_release(job.app.name, release.number)
    failed = replace(release, state=states.REJECTED if rejected else states.FAILED, note=why)
    job.remember(replace(job.state.with_release(failed), switching=False))


def start(job: Job) -> None:
    """Start what serves and does not run; a release of its own it is not."""
    job.outcome.did("started")
    ports = {
        replica.container: replica.host_port
        for release in (job.state.live, job.state.canary)
        for replica in (release.replicas if release else ())
    }
    idle = [item for item in job.containers if item.name in ports and not item.running]
    for container, policy in hand.policies(job):
        job.host.engine.set_restart(container.id, policy)
    for container in idle:
        if container.status != "restarting":
            job.host.engine.start(container.id)
    for container in idle:
        gates.one(job, container.id, container.name, ports[container.name], served=True)
    job.look()
    if damage(job).repoint:
        switch.point(job, job.state)
