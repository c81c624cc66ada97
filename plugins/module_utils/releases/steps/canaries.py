"""A release that has a share of the clients: promoted, taken away, or given another share."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import gates, records, removal, repair, switch
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import DONE, ReleaseError


def promote(job: Job) -> None:
    """Give the canary all clients."""
    repair.repair(job)
    canary = of(job)
    job.app = records.recorded(job, canary) or job.app
    end(job, canary)
    job.outcome.show(job.state.live)


def end(job: Job, canary: Release) -> None:
    """Make the canary the only release. It has to pass the gate once more, now that all clients are to come."""
    ids = job.boxes(canary)
    if len(ids) < len(canary.replicas):
        raise ReleaseError(f"a container of release {canary.number}, the canary, is gone: abort it, or deploy again")
    gates.wait(job, ids, served=True)
    try:
        switch.switch(job, replace(canary, share=0))
    except ReleaseError:
        switch.point(job, job.state)
        raise
    job.outcome.did(DONE[plan.PROMOTE])
    job.outcome.reason = f"release {canary.number}"
    removal.prune(job)


def abort(job: Job) -> None:
    """Take the canary away, and remember it as rejected."""
    repair.repair(job)
    canary = of(job)
    by = f" by {job.host.settings.by}" if job.host.settings.by else ""
    withdraw(job, canary, states.REJECTED, f"aborted on {job.host.today()}{by}")
    job.outcome.did("aborted")
    job.outcome.reason = f"release {canary.number}"
    job.outcome.show(job.state.live)


def withdraw(job: Job, canary: Release, state: str, note: str, *, ready: bool = True) -> None:
    """All clients go to the live release again, and the canary stops when it has answered the rest.

    Args:
        job: the app.
        canary: the release that goes.
        state: what becomes of it.
        note: why.
        ready: the live release has to pass its gate first; else the canary stays.
    """
    if job.state.live and ready:
        _make_ready(job, job.state.live, canary)
    switch.point(job, job.state.with_release(replace(canary, state=state, share=0, note=note)))
    switch.retire(job, [item for item in job.own() if item.release == canary.number])
    job.containers = job.own()


def _make_ready(job: Job, live: Release, canary: Release) -> None:
    """The live release runs and passes its gate: it may have ended unnoticed while the canary answered for it."""
    switch.revive(job, live)
    ids = job.boxes(live)
    try:
        if len(ids) < len(live.replicas):
            raise NotHealthyError("a container of it is gone")
        recorded = records.recorded(job, live)
        gates.wait(replace(job, app=recorded or job.app), ids, served=True)
    except NotHealthyError as error:
        raise ReleaseError(
            f"release {live.number}, which all clients would go back to, can't take them: "
            f"{error.__cause__ or error}. Release {canary.number}, the canary, stays as it is: give it all clients "
            f"(`playbooks/promote.yml -e app={job.app.name}`), or deploy another release"
        ) from error


def share(job: Job, canary: Release) -> None:
    """Give the canary as many clients as are declared now."""
    switch.point(job, job.state.with_release(replace(canary, share=job.app.canary)))
    job.outcome.did(DONE[plan.SHARE])


def of(job: Job) -> Release:
    """The app's canary.

    Raises:
        ReleaseError: it has none.
    """
    if job.state.canary is None:
        raise ReleaseError(f"app `{job.app.name}` has no canary: `playbooks/releases.yml` lists its releases")
    return job.state.canary


def tell(job: Job) -> None:
    """Have the outcome say that there is a canary, and what may become of it."""
    canary, name = job.state.canary, job.app.name
    if canary is None:
        return
    job.outcome.canary = canary.number
    job.outcome.notice = (
        f"app `{name}`: release {canary.number} ({canary.image}) is a canary with {canary.share} % of the clients. "
        f"`playbooks/promote.yml -e app={name}` gives it all of them, `playbooks/abort.yml -e app={name}` none"
    )
