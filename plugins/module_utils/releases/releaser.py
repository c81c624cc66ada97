"""Makes each app's containers what the list of apps asks for. The order of the steps is what keeps an app served.

A release goes: remember it as `starting` - fetch the image - create and start the container on the port that is free -
gate - `switching` - point nginx at it - `live` - drain - stop the one before it - prune. The state file is replaced
between the steps, and never says more than what is true on the host, so that a run that is killed anywhere can be
finished or undone by the next one (plan.damage).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ansible_collections.portside.vps.plugins.module_utils.engine.base import (
    Container,
    Engine,
    EngineError,
    NetworkGoneError,
)
from ansible_collections.portside.vps.plugins.module_utils.nginx.passwords import HashError
from ansible_collections.portside.vps.plugins.module_utils.releases import adoption, kept_site, order, plan, proof, spec
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.front import Front, FrontError
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Answer, Clock, NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.history import NoSuchReleaseError
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Images, NoImageError
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
from ansible_collections.portside.vps.plugins.module_utils.releases.steps import (
    canaries,
    deploy,
    forgetting,
    hand,
    records,
    removal,
    renaming,
    repair,
    rollback,
)
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.job import Host, Job
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import (
    DONE,
    Outcome,
    ReleaseError,
    Settings,
)
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError
from ansible_collections.portside.vps.plugins.module_utils.telling import explained

# So many apps are worked on at a time: most of a release is waiting, for an app to start and for requests to end.
AT_ONCE = 4


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
        images = Images(engine, clock, settings.credentials, settings.archives)
        self._host = Host(engine, front, store, settings, images, clock, ask, busy, today, front_door)

    def run(self, apps: Sequence[App], declared: Sequence[App] = ()) -> list[Outcome]:
        """Bring the apps to what is wanted; one that fails does not stop the others.

        Args:
            apps: those to work on.
            declared: all of the list, where that is more: their named ports are not given away.
        """
        return self._each(apps, lambda job: self._settle(job, [*declared, *apps]), self._host.store.make_salt())

    def predict(self, apps: Sequence[App], declared: Sequence[App] = ()) -> list[Outcome]:
        """What `run` would do; nothing is changed."""
        return self._each(apps, lambda job: self._foresee(job, [*declared, *apps]), self._host.store.salt() or b"")

    def roll_back(self, app: App, number: int | None, declared: Sequence[App] = ()) -> list[Outcome]:
        """Bring back an earlier release of the app, as a new release with the same image, declaration and secrets.

        Args:
            app: the app as it is declared now; of that only the ports on the server count.
            number: the release; None for the one before.
            declared: all of the list.
        """
        return self._each(
            [app], lambda job: rollback.restore(job, number, [*declared, app]), self._host.store.make_salt()
        )

    def predict_rollback(self, app: App, number: int | None, declared: Sequence[App] = ()) -> list[Outcome]:
        """What `roll_back` would do; nothing is changed."""
        return self._each([app], lambda job: rollback.foresee(job, number), self._host.store.salt() or b"")

    def promote(self, app: App) -> list[Outcome]:
        """Make the app's canary its only release, through the same gate and drain."""
        return self._each([app], canaries.promote, self._host.store.make_salt())

    def abort(self, app: App) -> list[Outcome]:
        """Take the app's canary away, and remember it as rejected."""
        return self._each([app], canaries.abort, self._host.store.make_salt())

    def forget(self, apps: Sequence[App]) -> list[Outcome]:
        """Forget the releases with a secret that none that serves has; there is no rollback to them any more."""
        return self._each(apps, forgetting.forget, self._host.store.make_salt())

    def predict_forget(self, apps: Sequence[App]) -> list[Outcome]:
        """What `forget` would do; nothing is changed."""
        return self._each(apps, forgetting.foresee, self._host.store.salt() or b"")

    def predict_end(self, app: App, what: str) -> list[Outcome]:
        """What `promote` or `abort` would do; nothing is changed."""

        def foresee(job: Job) -> None:
            job.outcome.reason = f"release {canaries.of(job).number}"
            job.outcome.did("promoted" if what == "promote" else "aborted")

        return self._each([app], foresee, self._host.store.salt() or b"")

    def held(self, apps: Iterable[App]) -> dict[str, str]:
        """The apps whose declaration was rejected, each with what was kept (`extra`) of the release that serves.

        Only what is on the host counts: a registry may want a password, or be down, and this is no reason to fail.
        """
        salt = self._host.store.salt() or b""
        found = {}
        for app in apps:
            try:
                state = self._host.store.load(app.name) if app.present else None
            except StoreError:
                continue  # `run` says so, for this app alone
            image = self._host.images.local(app) if state else None
            if state and records.refused(self._host, app, spec.fingerprint(app, salt), state, image) and state.live:
                record = self._host.store.record(app.name, state.live.number)
                # What is as it is declared is nothing to bring back (and Ansible would mask it, as what it was given).
                declared = record is None or kept_site.same(app.extra, record.extra)
                found[app.name] = "" if record is None or declared else record.extra
        return found

    def archives_needed(self, apps: Sequence[App]) -> list[str]:
        """The apps whose image has to be copied to the host before anything is done."""
        return self._host.images.needed(apps)

    def orphans(self, apps: Iterable[App]) -> list[str]:
        """Apps that are on the host and not in the list, nor what one of these was called before."""
        declared = {name for app in apps for name in (app.name, app.renamed_from)}
        return sorted(({item.app for item in self._host.engine.containers()} | {*self._serving()}) - declared)

    def forget_failures(self, apps: Iterable[App]) -> None:
        """Forget apps that are not in the list and of which nothing but failed attempts is left."""
        kept = {app.name for app in apps} | {item.app for item in self._host.engine.containers()} | {*self._serving()}
        for name in {*self._host.store.names()} - kept:
            self._host.store.forget(name)

    def _serving(self) -> list[str]:
        """The apps that something serves for, as far as one knows: of an unreadable state file one doesn't."""
        known = self._host.store.readable()
        return [name for name in self._host.store.names() if name not in known or known[name].live]

    def _each(self, apps: Sequence[App], work: Callable[[Job], None], salt: bytes) -> list[Outcome]:
        """The outcomes in the order of the list, of several apps worked on at a time.

        What goes is worked on first: it may free ports. What others depend on comes before them.
        """
        containers = self._host.engine.containers()
        present = {app.name: app.depends_on for app in apps if app.present}
        waves = [[app.name for app in apps if not app.present], *order.waves(present)]
        by_name = {app.name: app for app in apps}
        done: dict[str, Outcome] = {}
        for wave in waves:
            with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
                outcomes = pool.map(lambda name: self._guarded(by_name[name], work, salt, containers), wave)
                done |= zip(wave, outcomes, strict=True)
        return [done[app.name] for app in apps]

    def _guarded(self, app: App, work: Callable[[Job], None], salt: bytes, containers: Sequence[Container]) -> Outcome:
        outcome = Outcome(app.name, bind=app.bind)
        try:
            own = [item for item in containers if item.app == app.name and not item.job]
            known = self._host.store.load(app.name)
            state = known or self._adopted(app, own)
            job = Job(self._host, app, spec.fingerprint(app, salt), plan.located(state, own), own, outcome)
            job.adopted = known is None and bool(state.releases)
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
            HashError,
            OSError,
        ) as error:
            outcome.action = "failed"
            outcome.failed = True
            outcome.message = explained(str(error))
        return outcome

    def _adopted(self, app: App, own: Sequence[Container]) -> AppState:
        served = self._host.front.served(app.upstream_file) if app.upstream_file else None
        state = adoption.adopted(app.name, own, served)
        return replace(state, upstream_file=app.upstream_file) if served is not None else state

    def _foresee(self, job: Job, apps: Sequence[App]) -> None:
        outcome, state = job.outcome, job.state
        if not job.app.present:
            if job.containers or state.releases or state.ports:
                outcome.before = dict(state.live.spec) if state.live else {"containers": len(job.containers)}
                outcome.did("removed")
            return
        damage = repair.damage(job)
        neglect = hand.neglect(job)
        if neglect:
            outcome.did("repaired")
            outcome.reason = neglect
        image = self._host.images.foreseen(job.app)
        live = damage.finish or state.live
        if damage.finish:
            job.state = state.promoted(damage.finish.number)
        image = records.hold(job, image)
        decision = repair.decide(job, image)
        if damage:
            outcome.did("repaired")
            outcome.reason = str(damage)
        if decision.action != plan.NOTHING:
            outcome.did(DONE[decision.action])
            outcome.reason = decision.reason
        if decision.action == plan.DEPLOY:
            why = deploy.unfit(job, apps, foreseen=True)
            if why:
                raise ReleaseError(f"not released: {why}")
            records.diff(job, live)
            outcome.image = job.app.image
        elif renaming.left(job):
            outcome.did("repaired")
            outcome.reason = f"app `{job.app.renamed_from}`, which it was, is still there"

    def _settle(self, job: Job, apps: Sequence[App]) -> None:
        if not job.app.present:
            removal.remove(job)
            return
        hand.keep_safe(job)
        records.seal(job)
        repair.repair(job)
        repair.remember_ids(job)
        image = records.hold(job, self._host.images.present(job.app))
        decision = repair.decide(job, image)
        job.outcome.reason = decision.reason or job.outcome.reason
        if decision.action == plan.DEPLOY:
            deploy.deploy(job, image, apps)
        elif decision.action == plan.START:
            try:
                repair.start(job)
            except NetworkGoneError as error:
                if job.state.canary:
                    raise
                job.outcome.reason = str(error)
                deploy.deploy(job, image, apps)
        elif decision.action == plan.WITHDRAW:
            canaries.withdraw(job, canaries.of(job), states.RETIRED, decision.reason)
            job.outcome.did(DONE[plan.WITHDRAW])
        elif decision.action == plan.SHARE:
            canaries.share(job, canaries.of(job))
        elif decision.action == plan.PROMOTE:
            canaries.end(job, canaries.of(job))
        else:
            records.refresh(job)
        renaming.finish(job)
        job.outcome.show(job.state.live)
        canaries.tell(job)
