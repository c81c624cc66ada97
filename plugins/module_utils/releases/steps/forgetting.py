"""Secrets that were rotated are forgotten: in what is kept for a rollback, and in the containers that wait for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.releases import kept_site
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import repair
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import ReleaseError


def foresee(job: Job) -> None:
    """What `forget` would do; nothing is changed."""
    _tell(job, _stale(job))
    _still_used(job)


def forget(job: Job) -> None:
    """Forget the releases that have a secret which none that serves has.

    What goes: their secrets, how they were declared, and their containers, in whose environment Docker keeps the
    secrets. What stays is the line in the list of releases.

    Raises:
        ReleaseError: the release that serves has another secret than the declared one, so it is in use.
    """
    if job.app.declared:  # of one that is not in the inventory any more nobody knows how it should be
        repair.repair(job)
    job.outcome.show(job.state.live)
    stale = _stale(job)
    numbers = {release.number for release in stale}
    for container in [*job.own(), *job.jobs()]:
        if container.release in numbers:
            job.host.engine.remove(container.id)
    for release in stale:
        job.host.store.drop_release(job.app.name, release.number)
        note = ", ".join(part for part in (release.note, f"secrets forgotten on {job.host.today()}") if part)
        job.remember(job.state.with_release(replace(release, note=note)))
    _tell(job, stale)
    _still_used(job)


def _stale(job: Job) -> list[Release]:
    """The releases that don't serve and have a secret, or a password of their site, that no release that serves has."""
    store, name = job.host.store, job.app.name
    used: set[str] = set()
    users: set[tuple[str, str]] = set()
    for number in job.state.serving:
        used |= {*(store.secrets(name, number) or {}).values()}
        record = store.record(name, number)
        users |= {*kept_site.users(record.extra if record else "").items()}
    found = []
    for release in job.state.releases:
        if release.number in job.state.serving or release is job.state.starting:
            continue
        record = store.record(name, release.number)
        kept = {*(store.secrets(name, release.number) or {}).values()}
        if not (kept <= used and kept_site.users(record.extra if record else "").items() <= users):
            found.append(release)
    return found


def _tell(job: Job, stale: Sequence[Release]) -> None:
    if not stale:
        return
    numbers = ", ".join(str(release.number) for release in stale)
    what, them = ("release", "it") if len(stale) == 1 else ("releases", "them")
    job.outcome.did("forgotten")
    job.outcome.reason = f"releases with a secret that is used no more: {numbers}"
    gone = f"the secrets of {what} {numbers} were forgotten"
    job.outcome.notice = f"app `{job.app.name}`: {gone}, and there is no rollback to {them} any more"


def _still_used(job: Job) -> None:
    """See that no secret is forgotten in the past alone.

    Raises:
        ReleaseError: what serves has another value than the inventory.
    """
    if not job.app.declared:
        return
    for number in sorted(job.state.serving):
        kept = job.host.store.secrets(job.app.name, number) or {}
        other = sorted(name for name, value in kept.items() if job.app.secrets.get(name) != value)
        if other:
            raise ReleaseError(
                f"release {number}, which serves, has another {', '.join(other)} than the inventory, and goes on using "
                f"it: deploy first (`playbooks/deploy.yml -e app={job.app.name}`), then forget"
            )
