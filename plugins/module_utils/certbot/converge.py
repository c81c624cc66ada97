"""Carrying out a plan, each certificate by itself."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import cli_ini, decision, hook, own
from ansible_collections.portside.vps.plugins.module_utils.certbot import host as hosts
from ansible_collections.portside.vps.plugins.module_utils.certbot import timer as renewal_timer
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.directory import lacking_profile
from ansible_collections.portside.vps.plugins.module_utils.certbot.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import (
    Lineage,
    account_dir,
    accounts,
    edited_conf,
)
from ansible_collections.portside.vps.plugins.module_utils.certbot.plan import Plan, Step, credentials, notes
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import NOT_AS_ORDERED, Problem
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Wanted
from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic


@dataclass
class Outcome:
    """What has been done.

    Attributes:
        changed: names of the certificates that changed.
        failures: one message for each thing that could not be done.
        warnings: what the user should know.
    """

    changed: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Checks:
    """What is looked at before an order.

    Attributes:
        preflight: looks at the names; None for no look.
        strict: whether an order that would fail is held back, or only warned of.
        guard: counts failed orders.
        profiles: asks the ACME server which profiles it has; None from it when it can't be asked.
    """

    preflight: Preflight | None
    strict: bool
    guard: Guard
    profiles: Callable[[], Collection[str] | None]


class Convergence:
    """Carries out a plan: each certificate by itself, so that one that can't be had holds up none of the others."""

    def __init__(self, host: Host, wanted: Wanted, config: hook.Config, certbot: Certbot, checks: Checks) -> None:
        self.host = host
        self.wanted = wanted
        self.config = config
        self.certbot = certbot
        self.checks = checks
        self.now = checks.guard.now
        self.outcome = Outcome()
        # What the ACME server itself has been found to lack; the certificates after that get one attempt each.
        self._server_trouble = False

    def run(self, what: Plan) -> Outcome:
        """Carry out the plan."""
        self._write_files(what)
        # Before the orders: a certificate that can't be had must not keep the others from being renewed.
        self._start_timers(what)
        account = self._account(what)
        ordered = [step for step in what.steps if step.certificate.present and step.reasons]
        obstacles = self._obstacles(ordered)
        for step in ordered:
            if account:
                self._failed(step, account)
            elif obstacles[step.certificate.name]:
                self._failed(step, obstacles[step.certificate.name], sent=False)
            else:
                self._issue(step)
        for step in what.steps:
            if step.install:
                own.install(self.host, step.certificate)
                self.outcome.changed.add(step.certificate.name)
            elif step.certificate.present and not step.reasons and step.certificate.own is None:
                # After the orders, and decided anew: the account may be another one now.
                self._edit(step.certificate, step.lineage)
        self._deploy(what.steps)
        for step in what.steps:
            if not step.certificate.present and step.needed:
                self._remove(step)
            elif step.superseded and hook.in_place(self.config, step.certificate.name):
                self._remove_superseded(step)
        return self.outcome

    def _write_files(self, what: Plan) -> None:
        for file in what.files:
            if file.changed:
                file.write()
        units_changed = any(file.changed and self.host.units in file.path.parents for file in what.files)
        if units_changed and Path("/run/systemd/system").is_dir():
            run(["systemctl", "daemon-reload"])
        if what.webroot is not None:
            what.webroot.mkdir(mode=0o755, parents=True)

    def _start_timers(self, what: Plan) -> None:
        if all(timer.on for timer in what.timers):
            return
        done = [run(command, expect=()) for command in renewal_timer.enable(what.timers)][-1]
        if done.status != 0:
            names = " and ".join(renewal_timer.TIMERS)
            self.outcome.failures.append(
                f"{names}, which renew and check the certificates, can't be switched on: {done.said}\n"
                f"What to do: `systemctl status {' '.join(renewal_timer.TIMERS)}` on the host says more."
            )

    def _account(self, what: Plan) -> list[Problem]:
        """Make or update the account; what prevents every order."""
        if what.register:
            return self._register()
        if what.update_account:
            problems = self._call(self.certbot.update_account_argv())
            if problems:
                # No reason not to order: the account is good as it is.
                text = "; ".join(str(problem) for problem in problems)
                self.outcome.failures.append(
                    f"the account at {self.wanted.server} could not be given the contact "
                    f"`{self.wanted.email or 'none'}`: {text}. "
                    f"What to do: {problems[0].next_step}."
                )
            else:
                self._note_account()
        return []

    def _register(self) -> list[Problem]:
        problems = self._counted(self.certbot.register())
        if not problems:
            self._note_account()
        return problems

    def _note_account(self) -> None:
        known = accounts(self.host.config_dir, self.wanted.server)
        if len(known) == 1:
            noted = notes(self.host)
            noted[self.wanted.server] = {"account": known[0], "email": self.wanted.email}
            self.host.own_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomic(self.host.account_notes, json.dumps(noted, indent=2, sort_keys=True) + "\n", 0o600)

    def _renew_account(self) -> list[Problem]:
        """The server does not know the account any more (a test CA forgets on restart): make another one."""
        old = account_dir(self.host.config_dir, self.wanted.server)
        aside = self.host.own_dir / "set-aside" / f"account.{self.now:%Y%m%dT%H%M%SZ}"
        if aside.exists():
            return [Problem("accountDoesNotExist", "the ACME server forgot this host's account, and the new one too")]
        aside.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.rename(old, aside)
        self.outcome.warnings.append(
            f"{self.wanted.server} does not know this host's account any more; "
            f"it is kept in {aside}, and a new one is made"
        )
        return self._register()

    def _call(self, argv: Sequence[str]) -> list[Problem]:
        return self._counted(self.certbot.call(argv, patient=not self._server_trouble))

    def _counted(self, problems: list[Problem]) -> list[Problem]:
        self._server_trouble = any(problem.of_server for problem in problems)
        return problems

    def _obstacles(self, ordered: Sequence[Step]) -> dict[str, list[Problem]]:
        """What an order of each certificate would founder on, as far as it can be seen from here."""
        found: dict[str, list[Problem]] = {
            step.certificate.name: self.checks.guard.refusals(step.certificate.domains) for step in ordered
        }
        wanting = [step.certificate for step in ordered if step.certificate.profile]
        there = self.checks.profiles() if wanting else None
        for certificate in wanting:
            found[certificate.name] += lacking_profile(self.wanted.server, certificate.profile, there)
        if self.checks.preflight is None:
            return found
        domains = [
            domain for step in ordered if not found[step.certificate.name] for domain in step.certificate.domains
        ]
        by_dns = {domain for step in ordered if step.certificate.dns for domain in step.certificate.domains}
        reports = self.checks.preflight.look(domains, by_dns)
        for step in ordered:
            for report in (reports[domain] for domain in step.certificate.domains if domain in reports):
                self.outcome.warnings += report.warnings
                if self.checks.strict:
                    found[step.certificate.name] += report.problems
                else:
                    self.outcome.warnings += [f"{problem}. {problem.next_step}" for problem in report.problems]
        self.outcome.warnings = list(dict.fromkeys(self.outcome.warnings))
        return found

    def _order(self, step: Step) -> list[Problem]:
        conf = step.lineage.conf
        other_server = conf is not None and conf.params.get("server") != self.wanted.server
        return self._call(self.certbot.certonly_argv(step.certificate, replaces_other_server=other_server))

    def _issue(self, step: Step) -> None:
        certificate = step.certificate
        if step.lineage.damage:
            aside = hosts.set_aside(self.host, certificate.name, self.now, step.link)
            self.outcome.warnings.append(
                f"certificate {certificate.name} was damaged ({step.lineage.damage}); what there was is kept in {aside}"
            )
        problems = self._order(step)
        if any(problem.kind == "accountDoesNotExist" for problem in problems):
            problems = self._renew_account() or self._order(step)
        if problems:
            self.checks.guard.remember(problems, certificate.domains)
            self._failed(step, problems)
            return
        lineage = hosts.read_lineage(self.host, certificate.name)
        still = decision.reasons_to_issue(certificate, lineage, self.wanted, self.now)
        if still:
            # Counted: it would be ordered again on every run, until the CA's limit on certificates is reached.
            problem = Problem(NOT_AS_ORDERED, f"certbot reported success, but {'; '.join(still)}")
            (problem,) = cli_ini.blamed([problem], cli_ini.foreign(self.certbot.cli_ini))
            self.checks.guard.remember([problem], certificate.domains)
            self.outcome.failures.append(
                f"certificate {certificate.name}: {problem.detail}. What to do: {problem.next_step}."
            )
            return
        self.outcome.changed.add(certificate.name)
        self._edit(certificate, lineage)

    def _failed(self, step: Step, problems: Sequence[Problem], *, sent: bool = True) -> None:
        certificate, leaf = step.certificate, step.lineage.leaf
        if leaf is None or step.lineage.damage:
            stands = "There is no certificate in place yet."
        else:
            stands = f"The one in place stays ({', '.join(sorted(leaf.names))}; {leaf.days_left(self.now)} days left)."
        what = f"could not be had from {self.wanted.server}" if sent else "was not ordered, because that would fail"
        said = "\n".join(f"  {problem}" for problem in problems)
        steps = "\n".join(f"  {step}" for step in dict.fromkeys(problem.next_step for problem in problems))
        self.outcome.failures.append(
            f"certificate {certificate.name} ({', '.join(certificate.domains)}) {what}:\n{said}\n"
            f"What to do:\n{steps}\n{stands}"
        )

    def _edit(self, certificate: Certificate, lineage: Lineage) -> None:
        name = certificate.name
        known = accounts(self.host.config_dir, self.wanted.server)
        edit = decision.edit(certificate, lineage, self.wanted, known, credentials(self.host, certificate))
        path = self.host.renewal_conf(name)
        text = read_text(path)
        if edit and text is not None:
            changed = edited_conf(text, values=edit.values, params=edit.params, webroot=edit.webroot)
            write_atomic(path, changed, os.stat(path).st_mode & 0o7777)
            self.outcome.changed.add(name)

    def _deploy(self, steps: Sequence[Step]) -> None:
        """Tell the web server, once for all certificates, by the hook that the timer's renewals use."""
        names = [step.certificate.name for step in steps if step.certificate.present and step.deploy]
        waiting = [name for name in names if not hook.in_place(self.config, name)]
        waiting = [name for name in waiting if hook.fingerprint(self.config, name) is not None]
        if not waiting:
            return
        with hook.alone(self.config):
            problems = hook.deploy(self.config, waiting)
        for name in waiting:
            if name not in problems:
                self.outcome.changed.add(name)
        for name, said in problems.items():
            self.outcome.failures.append(
                f"certificate {name} is there, but the web server does not serve it yet: {said}\n"
                "What to do: put that right and run the playbook again; certbot's timer tries again too."
            )

    def _remove(self, step: Step) -> None:
        name = step.certificate.name
        if step.link is not None and step.points_to is not None:
            # First the link, checked: a web server whose certificate is gone does not start again.
            step.link.unlink()
            said = hook.run_command(self.config.check_command)
            if said is not None:
                hook.point(step.link, step.points_to)
                self.outcome.failures.append(
                    f"certificate {name} is still in use, nothing of it has been removed: without its link {said}\n"
                    "What to do: remove the site that uses it first."
                )
                return
        own.remove(self.host, name)
        if self._remove_lineage(step):
            with contextlib.suppress(OSError), hook.alone(self.config):
                hook.note(self.config, ())
            self.outcome.changed.add(name)

    def _remove_superseded(self, step: Step) -> None:
        """The web server uses one of the other kind now."""
        if step.certificate.own is None:
            own.remove(self.host, step.certificate.name)
        else:
            self._remove_lineage(step)
        self.outcome.changed.add(step.certificate.name)

    def _remove_lineage(self, step: Step) -> bool:
        """Remove what certbot has of it; whether that succeeded."""
        name = step.certificate.name
        if step.lineage.damage:
            hosts.set_aside(self.host, name, self.now, None)
        elif step.lineage.exists:
            problems = self._call(self.certbot.delete_argv(name))
            if problems:
                text = "; ".join(str(problem) for problem in problems)
                self.outcome.failures.append(f"certificate {name} could not be removed: {text}")
                return False
        return True
