"""A new release, from its number to the moment at which it serves, or was given up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import EngineError, Image
from ansible_collections.portside.vps.plugins.module_utils.releases import before, boxes, order, plan, spec
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.before import JobFailedError
from ansible_collections.portside.vps.plugins.module_utils.releases.front import FrontError
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, Replica
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import (
    canaries,
    gates,
    records,
    removal,
    renaming,
    repair,
    switch,
    volumes,
)
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import RejectedError, ReleaseError


def deploy(job: Job, image: Image | None, apps: Sequence[App]) -> None:
    """Make a release of the app as it is declared, or as it is restored.

    Args:
        job: the app.
        image: the one that the host has; None where it has to be fetched.
        apps: all that are declared: their named ports are not given away.
    """
    _deploy(job, image, apps)
    if job.app.host_ports and not job.app.recreates and plan.elsewhere(job.app, job.state):
        # The release before held the named ports: now that it is gone, there is room for one on them.
        _deploy(job, image, apps)


def unfit(job: Job, apps: Sequence[App], *, foreseen: bool = False) -> str:
    """Why the server, as it is now, has no room for a release of the app: nothing of it was begun. Empty where it has.

    Args:
        job: the app.
        apps: all that are declared.
        foreseen: see renaming.shared.
    """
    return volumes.problem(job.app, restored=job.restores is not None) or renaming.shared(
        job.app, apps, job.host.engine.containers(), foreseen=foreseen
    )


def _deploy(job: Job, image: Image | None, apps: Sequence[App]) -> None:
    app = job.app
    records.diff(job, job.state.live)
    why = order.missing(app.depends_on, job.host.running())
    why = why or unfit(job, apps)
    if why:
        raise ReleaseError(f"not released: {why}")
    if spec.floating(app.image):
        job.outcome.warnings.append(
            f"app `{app.name}`: image {app.image} has no fixed tag: what runs depends on when it was fetched"
        )
    image = image or job.host.images.fetch(app)
    if job.state.canary and (app.recreates or app.host_ports or not app.published):
        # There is no room for a third release. Otherwise the canary serves until the switch.
        trial = job.state.canary
        serves = boxes.stand(job.containers, [trial])
        canaries.withdraw(job, trial, states.RETIRED, "replaced by a later release", ready=serves)
    try:
        renaming.stop_old(job)
        release = _begin(job, image, apps)
    except (ReleaseError, EngineError, OSError):
        renaming.put_back(job)
        raise
    job.outcome.did("deployed as a canary" if release.share else "deployed")
    try:
        release = _bring_up(job, release)
        switch.switch(job, release)
    except (ReleaseError, EngineError, FrontError, NotHealthyError, OSError) as error:
        _fall_back(job, release, error)
        raise
    removal.prune(job)
    renaming.finish(job)


def _begin(job: Job, image: Image, apps: Sequence[App]) -> Release:
    """The release with its number and its port, remembered."""
    app = job.app
    # An image that lost its tag knows its digest no more.
    restored = job.state.release(job.restores) if job.restores else None
    with job.host.shared:
        state = _allocate(job, apps)
        # One that was made by hand may have taken the next number.
        number = max([state.next_release, *(box.release + 1 for box in job.containers)])
        first, *others = (
            Replica(spec.container_name(app.name, number, replica), port)
            for replica, port in enumerate(plan.next_ports(app, state), 1)
        )
        canary = job.restores is None and plan.candidate(app, state, job.containers)
        release = Release(
            number=number,
            state=states.STARTING,
            hash=job.hash,
            image=app.image,
            image_id=image.id,
            digest=restored.digest if restored else _digest(app.image, image),
            container=first.container,
            host_port=first.host_port,
            created=job.host.today(),
            spec=spec.recorded(app),
            by=job.host.settings.by,
            restores=job.restores,
            others=tuple(others),
            share=app.canary if canary else 0,
        )
        job.host.store.save_secrets(app.name, release.number, app.secrets)
        before_it = job.state.live and job.host.store.record(app.name, job.state.live.number)
        records.keep(job, release.number, before_it.extra if before_it else "")
        job.host.store.save_secret_files(app.name, release.number, app.secret_files)
        job.remember(state.with_release(release))
    return release


def _bring_up(job: Job, release: Release) -> Release:
    """The new containers run and have passed their gate. Returns the release with their addresses."""
    app = job.app
    configs = _configs(job, release)
    with job.host.shared:
        for network, bridge in app.network_bridges.items():
            job.host.engine.ensure_network(network, bridge)
    volumes.make_directories(job)
    if release.restores is None:
        _run_before(job, release, configs[0])
    made = [
        (job.host.engine.create(replica.container, config), replica)
        for replica, config in zip(release.replicas, configs, strict=True)
    ]
    volumes.hand_over(job)
    for container, _ in made:
        for network in app.networks[1:]:
            job.host.engine.connect(container, network, app.name)
    if app.recreates:
        switch.stop_others(job)
        if not switch.kept_apart(job, release):
            switch.hand_over(job, [container for container, _ in made])
    for container, _ in made:
        try:
            job.host.engine.start(container)
        except EngineError as error:
            said = volumes.explained(job, str(error))
            text = job.told(release, f"its container could not be started: {said}", ())
            raise ReleaseError(text) from error
    gates.wait(job, made)
    switch.hand_over(job, [container for container, _ in made])
    release = release.made(container for container, _ in made)
    # On a network that it shares, its address could be another app's one day.
    if app.upstream_file and not (app.recreates or app.container.get("networks")):
        release = release.at(job.host.engine.address(container) for container, _ in made)
    job.remember(job.state.with_release(release))
    return release


def _configs(job: Job, release: Release) -> list[dict[str, Any]]:
    """The body of the create call for each replica."""
    app = job.app
    # The reference is what a person wants to see; by its ID the image is the same whatever the reference names now.
    named = job.host.engine.image(app.image)
    image = app.image if named and named.id == release.image_id else release.image_id
    directory = str(job.host.store.secret_files(app.name, release.number))
    return [
        spec.container_config(
            app,
            image,
            release.number,
            release.hash,
            one.host_port,
            secrets_dir=directory,
            replica=number,
            share=release.share,
        )
        for number, one in enumerate(release.replicas, 1)
    ]


def _run_before(job: Job, release: Release, config: Mapping[str, Any]) -> None:
    for number, command in enumerate(job.app.before, 1):
        bare = job.app.before_entrypoint == "none"
        task = before.Job(release.container, number, command, job.app.before_timeout, bare)
        try:
            before.run(
                job.host.engine, job.host.clock, task, config, job.app.networks, made=lambda: volumes.hand_over(job)
            )
        except JobFailedError as error:
            text = job.told(release, str(error), error.lines, task.name, command)
            raise RejectedError(text) from error
        except EngineError as error:
            text = job.told(release, f"`before: {' '.join(command)}` could not be run: {error}", (), job=command)
            raise ReleaseError(text) from error


def _fall_back(job: Job, release: Release, error: Exception) -> None:
    """Undo a release that did not come to serve."""
    if release.number in job.state.serving:
        return  # it serves: what failed came after the switch, and the next run repairs it
    job.containers = job.own()
    if isinstance(error, FrontError):
        # nginx was put back by `point` itself.
        job.state = replace(job.state, switching=False)
    rejected = isinstance(error, NotHealthyError | RejectedError)
    why = job.quotable(str(error.__cause__ or error if rejected else error).splitlines()[0])
    note = f"did not pass its gate on {job.host.today()}: {why}" if rejected else why
    repair.give_up(job, release, note, rejected=rejected)
    volumes.remove_directories(job)
    renaming.put_back(job)


def _allocate(job: Job, apps: Sequence[App]) -> AppState:
    app, state = job.app, job.state
    others = {port for other in apps if other.name != app.name for port in other.host_ports}
    known = [other for name, other in job.host.store.readable().items() if name not in {app.name, app.renamed_from}]
    others |= {port for other in known for port in (*other.ports, *plan.ports_in_use(other))}
    others |= {
        port
        for box in job.host.engine.containers()
        if box.app not in {app.name, app.renamed_from}
        for port in box.host_ports
    }
    live = {*plan.ports_in_use(state)}
    candidates = [] if not app.published or app.host_ports else [port for port in state.ports if port not in live]
    busy = {port for port in candidates if job.host.busy(app.bind, port)}
    try:
        free = (port for port in job.host.settings.pool if not job.host.busy(app.bind, port))
        state = plan.allocate(app, state, free, others, busy)
    except plan.PortsExhaustedError as error:
        raise ReleaseError(str(error)) from error
    taken = [p for p in plan.next_ports(app, state) if p and p not in live and job.host.busy(app.bind, p)]
    if taken:
        raise ReleaseError(
            f"{app.bind}:{taken[0]} is taken by something else on the server (`ss -ltnp` shows by what): stop "
            "that, or give other `host_ports`"
        )
    return state


def _digest(reference: str, image: Image) -> str:
    """The digest under which a registry knows the image; empty for one that was never in a registry."""
    repository = reference.partition("@")[0]
    host, slash, rest = repository.rpartition("/")
    repository = f"{host}{slash}{rest.partition(':')[0]}"
    same = [digest for digest in image.digests if digest.partition("@")[0].endswith(repository)]
    return (same or [*image.digests, ""])[0].partition("@")[2]
