"""nginx is pointed at a release, and those that nobody needs any more are drained and stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import boxes, plan, proof
from ansible_collections.portside.vps.plugins.module_utils.releases.proof import NotProvenError
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import ReleaseError


def switch(job: Job, release: Release) -> None:
    """Traffic goes to this release from now on, and the one before it is stopped when it has answered the rest. One
    with a share becomes a canary, and the one before it goes on."""
    served = job.state.serving
    promoted = job.state.with_release(release).promoted(release.number, job.host.today())
    if job.app.upstream_file and release.host_port:
        try:
            point(job, promoted, proved=True)
        except NotProvenError as error:
            text = f"{error}: see /var/log/nginx/error.log, and the upstream file {job.app.upstream_file}"
            raise ReleaseError(job.told(release, text, ())) from error
    else:
        job.remember(promoted)
    gone = [item for item in job.own() if item.release not in promoted.serving]
    retire(job, [item for item in gone if item.up or item.release in served])


def point(job: Job, wanted: AppState, *, proved: bool = False) -> None:
    """Have nginx use what serves in that state, have that `proved`, and remember the state."""
    text = plan.wanted_upstream(job.app, wanted)
    with job.host.shared:
        job.remember(replace(job.state, switching=True, upstream_file=job.app.upstream_file))
        if text is not None:
            before_it = job.host.front.served(job.app.upstream_file) or ""
            job.host.front.point(job.app.upstream_file, text)
            if proved and job.app.front_host:
                proof.prove(job.app, text, before_it, job.host.front_door, job.host.clock)
        job.remember(replace(wanted, switching=False, upstream_file=job.app.upstream_file))


def retire(job: Job, containers: Iterable[Container]) -> None:
    """Let the containers answer what they have begun, then stop them for good."""
    old = list(containers)
    if any(item.up for item in old) and job.app.upstream_file and not job.host.front.drain(job.app.drain):
        job.outcome.warnings.append(
            f"app `{job.app.name}`: the old release still had open requests after {job.app.drain:g} s of draining"
        )
    for container in old:
        # Under `always`, or `on-failure`, the next start of the engine would bring it back.
        job.host.engine.set_restart(container.id, "no")
        if container.up:
            job.host.engine.stop(container.id, job.app.stop_timeout)


def stop_others(job: Job) -> None:
    """What can't run twice: the old release leaves before the new one comes.

    Were the server started again before the new one is started, the engine would bring the old one back, for `always`
    starts even what was stopped.
    """
    engine = job.host.engine
    returns = "always" if job.state.live and job.state.live.spec.get("restart") != "no" else "no"
    for container in job.containers:
        if container.up:
            job.stopped[container.id] = engine.restart_policy(container.id)
            engine.set_restart(container.id, returns)
            engine.stop(container.id, job.app.stop_timeout)


def kept_apart(job: Job, release: Release) -> bool:
    """Whether the engine can't run the old containers beside the new ones, all being published on the same ports."""
    live = job.state.live
    known = {box.id for box in boxes.of(job.containers, live) if box}
    old: set[int | None] = {replica.host_port for replica in live.replicas} if live else set()
    for box in job.containers:
        if box.up and box.id not in known:
            old |= {*box.host_ports} or {None}
    bind = live.spec.get("bind") if live else None
    return not old or (bind == job.app.bind and old == {*release.host_ports})


def hand_over(job: Job, made: Iterable[str]) -> None:
    """The new containers are those that the engine keeps going from now on, and not the old ones."""
    for container in made:
        job.host.engine.set_restart(container, job.app.restart)
    if job.app.recreates:
        for old in job.containers:
            job.host.engine.set_restart(old.id, "no")


def revive(job: Job, live: Release) -> None:
    """Have the live release's containers run, under the restart policy that it was given. Where one of them is gone,
    what this run stopped runs again as it did: it is what answered."""
    own = job.own()
    found = boxes.of(own, live)
    policy = str(live.spec.get("restart", job.app.restart))
    policies = {box.id: policy for box in found if box}
    if None in found:
        policies |= {box: former for box, former in _stopped(job, own, live, policy).items() if box not in policies}
    for container in own:
        if container.id in policies:
            if not container.up:
                job.host.engine.start(container.id)
            job.host.engine.set_restart(container.id, policies[container.id])
    job.look()


def _stopped(job: Job, own: Iterable[Container], live: Release, policy: str) -> dict[str, str]:
    """What a release that is given up has stopped, with its former policies; after a kill the name has to do."""
    if job.stopped or job.state.starting is None:
        return job.stopped
    names = {replica.container for replica in live.replicas}
    return {box.id: policy for box in own if box.name in names}
