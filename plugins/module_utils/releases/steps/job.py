"""An app while it is being worked on, and the host that it is on."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ansible_collections.portside.vps.plugins.module_utils import telltale, terminal
from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container, Engine, EngineError, Image
from ansible_collections.portside.vps.plugins.module_utils.masking import masked
from ansible_collections.portside.vps.plugins.module_utils.releases import (
    boxes,
    denied,
    hints,
    kept_site,
    plan,
    proof,
)
from ansible_collections.portside.vps.plugins.module_utils.releases.front import Front
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Answer, Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Images
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, Replica
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome, Settings
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError


@dataclass(frozen=True)
class Host:
    """What the steps of a release work with.

    engine: runs the containers.
    front: the proxy in front of them.
    store: remembers.
    settings: what holds for all apps.
    images: finds and fetches them.
    clock: time.
    ask: probes a container.
    busy: tells whether something listens on an address and port.
    today: the time of day for the state file.
    front_door: asks nginx for an app under its public name.
    shared: held for what the apps of a host share: ports, networks, images, nginx.
    """

    engine: Engine
    front: Front
    store: Store
    settings: Settings
    images: Images
    clock: Clock
    ask: Callable[[str, int, Health], Answer]
    busy: Callable[[str, int], bool]
    today: Callable[[], str]
    front_door: Callable[[App], proof.Seen]
    shared: threading.RLock = field(default_factory=threading.RLock)

    def running(self) -> list[str]:
        """The apps of which a release runs."""
        return [item.app for item in self.engine.containers() if item.running]


@dataclass
class Job:
    """An app while it is being worked on.

    `hash` is that of its declaration, `containers` are those seen last, `restores` is the release that a rollback
    brings back, `adopted` says that its state file was lost, and `stopped` are the containers that had to leave before
    a new release could come, each with the restart policy that it had; `moved` are such containers under an old name of
    the app, and `made_directories` what was made on the server for its volumes.
    """

    host: Host
    app: App
    hash: str
    state: AppState
    containers: list[Container]
    outcome: Outcome
    restores: int | None = None
    adopted: bool = False
    stopped: dict[str, str] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    made_directories: list[str] = field(default_factory=list)

    def own(self) -> list[Container]:
        """The containers of its releases, as they are now."""
        return [item for item in self.host.engine.containers() if item.app == self.app.name and not item.job]

    def jobs(self) -> list[Container]:
        """The containers of its `before:` jobs."""
        return [item for item in self.host.engine.containers() if item.app == self.app.name and item.job]

    def look(self) -> None:
        """See again which containers there are, and where."""
        self.containers = self.own()
        self.state = plan.located(self.state, self.containers)

    def remember(self, state: AppState) -> None:
        """Go on from this state, whatever happens to the run."""
        self.host.store.save(state)
        self.state = state

    def boxes(self, release: Release) -> list[tuple[str, Replica]]:
        """The containers of a release that are there, by their IDs."""
        found = zip(boxes.of(self.containers, release), release.replicas, strict=True)
        return [(box.id, replica) for box, replica in found if box]

    def told(
        self, release: Release | None, what: str, lines: Sequence[str], container: str = "", job: Sequence[str] = ()
    ) -> str:
        """The message about a container that did not come to serve, without the secrets of any release, and what to do.

        Args:
            release: the one that it is of.
            what: what happened.
            lines: what it wrote last.
            container: its name; empty for one that never ran.
            job: the command, where it was a job that goes before the release.
        """
        number = release.number if release else "?"
        text = f"release {number} ({self.app.image}) was given up: {what}"
        live = self.state.live
        if live and release and live.number != release.number and not boxes.missing(self.containers, live):
            text += f". Release {live.number} goes on serving"
        if lines:
            text += f"\nLast lines of {container}:\n" + "\n".join(f"  {line}" for line in lines)
        elif container:
            text += f"\n{container} wrote nothing"
        lacking = denied.hint(lines, self.app.cap_add, str(self.app.container.get("user", "")))
        cures = [*filter(None, [lacking]), *hints.said(self._case(what, lines, job))]
        for word, hint in zip(("What to do", "Or"), cures, strict=False):
            text += f"\n{word}: {hint}."
        return self.quotable(text)

    def quotable(self, text: str) -> str:
        """A text without the secrets of any release, and without what a terminal would act on."""
        public = [self.app.name, self.app.image, *filter(None, [self.app.health.host])]
        return masked(terminal.plain(text), self._secrets(), public)

    def _case(self, what: str, lines: Sequence[str], job: Sequence[str]) -> hints.Case:
        image = None
        with suppress(EngineError):
            image = self.host.engine.image(self.app.image)
        return hints.Case(
            lines=lines,
            said=what,
            command=job or self.app.command,
            entrypoint=self._entrypoint(image, bool(job)),
            built_for=image.architecture if image else "",
            machine=platform.machine(),
            port=self.app.port,
            host=self.app.health.host,
            user=self.app.container.get("user", ""),
            init=self.app.init,
            read_only=bool(self.app.container.get("read_only")),
            before=bool(job),
        )

    def _entrypoint(self, image: Image | None, before: bool) -> Sequence[str]:
        """What gets the command as arguments."""
        if before and self.app.before_entrypoint == "none":
            return ()
        own: Sequence[str] = self.app.container.get("entrypoint", ())
        return own or (image.entrypoint if image else ())

    def _secrets(self) -> list[str]:
        found = [*self.app.secrets.values(), *kept_site.clear_passwords(self.app.extra)]
        found += telltale.secrets(
            {"env": self.app.env, "log": self.app.log, "secrets": list(self.app.secrets.values())}
        )
        for release in self.state.releases:
            with suppress(StoreError):
                found += (self.host.store.secrets(self.app.name, release.number) or {}).values()
        return found
