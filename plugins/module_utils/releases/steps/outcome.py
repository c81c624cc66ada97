"""What a run is told of all apps, and what it says of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Archive
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release

# What an outcome says of a decision.
DONE = {
    plan.START: "started",
    plan.DEPLOY: "deployed",
    plan.WITHDRAW: "canary withdrawn",
    plan.SHARE: "canary's share changed",
    plan.PROMOTE: "promoted",
}


class ReleaseError(Exception):
    """A release could not be made; the one before it, if any, goes on serving."""


class RejectedError(ReleaseError):
    """A release did not pass its gate, and would not the next time either."""


@dataclass(frozen=True)
class Settings:
    """What holds for all apps of the host.

    `retry` names the apps for which a rejected release is tried again; `by` says who releases, for the record.
    """

    pool: range
    keep: int = 5
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    retry: frozenset[str] = frozenset()
    by: str = ""
    archives: Mapping[str, Archive] = field(default_factory=dict)


@dataclass
class Outcome:
    """What became of an app."""

    name: str
    action: str = "unchanged"
    changed: bool = False
    failed: bool = False
    message: str = ""
    reason: str = ""
    notice: str = ""
    release: int | None = None
    image: str = ""
    image_id: str = ""
    digest: str = ""
    container: str = ""
    bind: str = ""
    host_port: int | None = None
    host_ports: list[int] = field(default_factory=list)
    canary: int | None = None
    warnings: list[str] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def show(self, release: Release | None) -> None:
        """Take over what the app's live release is."""
        if release is None:
            return
        self.release = release.number
        self.image = release.image
        self.image_id = release.image_id
        self.digest = release.digest
        self.container = release.container
        self.host_port = release.host_port
        self.host_ports = list(release.host_ports)

    def did(self, action: str) -> None:
        """Something was changed, or would be in check mode."""
        self.action = action
        self.changed = True
