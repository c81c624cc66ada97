"""How releases were declared: what is compared with, gone back to, and held against a declaration."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Image
from ansible_collections.portside.vps.plugins.module_utils.releases import history, kept_site, plan, spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Host, Job
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Record


def refused(host: Host, app: App, digest: str, state: AppState, image: Image | None) -> Release | None:
    """The rejected release that a deploy of this declaration would repeat; None where it is to be tried."""
    if app.name in host.settings.retry:
        return None
    return history.refused(state, digest, image.id if image else None)


def hold(job: Job, image: Image | None) -> Image | None:
    """Where the declaration was rejected: go on with the one that serves. Returns the image to compare with."""
    rejected = refused(job.host, job.app, job.hash, job.state, image)
    live = job.state.live
    if rejected is None or live is None:
        return image
    name = job.app.name
    job.outcome.action = "held"
    job.outcome.notice = (
        f"app `{name}` stays on release {live.number} ({live.image}). What the inventory asks for "
        f"({job.app.image}) was release {rejected.number}: {rejected.note}. "
        f"Change the inventory, or try it again with `-e portside_retry={name}`"
    )
    job.app = recorded(job, live) or job.app
    job.hash = live.hash
    return job.host.engine.image(live.image_id)


def is_known(job: Job, release: Release) -> bool:
    """Whether a release can be brought back as it was."""
    store, name = job.host.store, job.app.name
    return store.record(name, release.number) is not None and store.secrets(name, release.number) is not None


def recorded(job: Job, release: Release) -> App | None:
    """The app as it was declared for a release; None where that was not kept.

    It gets the ports that are declared now, unless they are too few for it.
    """
    app, store = job.app, job.host.store
    record = store.record(app.name, release.number)
    secrets = store.secrets(app.name, release.number)
    if record is None or secrets is None:
        return None
    item = {**record.app, "secrets": secrets, "extra": record.extra}
    if not app.host_ports or len(app.host_ports) >= item.get("replicas", 1):
        item["host_ports"] = list(app.host_ports)
    # The site is today's while the release is switched to.
    return replace(spec.app(validate.recorded(item)), front_host=app.front_host, front_port=app.front_port)


def refresh(job: Job) -> None:
    """What may change without a release is kept as it is now."""
    live = job.state.canary or job.state.live
    if not live or job.outcome.action == "held":
        return
    kept = job.host.store.record(job.app.name, live.number)
    if kept and kept.app == job.app.declared and kept_site.same(job.app.extra, kept.extra):
        return
    keep(job, live.number, kept.extra if kept else "")


def keep(job: Job, number: int, known: str = "") -> None:
    """Keep how a release is declared.

    Args:
        job: the app.
        number: the release.
        known: what was kept of its site before, of another release for instance: the same password has the same hash.
    """
    record = Record(job.app.declared, kept_site.sealed(job.app.extra, known))
    job.host.store.save_record(job.app.name, number, record)


def seal(job: Job) -> None:
    """Take the passwords out of what was kept when they stood there as they are."""
    known = ""
    for release in job.state.releases:
        record = job.host.store.record(job.app.name, release.number)
        if record and kept_site.clear_passwords(record.extra):
            record = replace(record, extra=kept_site.sealed(record.extra, known))
            job.host.store.save_record(job.app.name, release.number, record)
        known = record.extra if record else known


def diff(job: Job, live: Release | None) -> None:
    """What a new release changes, for `--diff`."""
    old = job.host.store.secrets(job.app.name, live.number) if live else None
    job.outcome.before, job.outcome.after = plan.diff(job.app, live, old)
