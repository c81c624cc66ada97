"""What is needed no longer is removed: old releases, their images, whole apps."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import boxes, networks
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Host, Job


def prune(job: Job) -> None:
    """Remove what is older than the releases that are kept, and the images that only those needed."""
    strays(job)
    gone = states.superfluous(job.state, job.host.settings.keep)
    if not gone:
        return
    for container in job.own():
        if container.release in gone:
            job.host.engine.remove(container.id)
    images = {release.image_id for release in job.state.releases if release.number in gone}
    job.remember(job.state.without(gone))
    for number in gone:
        job.host.store.drop_release(job.app.name, number)
    _drop_images(job.host, images)


def strays(job: Job) -> None:
    """Remove the containers that are of no release, now that one serves that is."""
    for container in boxes.strays(job.own(), job.state):
        discard(job, container)


def discard(job: Job, container: Container) -> None:
    """Remove a container that no release of ours made; its anonymous volumes are somebody else's, and stay."""
    if container.up:
        job.host.engine.stop(container.id, job.app.stop_timeout)
    job.host.engine.remove(container.id, volumes=False)


def _drop_images(host: Host, images: set[str]) -> None:
    """Remove those of the images that no remembered release needs."""
    with host.shared:
        known = host.store.readable()
        if {*known} != {*host.store.names()}:
            return  # the releases of one can't be told: any image may be theirs
        for state in known.values():
            images -= {release.image_id for release in state.releases}
        for image in sorted(images):
            host.engine.remove_image(image)


def remove(job: Job) -> None:
    """All that there is of an app, except its named volumes."""
    state = job.state
    if not (job.containers or state.releases or state.ports):
        job.outcome.show(None)
        return
    job.outcome.did("removed")
    job.outcome.before = dict(state.live.spec) if state.live else {}
    for container in sorted([*job.containers, *job.jobs()], key=lambda item: item.up):
        if container.up:
            job.host.engine.stop(container.id, job.app.stop_timeout)
        job.host.engine.remove(container.id)
    left = [name for item in job.host.engine.containers() for name in item.networks]
    for network in networks.deserted((name for item in job.containers for name in item.networks), left):
        job.host.engine.remove_network(network)
    if state.upstream_file:
        job.host.front.withdraw(state.upstream_file)
    job.host.store.forget(job.app.name)
    _drop_images(job.host, {release.image_id for release in state.releases if release.image_id})
