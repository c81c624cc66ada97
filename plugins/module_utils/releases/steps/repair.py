"""What an earlier run left half done is finished or undone, and what ended is started."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Image
from ansible_collections.portside.vps.plugins.module_utils.releases import before, boxes, plan
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import gates, removal, switch
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import ReleaseError


def damage(job: Job) -> plan.Damage:
    """What an earlier run left half done, or somebody's hand undid."""
    found = _left(job)
    return found if found.finish or found.abandon else replace(found, policies=_policies(job))


def _left(job: Job) -> plan.Damage:
    served = job.host.front.served(job.app.upstream_file) if job.app.upstream_file else None
    return plan.damage(job.app, job.state, job.containers, served)


def _policies(job: Job) -> dict[str, str]:
    """The restart policies that are not what they were at the release, by container: `docker update` changes nothing
    else that a list of containers doesn't show."""
    wanted = {
        box.id: str(release.spec["restart"])
        for release in (job.state.live, job.state.canary)
        for box in boxes.of(job.containers, release)
        if release and box and box.running and "restart" in release.spec
    }
    return {box: policy for box, policy in wanted.items() if job.host.engine.restart_policy(box) != policy}


def decide(job: Job, image: Image | None) -> plan.Decision:
    """What the app needs (plan.decide). What can't be started where it was, since its port is taken, is made anew."""
    decision = plan.decide(job.app, job.hash, job.state, job.containers, image.id if image else None)
    for release in filter(None, (job.state.live, job.state.canary)):
        why = boxes.missing(job.containers, release)
        if why and release is job.state.live and job.state.canary and decision.reason == why:
            raise ReleaseError(_undecided(job.app.name, why, release, job.state.canary))
        if why and decision.action == plan.DEPLOY:
            job.outcome.warnings.append(f"app `{job.app.name}`: {why}; a new release takes its place")
    if decision.action != plan.START or job.app.recreates:
        return decision
    for release in filter(None, (job.state.live, job.state.canary)):
        for box, replica in zip(boxes.of(job.containers, release), release.replicas, strict=True):
            if box and not box.up and replica.host_port and job.host.busy(job.app.bind, replica.host_port):
                where = f"{job.app.bind}:{replica.host_port}"
                return plan.Decision(plan.DEPLOY, f"{decision.reason}, and something else listens on {where}")
    return decision


def _undecided(name: str, why: str, live: Release, canary: Release) -> str:
    """What to say where the live release is gone while a canary is on trial: a new release would be as it is declared,
    and that is the canary."""
    return (
        f"{why}, and release {canary.number}, the canary, answers all clients: give it them for good "
        f"(`playbooks/promote.yml -e app={name}`), or declare again what release {live.number} was ({live.image})"
    )


def remember_ids(job: Job) -> None:
    """The containers of a state without their IDs (of an earlier version), if all are found, are known by these now."""
    state = job.state
    for release in filter(None, (state.live, state.canary)):
        found = [box.id for box in boxes.of(job.containers, release) if box]
        if len(found) == len(release.replicas) and not all(one.id for one in release.replicas):
            state = state.with_release(release.made(found))
    if state != job.state:
        job.remember(state)


def repair(job: Job) -> None:
    """Finish or undo what an earlier run left half done."""
    found = damage(job)
    if not found:
        return
    job.outcome.did("repaired")
    job.outcome.reason = str(found)
    before.finish(job.host.engine, job.host.clock, job.jobs(), job.app.before_timeout)
    if found.finish:
        switch.switch(job, found.finish)
    elif found.abandon:
        give_up(job, found.abandon, "the run that made it was interrupted")
    if _left(job).repoint and job.state.live:
        switch.point(job, job.state)
    for container in found.strays:
        removal.discard(job, container)
    for identifier, policy in found.policies.items():
        job.host.engine.set_restart(identifier, policy)
    job.containers = job.own()
    known = {release.number for release in job.state.releases} - job.state.serving
    switch.retire(job, [item for item in job.containers if item.up and item.release in known])
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
    status = {item.id: item.status for item in job.containers if not item.running}
    serving = [release for release in (job.state.live, job.state.canary) if release]
    found = [(release, box, at) for release in serving for box, at in job.boxes(release) if box in status]
    idle = [(box, at) for _, box, at in found]
    for release, box, _ in found:
        if "restart" in release.spec:
            job.host.engine.set_restart(box, str(release.spec["restart"]))
        if status[box] != "restarting":
            job.host.engine.start(box)
    gates.wait(job, idle, served=True)
    removal.strays(job)
    job.look()
    if _left(job).repoint:
        switch.point(job, job.state)
