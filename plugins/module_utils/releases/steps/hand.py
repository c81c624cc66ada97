"""What somebody changed by hand of what is remembered of an app."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Job


def neglect(job: Job) -> str:
    """What is wrong with what is remembered of the app, in words; empty where nothing is."""
    unsafe = job.host.store.unsafe(job.app.name)
    if unsafe:
        return f"{unsafe[0]} is not root's alone"
    return "what was remembered of it is gone" if job.adopted else ""


def keep_safe(job: Job) -> None:
    """What is remembered of the app is there, and for root alone."""
    found = neglect(job)
    if not found:
        return
    job.outcome.did("repaired")
    job.outcome.reason = found
    job.host.store.secure(job.app.name)
    if job.adopted:
        job.remember(job.state)
