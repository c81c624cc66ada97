"""A release of the past is brought back, as a new one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Image
from ansible_collections.portside.vps.plugins.module_utils.releases import history
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import deploy, records, repair
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import ReleaseError


def foresee(job: Job, number: int | None) -> None:
    """What `restore` would do; nothing is changed."""
    target, job.app, _ = _target(job, number)
    job.outcome.reason = f"rollback to release {target.number}"
    records.diff(job, job.state.live)
    job.outcome.did("rolled back")
    job.outcome.image = target.image


def restore(job: Job, number: int | None, apps: Sequence[App]) -> None:
    """Make a release of an earlier one, without asking a registry.

    Args:
        job: the app; of its declaration only the ports on the server count.
        number: the release that is brought back; None for the one before.
        apps: all that are declared.
    """
    records.seal(job)
    repair.repair(job)
    job.outcome.show(job.state.live)
    target, job.app, image = _target(job, number)
    job.hash, job.restores = target.hash, target.number
    job.outcome.reason = f"rollback to release {target.number}"
    deploy.deploy(job, image, apps)
    job.outcome.did("rolled back")
    job.outcome.show(job.state.live)


def _target(job: Job, number: int | None) -> tuple[Release, App, Image]:
    """The release to go back to, how it was declared, and its image.

    Raises:
        ReleaseError: a canary is not decided, or something of that release is gone.
        NoSuchReleaseError: there is no such release.
    """
    if job.state.canary:
        raise ReleaseError(f"release {job.state.canary.number} is a canary: promote or abort it first")
    target = history.rollback_target(job.state, number, lambda release: records.is_known(job, release))
    app = _shut_in(records.recorded(job, target), job.app)
    image = job.host.engine.image(target.image_id)
    if app is None:
        why = f" ({target.note})" if target.note else ""
        raise ReleaseError(
            f"how release {target.number} was declared is not known any more{why}: deploy "
            f"{target.image} from the inventory"
        )
    if image is None:
        raise ReleaseError(
            f"image {target.image} ({target.image_id}) of release {target.number} was removed from the server by "
            "hand: deploy it from the inventory"
        )
    return target, app, image


def _shut_in(past: App | None, now: App) -> App | None:
    """The release of the past with the way out that is declared now: an earlier image is no way round the firewall."""
    if past is None or not (now.bridges or past.bridges or past.dns):
        return past
    container = {key: value for key, value in past.container.items() if key != "networks"}
    if "networks" in now.container:
        container["networks"] = now.container["networks"]
    return replace(past, bridges=now.bridges, dns=now.dns, container=container)
