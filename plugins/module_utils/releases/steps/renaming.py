"""An app that has another name than it had: the old one leaves before the new one comes, on the same data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import boxes, mounts
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import removal
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome, ReleaseError


def shared(app: App, apps: Iterable[App], containers: Iterable[Container], *, foreseen: bool = False) -> str:
    """Why a release of the app would run on data that a container of an undeclared app writes; empty where none does.

    Args:
        app: what is wanted.
        apps: all that are declared.
        containers: those of all apps, as they are now.
        foreseen: what is declared absent is still there in check mode, and goes before.
    """
    known = {other.name for other in apps if other.present or foreseen} | {app.name, app.renamed_from}
    wanted = [mount.source for mount in mounts.of(app.volumes) if not mount.read_only]
    for box in containers:
        held = next((one for one in wanted for other in box.writes if mounts.overlap(one, other)), "")
        if held and box.up and box.app not in known:
            return (
                f"container {box.name} of app `{box.app}`, which is not declared, writes to {held}: two "
                f"containers on the same data destroy it. If `{app.name}` is the new name of `{box.app}`, write "
                f"`renamed_from: {box.app}`; else declare `{box.app}`, or declare it `state: absent`"
            )
    return ""


def left(job: Job) -> bool:
    """Whether there is still something of the app under its old name."""
    name = job.app.renamed_from
    return bool(name) and (bool(_containers(job)) or name in job.host.store.names())


def stop_old(job: Job) -> None:
    """The containers under the old name stop, and the new one gets their ports.

    Raises:
        ReleaseError: this was tried before, and the new one did not pass its gate.
    """
    if not left(job):
        return
    tried = [one for one in job.state.releases if one.hash == job.hash and one.state == states.REJECTED]
    if tried and job.app.name not in job.host.settings.retry:
        raise ReleaseError(
            f"app `{job.app.renamed_from}` keeps its name for now: release {tried[-1].number} of `{job.app.name}` "
            f"{tried[-1].note}. Change the inventory, or try it again with `-e portside_retry={job.app.name}`"
        )
    old = _state(job)
    if not job.state.ports and not job.app.host_ports:
        job.state = replace(job.state, ports=old.ports)
    for box in _containers(job):
        if box.up:
            job.moved[box.id] = job.host.engine.restart_policy(box.id)
            job.host.engine.set_restart(box.id, "no")
            job.host.engine.stop(box.id, job.app.stop_timeout)


def put_back(job: Job) -> None:
    """The containers under the old name run again: what has the new one came to nothing."""
    if not left(job):
        return
    containers = _containers(job)
    live = _state(job).live
    serving = {box.id: str(live.spec.get("restart", "no")) for box in boxes.of(containers, live) if box} if live else {}
    for box in containers:
        policy = job.moved.get(box.id) or serving.get(box.id)
        if policy and not box.up:
            job.host.engine.start(box.id)
            job.host.engine.set_restart(box.id, policy)
    job.moved.clear()


def finish(job: Job) -> None:
    """Nothing is left under the old name, now that the app serves under its new one."""
    if not (job.state.live and left(job)):
        return
    name = job.app.renamed_from
    gone = App(name, image="", present=False, stop_timeout=job.app.stop_timeout)
    removal.remove(Job(job.host, gone, "", _state(job), _containers(job), Outcome(name)))
    if not job.outcome.changed:
        job.outcome.did("repaired")
        job.outcome.reason = f"app `{name}`, which it was, is removed"


def _containers(job: Job) -> list[Container]:
    return [box for box in job.host.engine.containers() if box.app == job.app.renamed_from and not box.job]


def _state(job: Job) -> AppState:
    return job.host.store.load(job.app.renamed_from) or AppState(job.app.renamed_from)
