"""Makes each app's containers what the list of apps asks for. The order of the steps is what keeps an app served.

A release goes: remember it as `starting` - fetch the image - create and start the container on the port that is free -
gate - `switching` - point nginx at it - `live` - drain - stop the one before it - prune. The state file is replaced
between the steps, and never says more than what is true on the host, so that a run that is killed anywhere can be
finished or undone by the next one (plan.damage).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container, Engine, EngineError, Image
from ansible_collections.portside.vps.plugins.module_utils.releases import (
    before,
    gate,
    history,
    networks,
    order,
    plan,
    proof,
    spec,
    validate,
)
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.before import JobFailedError
from ansible_collections.portside.vps.plugins.module_utils.releases.containers import masked
from ansible_collections.portside.vps.plugins.module_utils.releases.front import Front, FrontError
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Answer, Clock, NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.history import NoSuchReleaseError
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Archive, Images, NoImageError
from ansible_collections.portside.vps.plugins.module_utils.releases.proof import NotProvenError
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release, Replica
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Record, Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

LOG_LINES = 50
# What an outcome says of a decision.
DONE = {
    plan.START: "started",
    plan.DEPLOY: "deployed",
    plan.WITHDRAW: "canary withdrawn",
    plan.SHARE: "canary's share changed",
    plan.PROMOTE: "promoted",
}
# So many apps are worked on at a time: most of a release is waiting, for an app to start and for requests to end.
AT_ONCE = 4


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


@dataclass
class _Job:
    """An app while it is being worked on."""

    app: App
    hash: str
    state: AppState
    containers: list[Container]
    outcome: Outcome
    restores: int | None = None


class Releaser:
    """Goes through the apps.

    Args:
        engine: runs the containers.
        front: the proxy in front of them.
        store: remembers.
        settings: what holds for all apps.
        clock: time.
        ask: probes a container.
        busy: tells whether something listens on an address and port.
        today: the time of day for the state file.
        front_door: asks nginx for an app under its public name.
    """

    def __init__(
        self,
        engine: Engine,
        front: Front,
        store: Store,
        settings: Settings,
        *,
        clock: Clock,
        ask: Callable[[str, int, Health], Answer],
        busy: Callable[[str, int], bool],
        today: Callable[[], str] = lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        front_door: Callable[[App], proof.Seen] = proof.ask,
    ) -> None:
        self._front_door = front_door
        self._engine = engine
        self._front = front
        self._store = store
        self._settings = settings
        self._images = Images(engine, clock, settings.credentials, settings.archives)
        self._clock = clock
        self._ask = ask
        self._busy = busy
        self._today = today
        # Held for what the apps of a host share: ports, networks, images, nginx.
        self._shared = threading.RLock()

    # ------------------------------------------------------------------ what the module calls

    def run(self, apps: Sequence[App], declared: Sequence[App] = ()) -> list[Outcome]:
        """Bring the apps to what is wanted; one that fails does not stop the others.

        Args:
            apps: those to work on.
            declared: all of the list, where that is more: their named ports are not given away.
        """
        return self._each(apps, lambda job: self._settle(job, [*declared, *apps]), self._store.make_salt())

    def predict(self, apps: Sequence[App], declared: Sequence[App] = ()) -> list[Outcome]:
        """What `run` would do; nothing is changed."""
        return self._each(apps, self._foresee, self._store.salt() or b"")

    def roll_back(self, app: App, number: int | None, declared: Sequence[App] = ()) -> list[Outcome]:
        """Bring back an earlier release of the app, as a new release with the same image, declaration and secrets.

        Args:
            app: the app as it is declared now; of that only the ports on the server count.
            number: the release; None for the one before.
            declared: all of the list.
        """
        return self._each([app], lambda job: self._restore(job, number, [*declared, app]), self._store.make_salt())

    def predict_rollback(self, app: App, number: int | None, declared: Sequence[App] = ()) -> list[Outcome]:
        """What `roll_back` would do; nothing is changed."""
        return self._each([app], lambda job: self._foresee_restore(job, number), self._store.salt() or b"")

    def promote(self, app: App) -> list[Outcome]:
        """Make the app's canary its only release, through the same gate and drain."""
        return self._each([app], self._promote, self._store.make_salt())

    def abort(self, app: App) -> list[Outcome]:
        """Take the app's canary away, and remember it as rejected."""
        return self._each([app], self._abort, self._store.make_salt())

    def predict_end(self, app: App, what: str) -> list[Outcome]:
        """What `promote` or `abort` would do; nothing is changed."""

        def foresee(job: _Job) -> None:
            job.outcome.reason = f"release {self._canary(job).number}"
            job.outcome.did("promoted" if what == "promote" else "aborted")

        return self._each([app], foresee, self._store.salt() or b"")

    def held(self, apps: Iterable[App]) -> dict[str, str]:
        """The apps whose declaration was rejected, each with what was kept (`extra`) of the release that serves.

        Only what is on the host counts: a registry may want a password, or be down, and this is no reason to fail.
        """
        salt = self._store.salt() or b""
        found = {}
        for app in apps:
            try:
                state = self._store.load(app.name) if app.present else None
            except StoreError:
                continue  # `run` says so, for this app alone
            image = self._images.local(app) if state else None
            if state and self._refused(app, spec.fingerprint(app, salt), state, image) and state.live:
                record = self._store.record(app.name, state.live.number)
                # What is as it is declared is nothing to bring back (and Ansible would mask it, as what it was given).
                found[app.name] = record.extra if record and record.extra != app.extra else ""
        return found

    def archives_needed(self, apps: Sequence[App]) -> list[str]:
        """The apps whose image has to be copied to the host before anything is done."""
        return self._images.needed(apps)

    def orphans(self, apps: Iterable[App]) -> list[str]:
        """Apps that are on the host and not in the list."""
        declared = {app.name for app in apps}
        return sorted(({item.app for item in self._engine.containers()} | {*self._serving()}) - declared)

    def forget_failures(self, apps: Iterable[App]) -> None:
        """Forget apps that are not in the list and of which nothing but failed attempts is left."""
        kept = {app.name for app in apps} | {item.app for item in self._engine.containers()} | {*self._serving()}
        for name in {*self._store.names()} - kept:
            self._store.forget(name)

    def _serving(self) -> list[str]:
        """The apps that something serves for, as far as one knows: of an unreadable state file one doesn't."""
        known = self._store.readable()
        return [name for name in self._store.names() if name not in known or known[name].live]

    def _each(self, apps: Sequence[App], work: Callable[[_Job], None], salt: bytes) -> list[Outcome]:
        """The outcomes in the order of the list, of several apps worked on at a time.

        What goes is worked on first: it may free ports. What others depend on comes before them.
        """
        containers = self._engine.containers()
        present = {app.name: app.depends_on for app in apps if app.present}
        waves = [[app.name for app in apps if not app.present], *order.waves(present)]
        by_name = {app.name: app for app in apps}
        done: dict[str, Outcome] = {}
        for wave in waves:
            with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
                outcomes = pool.map(lambda name: self._guarded(by_name[name], work, salt, containers), wave)
                done |= zip(wave, outcomes, strict=True)
        return [done[app.name] for app in apps]

    # ------------------------------------------------------------------ one app

    def _guarded(self, app: App, work: Callable[[_Job], None], salt: bytes, containers: Sequence[Container]) -> Outcome:
        outcome = Outcome(app.name, bind=app.bind)
        try:
            own = [item for item in containers if item.app == app.name and not item.job]
            state = self._store.load(app.name) or plan.adopted(app.name, own)
            job = _Job(app, spec.fingerprint(app, salt), plan.located(state, own), own, outcome)
            outcome.show(state.live)
            work(job)
        except (
            ReleaseError,
            EngineError,
            FrontError,
            StoreError,
            NotHealthyError,
            NoImageError,
            NoSuchReleaseError,
            InvalidInputError,
            OSError,
        ) as error:
            outcome.action = "failed"
            outcome.failed = True
            outcome.message = str(error)
        return outcome

    def _foresee(self, job: _Job) -> None:
        outcome, state = job.outcome, job.state
        if not job.app.present:
            if job.containers or state.releases or state.ports:
                outcome.before = dict(state.live.spec) if state.live else {"containers": len(job.containers)}
                outcome.did("removed")
            return
        damage = self._damage(job)
        image = self._images.foreseen(job.app)
        live = damage.finish or state.live
        if damage.finish:
            job.state = state.promoted(damage.finish.number)
        image = self._hold(job, image)
        decision = plan.decide(job.app, job.hash, job.state, job.containers, image.id if image else None)
        if damage:
            outcome.did("repaired")
            outcome.reason = str(damage)
        if decision.action != plan.NOTHING:
            outcome.did(DONE[decision.action])
            outcome.reason = decision.reason
        if decision.action == plan.DEPLOY:
            self._diff(job, live)
            outcome.image = job.app.image

    def _settle(self, job: _Job, apps: Sequence[App]) -> None:
        if not job.app.present:
            self._remove(job)
            return
        self._repair(job)
        image = self._hold(job, self._images.present(job.app))
        decision = plan.decide(job.app, job.hash, job.state, job.containers, image.id if image else None)
        job.outcome.reason = decision.reason
        if decision.action == plan.DEPLOY:
            self._deploy(job, image, apps)
        elif decision.action == plan.START:
            self._start(job)
        elif decision.action == plan.WITHDRAW:
            self._withdraw(job, self._canary(job), states.RETIRED, decision.reason)
            job.outcome.did(DONE[plan.WITHDRAW])
        elif decision.action == plan.SHARE:
            self._share(job, self._canary(job))
        elif decision.action == plan.PROMOTE:
            self._end_canary(job, self._canary(job))
        else:
            self._refresh_record(job)
        job.outcome.show(job.state.live)
        self._tell_of_canary(job)

    def _damage(self, job: _Job) -> plan.Damage:
        served = self._front.served(job.app.upstream_file) if job.app.upstream_file else None
        return plan.damage(job.app, job.state, job.containers, served)

    def _diff(self, job: _Job, live: Release | None) -> None:
        old = self._store.secrets(job.app.name, live.number) if live else None
        job.outcome.before, job.outcome.after = plan.diff(job.app, live, old)

    # ------------------------------------------------------------------ releases of the past

    def _refused(self, app: App, digest: str, state: AppState, image: Image | None) -> Release | None:
        if app.name in self._settings.retry:
            return None
        return history.refused(state, digest, image.id if image else None)

    def _hold(self, job: _Job, image: Image | None) -> Image | None:
        """Where the declaration was rejected: go on with the one that serves. Returns the image to compare with."""
        refused = self._refused(job.app, job.hash, job.state, image)
        live = job.state.live
        if refused is None or live is None:
            return image
        name = job.app.name
        job.outcome.action = "held"
        job.outcome.notice = (
            f"app `{name}` stays on release {live.number} ({live.image}). What the inventory asks for "
            f"({job.app.image}) was release {refused.number}: {refused.note}. "
            f"Change the inventory, or try it again with `-e portside_retry={name}`"
        )
        job.app = self._recorded(job.app, live, job.app.host_ports) or job.app
        job.hash = live.hash
        return self._engine.image(live.image_id)

    def _recorded(self, app: App, release: Release, host_ports: Sequence[int]) -> App | None:
        """The app as it was declared for a release; None where that was not kept.

        Args:
            app: the app as it is declared now.
            release: the release.
            host_ports: the ports that are declared now, which it gets unless they are too few for it.
        """
        record = self._store.record(app.name, release.number)
        secrets = self._store.secrets(app.name, release.number)
        if record is None or secrets is None:
            return None
        item = {**record.app, "secrets": secrets, "extra": record.extra}
        if not host_ports or len(host_ports) >= item.get("replicas", 1):
            item["host_ports"] = list(host_ports)
        # The site is today's while the release is switched to.
        return replace(spec.app(validate.recorded(item)), front_host=app.front_host, front_port=app.front_port)

    def _foresee_restore(self, job: _Job, number: int | None) -> None:
        target = history.rollback_target(job.state, number)
        job.app = self._recorded(job.app, target, job.app.host_ports) or job.app
        job.outcome.reason = f"rollback to release {target.number}"
        self._diff(job, job.state.live)
        job.outcome.did("rolled back")
        job.outcome.image = target.image

    def _restore(self, job: _Job, number: int | None, apps: Sequence[App]) -> None:
        """Make a release of an earlier one."""
        self._repair(job)
        job.outcome.show(job.state.live)
        if job.state.canary:
            raise ReleaseError(f"release {job.state.canary.number} is a canary: promote or abort it first")
        target = history.rollback_target(job.state, number)
        app = self._recorded(job.app, target, job.app.host_ports)
        image = self._engine.image(target.image_id)
        if app is None:
            raise ReleaseError(f"how release {target.number} was declared is not known any more")
        if image is None:
            raise ReleaseError(
                f"image {target.image} ({target.image_id}) of release {target.number} was removed from the server by "
                "hand: deploy it from the inventory"
            )
        job.app, job.hash, job.restores = app, target.hash, target.number
        job.outcome.reason = f"rollback to release {target.number}"
        self._deploy(job, image, apps)
        job.outcome.did("rolled back")
        job.outcome.show(job.state.live)

    def _refresh_record(self, job: _Job) -> None:
        """What may change without a release is kept as it is now."""
        live = job.state.canary or job.state.live
        wanted = Record(job.app.declared, job.app.extra)
        if live and job.outcome.action != "held" and self._store.record(job.app.name, live.number) != wanted:
            self._store.save_record(job.app.name, live.number, wanted)

    # ------------------------------------------------------------------ repair

    def _repair(self, job: _Job) -> None:
        """Finish or undo what an earlier run left half done."""
        damage = self._damage(job)
        if not damage:
            return
        job.outcome.did("repaired")
        before.finish(self._engine, self._clock, self._jobs(job.app.name), job.app.before_timeout)
        if damage.finish:
            self._switch(job, damage.finish)
        elif damage.abandon:
            self._give_up(job, damage.abandon, "the run that made it was interrupted")
        if self._damage(job).repoint and job.state.live:
            self._point(job, job.state)
        for container in damage.strays:
            self._engine.remove(container.id)
        job.containers = self._own(job)
        self._retire(job, [item for item in job.containers if item.up and item.release not in job.state.serving])
        job.containers = self._own(job)

    def _give_up(self, job: _Job, release: Release, why: str, *, rejected: bool = False) -> None:
        """Undo a release that does not serve: the one before it runs, nginx points at it, the new container is gone."""
        live = job.state.live
        astray = job.state.switching
        # One that can't run beside the new one is started, and pointed at, when that is gone.
        if live and astray and not job.app.recreates:
            self._revive(job, live)
            self._point(job, job.state)
        for container in [*job.containers, *self._jobs(job.app.name)]:
            if container.release == release.number:
                self._engine.remove(container.id)
        if live:
            self._revive(job, live)
        if live and astray and job.app.recreates:
            self._point(job, job.state)
        self._store.drop_release(job.app.name, release.number)
        failed = replace(release, state=states.REJECTED if rejected else states.FAILED, note=why)
        self._remember(job, replace(job.state.with_release(failed), switching=False))

    def _revive(self, job: _Job, live: Release) -> None:
        """Have the live release's containers run, those that are there, under the restart policy that it was given."""
        for container in self._own(job):
            if container.release == live.number:
                self._engine.set_restart(container.id, str(live.spec.get("restart", job.app.restart)))
                if not container.up:
                    self._engine.start(container.id)
        self._look(job)

    # ------------------------------------------------------------------ the steps of a release

    def _start(self, job: _Job) -> None:
        """Start what serves and does not run; a release of its own it is not."""
        job.outcome.did("started")
        ports = {
            replica.container: replica.host_port
            for release in (job.state.live, job.state.canary)
            for replica in (release.replicas if release else ())
        }
        idle = [item for item in job.containers if item.name in ports and not item.running]
        for container in idle:
            if container.status != "restarting":
                self._engine.start(container.id)
        for container in idle:
            self._gate(job, container.id, container.name, ports[container.name], served=True)
        self._look(job)
        if self._damage(job).repoint:
            self._point(job, job.state)

    def _deploy(self, job: _Job, image: Image | None, apps: Sequence[App]) -> None:
        app = job.app
        self._diff(job, job.state.live)
        why = order.missing(app.depends_on, self._running())
        if why:
            raise ReleaseError(f"not released: {why}")
        if spec.floating(app.image):
            job.outcome.warnings.append(
                f"app `{app.name}`: image {app.image} has no fixed tag: what runs depends on when it was fetched"
            )
        image = image or self._images.fetch(app)
        if job.state.canary and (app.recreates or app.host_ports or not app.published):
            # There is no room for a third release. Otherwise the canary serves until the switch.
            trial = job.state.canary
            serves = plan.stands(job.containers, trial)
            self._withdraw(job, trial, states.RETIRED, "replaced by a later release", ready=serves)
        release = self._begin(job, image, apps)
        job.outcome.did("deployed as a canary" if release.share else "deployed")
        try:
            release = self._bring_up(job, release)
            self._switch(job, release)
        except (ReleaseError, EngineError, FrontError, NotHealthyError, OSError) as error:
            self._fall_back(job, release, error)
            raise
        self._prune(job)

    def _begin(self, job: _Job, image: Image, apps: Sequence[App]) -> Release:
        """The release with its number and its port, remembered."""
        app = job.app
        # An image that lost its tag knows its digest no more.
        restored = job.state.release(job.restores) if job.restores else None
        with self._shared:
            state = self._allocate(job, apps)
            number = state.next_release
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
                created=self._today(),
                spec=spec.recorded(app),
                by=self._settings.by,
                restores=job.restores,
                others=tuple(others),
                share=app.canary if canary else 0,
            )
            self._store.save_secrets(app.name, release.number, app.secrets)
            self._store.save_record(app.name, release.number, Record(app.declared, app.extra))
            self._store.save_secret_files(app.name, release.number, app.secret_files)
            self._remember(job, state.with_release(release))
        return release

    def _bring_up(self, job: _Job, release: Release) -> Release:
        """The new containers run and have passed their gate. Returns the release with their addresses."""
        app = job.app
        configs = self._configs(job, release)
        with self._shared:
            for network in app.networks:
                self._engine.ensure_network(network)
        if release.restores is None:
            self._run_before(job, release, configs[0])
        made = [
            (self._engine.create(replica.container, config), replica)
            for replica, config in zip(release.replicas, configs, strict=True)
        ]
        for container, _ in made:
            for network in app.networks[1:]:
                self._engine.connect(container, network, app.name)
        if app.recreates:
            self._stop_others(job)
        for container, _ in made:
            try:
                self._engine.start(container)
            except EngineError as error:
                text = self._told(job, release, f"its container could not be started: {error}", ())
                raise ReleaseError(text) from error
        self._gates(job, made)
        for container, _ in made:
            self._engine.set_restart(container, app.restart)
        # On a network that it shares, its address could be another app's one day.
        if app.upstream_file and not (app.recreates or app.container.get("networks")):
            release = release.at(self._engine.address(container) for container, _ in made)
            self._remember(job, job.state.with_release(release))
        return release

    def _configs(self, job: _Job, release: Release) -> list[dict[str, Any]]:
        """The body of the create call for each replica."""
        app = job.app
        # The reference is what a person wants to see; by its ID the image is the same whatever the reference names now.
        named = self._engine.image(app.image)
        image = app.image if named and named.id == release.image_id else release.image_id
        directory = str(self._store.secret_files(app.name, release.number))
        return [
            spec.container_config(
                app, image, release.number, release.hash, one.host_port, secrets_dir=directory, replica=number
            )
            for number, one in enumerate(release.replicas, 1)
        ]

    def _gates(self, job: _Job, made: Sequence[tuple[str, Replica]], *, served: bool = False) -> None:
        """Wait for all containers at a time; the first that fails is what is reported."""
        with ThreadPoolExecutor(max_workers=len(made)) as pool:
            waiting = [pool.submit(self._gate, job, one, at.container, at.host_port, served=served) for one, at in made]
        for result in waiting:
            result.result()

    def _run_before(self, job: _Job, release: Release, config: Mapping[str, Any]) -> None:
        for number, command in enumerate(job.app.before, 1):
            task = before.Job(release.container, number, command, job.app.before_timeout)
            try:
                before.run(self._engine, self._clock, task, config, job.app.networks)
            except JobFailedError as error:
                text = self._told(job, release, str(error), error.lines, task.name)
                raise RejectedError(text) from error

    def _gate(self, job: _Job, container: str, name: str, host_port: int | None, *, served: bool = False) -> None:
        """Wait until a container is healthy; one that has `served` may have been restarted before."""
        app, port = job.app, host_port
        past = self._engine.condition(container).restarts if served else 0
        if app.port and not app.published:
            # Nobody but the apps on its networks reaches it, and the host itself.
            app, port = replace(app, bind=self._engine.address(container)), app.port
        try:
            gate.wait_healthy(
                app, port, lambda: self._engine.condition(container), self._ask, self._clock, restarts=past
            )
        except NotHealthyError as error:
            lines = self._engine.logs(container, LOG_LINES)
            release = next(
                (one for one in job.state.releases if name in {replica.container for replica in one.replicas}), None
            )
            raise NotHealthyError(self._told(job, release, str(error), lines, name)) from error

    def _switch(self, job: _Job, release: Release) -> None:
        """Traffic goes to this release from now on, and the one before it is stopped when it has answered the rest. One
        with a share becomes a canary, and the one before it goes on."""
        served = job.state.serving
        promoted = job.state.with_release(release).promoted(release.number, self._today())
        if job.app.upstream_file and release.host_port:
            try:
                self._point(job, promoted, proved=True)
            except NotProvenError as error:
                text = f"{error}: see /var/log/nginx/error.log, and the upstream file {job.app.upstream_file}"
                raise ReleaseError(self._told(job, release, text, ())) from error
        else:
            self._remember(job, promoted)
        gone = [item for item in self._own(job) if item.release not in promoted.serving]
        self._retire(job, [item for item in gone if item.up or item.release in served])

    def _point(self, job: _Job, wanted: AppState, *, proved: bool = False) -> None:
        """Have nginx use what serves in that state, have that `proved`, and remember the state."""
        text = plan.wanted_upstream(job.app, wanted)
        with self._shared:
            self._remember(job, replace(job.state, switching=True, upstream_file=job.app.upstream_file))
            if text is not None:
                before_it = self._front.served(job.app.upstream_file) or ""
                self._front.point(job.app.upstream_file, text)
                if proved and job.app.front_host:
                    proof.prove(job.app, text, before_it, self._front_door, self._clock)
            self._remember(job, replace(wanted, switching=False, upstream_file=job.app.upstream_file))

    # ------------------------------------------------------------------ canaries

    def _promote(self, job: _Job) -> None:
        self._repair(job)
        canary = self._canary(job)
        job.app = self._recorded(job.app, canary, job.app.host_ports) or job.app
        self._end_canary(job, canary)
        job.outcome.show(job.state.live)

    def _end_canary(self, job: _Job, canary: Release) -> None:
        """It has to pass the gate once more, now that all clients are to come."""
        ids = self._boxes(job, canary)
        if len(ids) < len(canary.replicas):
            raise ReleaseError(
                f"a container of release {canary.number}, the canary, is gone: abort it, or deploy again"
            )
        self._gates(job, ids, served=True)
        try:
            self._switch(job, replace(canary, share=0))
        except ReleaseError:
            self._point(job, job.state)
            raise
        job.outcome.did(DONE[plan.PROMOTE])
        job.outcome.reason = f"release {canary.number}"
        self._prune(job)

    def _abort(self, job: _Job) -> None:
        self._repair(job)
        canary = self._canary(job)
        by = f" by {self._settings.by}" if self._settings.by else ""
        self._withdraw(job, canary, states.REJECTED, f"aborted on {self._today()}{by}")
        job.outcome.did("aborted")
        job.outcome.reason = f"release {canary.number}"
        job.outcome.show(job.state.live)

    def _withdraw(self, job: _Job, canary: Release, state: str, note: str, *, ready: bool = True) -> None:
        """All clients go to the live release again, and the canary stops when it has answered the rest.

        Args:
            job: the app.
            canary: the release that goes.
            state: what becomes of it.
            note: why.
            ready: the live release has to pass its gate first; else the canary stays.
        """
        if job.state.live and ready:
            self._ready(job, job.state.live, canary)
        self._point(job, job.state.with_release(replace(canary, state=state, share=0, note=note)))
        self._retire(job, [item for item in self._own(job) if item.release == canary.number])
        job.containers = self._own(job)

    def _ready(self, job: _Job, live: Release, canary: Release) -> None:
        """The live release runs and passes its gate: it may have ended unnoticed while the canary answered for it."""
        self._revive(job, live)
        ids = self._boxes(job, live)
        try:
            if len(ids) < len(live.replicas):
                raise NotHealthyError("a container of it is gone")
            recorded = self._recorded(job.app, live, job.app.host_ports)
            self._gates(replace(job, app=recorded or job.app), ids, served=True)
        except NotHealthyError as error:
            raise ReleaseError(
                f"release {live.number}, which all clients would go back to, can't take them: "
                f"{error.__cause__ or error}. Release {canary.number}, the canary, stays as it is: give it all clients "
                f"(`playbooks/promote.yml -e app={job.app.name}`), or deploy another release"
            ) from error

    @staticmethod
    def _boxes(job: _Job, release: Release) -> list[tuple[str, Replica]]:
        """The containers of a release that are there, by their IDs."""
        ids = {item.name: item.id for item in job.containers}
        return [(ids[one.container], one) for one in release.replicas if one.container in ids]

    def _share(self, job: _Job, canary: Release) -> None:
        self._point(job, job.state.with_release(replace(canary, share=job.app.canary)))
        job.outcome.did(DONE[plan.SHARE])

    @staticmethod
    def _canary(job: _Job) -> Release:
        if job.state.canary is None:
            raise ReleaseError(f"app `{job.app.name}` has no canary: `playbooks/releases.yml` lists its releases")
        return job.state.canary

    @staticmethod
    def _tell_of_canary(job: _Job) -> None:
        canary, name = job.state.canary, job.app.name
        if canary is None:
            return
        job.outcome.canary = canary.number
        job.outcome.notice = (
            f"app `{name}`: release {canary.number} ({canary.image}) is a canary with {canary.share} % of the clients. "
            f"`playbooks/promote.yml -e app={name}` gives it all of them, `playbooks/abort.yml -e app={name}` none"
        )

    def _retire(self, job: _Job, containers: Iterable[Container]) -> None:
        """Let the containers answer what they have begun, then stop them for good."""
        old = list(containers)
        if any(item.up for item in old) and job.app.upstream_file and not self._front.drain(job.app.drain):
            job.outcome.warnings.append(
                f"app `{job.app.name}`: the old release still had open requests after {job.app.drain:g} s of draining"
            )
        for container in old:
            # Under `always`, or `on-failure`, the next start of the engine would bring it back.
            self._engine.set_restart(container.id, "no")
            if container.up:
                self._engine.stop(container.id, job.app.stop_timeout)

    def _stop_others(self, job: _Job) -> None:
        """With one port only: the old release leaves before the new one comes.

        And stays away: were the server started again now, the engine would run both of them.
        """
        for container in job.containers:
            if container.up:
                self._engine.set_restart(container.id, "no")
                self._engine.stop(container.id, job.app.stop_timeout)

    def _fall_back(self, job: _Job, release: Release, error: Exception) -> None:
        """Undo a release that did not come to serve."""
        if release.number in job.state.serving:
            return  # it serves: what failed came after the switch, and the next run repairs it
        job.containers = self._own(job)
        if isinstance(error, FrontError):
            # nginx was put back by `point` itself.
            job.state = replace(job.state, switching=False)
        rejected = isinstance(error, NotHealthyError | RejectedError)
        why = str(error.__cause__ or error if rejected else error).splitlines()[0]
        note = f"did not pass its gate on {self._today()}: {why}" if rejected else why
        self._give_up(job, release, note, rejected=rejected)

    def _prune(self, job: _Job) -> None:
        """Remove what is older than the releases that are kept, and the images that only those needed."""
        gone = states.superfluous(job.state, self._settings.keep)
        if not gone:
            return
        for container in self._own(job):
            if container.release in gone:
                self._engine.remove(container.id)
        images = {release.image_id for release in job.state.releases if release.number in gone}
        self._remember(job, job.state.without(gone))
        for number in gone:
            self._store.drop_release(job.app.name, number)
        self._drop_images(images)

    def _drop_images(self, images: set[str]) -> None:
        with self._shared:
            known = self._store.readable()
            if {*known} != {*self._store.names()}:
                return  # the releases of one can't be told: any image may be theirs
            for state in known.values():
                images -= {release.image_id for release in state.releases}
            for image in sorted(images):
                self._engine.remove_image(image)

    def _remove(self, job: _Job) -> None:
        """All that there is of an app, except its named volumes."""
        state = job.state
        if not (job.containers or state.releases or state.ports):
            job.outcome.show(None)
            return
        job.outcome.did("removed")
        job.outcome.before = dict(state.live.spec) if state.live else {}
        for container in sorted([*job.containers, *self._jobs(job.app.name)], key=lambda item: item.up):
            if container.up:
                self._engine.stop(container.id, job.app.stop_timeout)
            self._engine.remove(container.id)
        left = [name for item in self._engine.containers() for name in item.networks]
        for network in networks.deserted((name for item in job.containers for name in item.networks), left):
            self._engine.remove_network(network)
        if state.upstream_file:
            self._front.withdraw(state.upstream_file)
        self._store.forget(job.app.name)
        self._drop_images({release.image_id for release in state.releases if release.image_id})

    # ------------------------------------------------------------------ small things

    def _running(self) -> list[str]:
        """The apps of which a release runs."""
        return [item.app for item in self._engine.containers() if item.running]

    def _own(self, job: _Job) -> list[Container]:
        return [item for item in self._engine.containers() if item.app == job.app.name and not item.job]

    def _look(self, job: _Job) -> None:
        """See again which containers there are, and where."""
        job.containers = self._own(job)
        job.state = plan.located(job.state, job.containers)

    def _jobs(self, app: str) -> list[Container]:
        return [item for item in self._engine.containers() if item.app == app and item.job]

    def _remember(self, job: _Job, state: AppState) -> None:
        self._store.save(state)
        job.state = state

    def _allocate(self, job: _Job, apps: Sequence[App]) -> AppState:
        app, state = job.app, job.state
        others = {port for other in apps if other.name != app.name for port in other.host_ports}
        others |= {port for name, other in self._store.readable().items() if name != app.name for port in other.ports}
        others |= {port for box in self._engine.containers() if box.app != app.name for port in box.host_ports}
        live = {*plan.ports_in_use(state)}
        candidates = [] if not app.published or app.host_ports else [port for port in state.ports if port not in live]
        busy = {port for port in candidates if self._busy(app.bind, port)}
        try:
            free = (port for port in self._settings.pool if not self._busy(app.bind, port))
            state = plan.allocate(app, state, free, others, busy)
        except plan.PortsExhaustedError as error:
            raise ReleaseError(str(error)) from error
        taken = [p for p in plan.next_ports(app, state) if p and p not in live and self._busy(app.bind, p)]
        if taken:
            raise ReleaseError(
                f"{app.bind}:{taken[0]} is taken by something else on the server (`ss -ltnp` shows by what): stop "
                "that, or give other `host_ports`"
            )
        return state

    def _told(self, job: _Job, release: Release | None, what: str, lines: Sequence[str], container: str = "") -> str:
        """The message about a container that did not come to serve; without the secrets of any release."""
        number = release.number if release else "?"
        text = f"release {number} ({job.app.image}) was given up: {what}"
        if job.state.live and release and job.state.live.number != release.number:
            text += f". Release {job.state.live.number} goes on serving"
        if lines:
            text += f"\nLast lines of {container}:\n" + "\n".join(f"  {line}" for line in lines)
        elif container:
            text += f"\n{container} wrote nothing"
        return masked(text, self._secrets(job))

    def _secrets(self, job: _Job) -> list[str]:
        found = [*job.app.secrets.values()]
        for release in job.state.releases:
            with suppress(StoreError):
                found += (self._store.secrets(job.app.name, release.number) or {}).values()
        return found


def _digest(reference: str, image: Image) -> str:
    """The digest under which a registry knows the image; empty for one that was never in a registry."""
    repository = reference.partition("@")[0]
    host, slash, rest = repository.rpartition("/")
    repository = f"{host}{slash}{rest.partition(':')[0]}"
    same = [digest for digest in image.digests if digest.partition("@")[0].endswith(repository)]
    return (same or [*image.digests, ""])[0].partition("@")[2]
