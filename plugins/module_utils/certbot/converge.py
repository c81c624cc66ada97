"""From what was declared and what stands on the host to what is done, and what is said about it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot import decision, hook
from ansible_collections.portside.vps.plugins.module_utils.certbot import host as hosts
from ansible_collections.portside.vps.plugins.module_utils.certbot import timer as renewal_timer
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import (
    Lineage,
    account_dir,
    accounts,
    edited_conf,
)
from ansible_collections.portside.vps.plugins.module_utils.certbot.managed_files import ManagedFile
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import Problem
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Wanted
from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic


@dataclass(frozen=True)
class Step:
    """What one certificate needs.

    Attributes:
        certificate: as declared.
        lineage: as it stands.
        reasons: why a new one is ordered; empty for none.
        edit: what changes in its renewal configuration.
        deploy: whether the web server has to be told.
        link: the web server's link; None for none.
        points_to: where the link points now; None if there is none.
    """

    certificate: Certificate
    lineage: Lineage
    reasons: tuple[str, ...]
    edit: decision.Edit
    deploy: bool
    link: Path | None
    points_to: str | None

    @property
    def needed(self) -> bool:
        """Whether anything is to be done."""
        if self.certificate.present:
            return bool(self.reasons or self.edit or self.deploy)
        return self.lineage.exists or self.points_to is not None


@dataclass(frozen=True)
class Plan:
    """Everything that has to be done on the host.

    Attributes:
        files: the managed files.
        webroot: the webroot if it has to be made.
        timer: the packaged timer.
        steps: one for each declared certificate.
        register: whether an account has to be made.
        update_account: whether the account's contact has to change.
    """

    files: tuple[ManagedFile, ...]
    webroot: Path | None
    timer: renewal_timer.Timer
    steps: tuple[Step, ...]
    register: bool
    update_account: bool

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return (
            any(file.changed for file in self.files)
            or self.webroot is not None
            or not self.timer.on
            or self.register
            or self.update_account
            or any(step.needed for step in self.steps)
        )


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


def _notes(host: Host) -> dict[str, dict[str, str]]:
    """By server: the account's id, and the contact it was last given."""
    try:
        raw = json.loads(read_text(host.account_notes) or "{}")
    except ValueError:
        return {}
    return {str(server): dict(entry) for server, entry in raw.items()} if isinstance(raw, dict) else {}


def _contact_differs(noted: Mapping[str, str] | None, account: str, email: str) -> bool:
    """Whether the account must be given another contact.

    An account made by hand has no note: with an e-mail declared it is given that one, without it is left alone.
    """
    if noted is None or noted.get("account") != account:
        return bool(email)
    return noted.get("email", "") != email


def plan(host: Host, wanted: Wanted, files: Iterable[ManagedFile], config: hook.Config, now: datetime) -> Plan:
    """Read the host and decide.

    Raises:
        CommandError: openssl or systemctl is not there.
    """
    known = accounts(host.config_dir, wanted.server)
    steps: list[Step] = []
    for certificate in wanted.certificates:
        lineage = hosts.read_lineage(host, certificate.name)
        present = certificate.present
        reasons = decision.reasons_to_issue(certificate, lineage, wanted, now) if present else ()
        link = config.link_dir / certificate.name if config.link_dir else None
        points_to = hook.link_target(config, certificate.name)
        if not present and points_to != str(host.live_dir(certificate.name)):
            # Not this role's link (any more): the web server's own placeholder, for instance.
            points_to = None
        steps.append(
            Step(
                certificate=certificate,
                lineage=lineage,
                reasons=reasons,
                edit=decision.edit(lineage, wanted, known) if present and not reasons else decision.Edit(),
                deploy=present and (bool(reasons) or not hook.in_place(config, certificate.name)),
                link=link,
                points_to=points_to,
            )
        )
    orphaned = any(
        step.lineage.conf is not None and step.lineage.conf.params.get("account") not in known
        for step in steps
        if step.certificate.present
    )
    register = not known and (orphaned or any(step.reasons for step in steps))
    update = (
        len(known) == 1
        and bool(wanted.present)
        and _contact_differs(_notes(host).get(wanted.server), known[0], wanted.email)
    )
    webroot = host.root / wanted.webroot.lstrip("/")
    return Plan(
        files=tuple(files),
        webroot=webroot if wanted.present and not webroot.is_dir() else None,
        timer=renewal_timer.parse(run(renewal_timer.QUERY, expect=()).stdout),
        steps=tuple(steps),
        register=register,
        update_account=update,
    )


def facts(host: Host, certificate: Certificate, lineage: Lineage, changed: bool, now: datetime) -> dict[str, Any]:
    """What is returned about one certificate."""
    leaf = lineage.leaf
    return {
        "name": certificate.name,
        "domains": list(certificate.domains),
        "changed": changed,
        "days_left": leaf.days_left(now) if leaf else None,
        "not_before": leaf.not_before.strftime("%Y-%m-%dT%H:%M:%SZ") if leaf else None,
        "not_after": leaf.not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if leaf else None,
        "serial": leaf.serial if leaf else None,
        "issuer": leaf.issuer if leaf else None,
        "server": lineage.conf.params.get("server") if lineage.conf else None,
        "path": str(host.live_dir(certificate.name)) if leaf else None,
    }


def _link_line(link: Path | None, target: str | None) -> str:
    return f"  {link} -> {target or '(nothing)'}\n" if link is not None else ""


def _described(name: str, domains: Iterable[str], server: str | None, key_type: str | None) -> str:
    return f"certificate {name}:\n  domains: {', '.join(sorted(domains))}\n  server: {server}\n  key: {key_type}\n"


def _step_diff(host: Host, wanted: Wanted, step: Step) -> dict[str, str]:
    certificate, lineage = step.certificate, step.lineage
    before = after = ""
    if lineage.conf is not None and lineage.leaf is not None:
        params = lineage.conf.params
        before = _described(certificate.name, lineage.leaf.names, params.get("server"), params.get("key_type"))
    before += _link_line(step.link, step.points_to) if before or step.points_to else ""
    if certificate.present:
        after = _described(certificate.name, certificate.domains, wanted.server, certificate.key_type)
        after += _link_line(step.link, str(host.live_dir(certificate.name)))
        after += "".join(f"  ordered: {reason}\n" for reason in step.reasons)
        after += "".join(f"  {key}: {value}\n" for key, value in {**step.edit.values, **step.edit.params}.items())
        if step.deploy and not step.reasons:
            after += "  the web server is told\n"
    header = f"certificate {certificate.name}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def diff(host: Host, wanted: Wanted, what: Plan) -> list[dict[str, str]]:
    """The differences, in Ansible's form."""
    found = [file.diff() for file in what.files if file.changed]
    if what.webroot is not None:
        found.append(
            {
                "before_header": str(what.webroot),
                "after_header": str(what.webroot),
                "before": "",
                "after": "directory\n",
            }
        )
    if not what.timer.on:
        before, after = f"{what.timer}\n", "enabled, active\n"
        found.append(
            {
                "before_header": renewal_timer.TIMER,
                "after_header": renewal_timer.TIMER,
                "before": before,
                "after": after,
            }
        )
    if what.register or what.update_account:
        header = f"account at {wanted.server}"
        contact = f"contact: {wanted.email or 'none'}\n"
        found.append({"before_header": header, "after_header": header, "before": "", "after": contact})
    return found + [_step_diff(host, wanted, step) for step in what.steps if step.needed]


@dataclass(frozen=True)
class Checks:
    """What is looked at before an order.

    Attributes:
        preflight: looks at the names; None for no look.
        strict: whether an order that would fail is held back, or only warned of.
        guard: counts failed orders.
    """

    preflight: Preflight | None
    strict: bool
    guard: Guard


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
        self._start_timer(what)
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
            if step.certificate.present and not step.reasons:
                # After the orders, and decided anew: the account may be another one now.
                self._edit(step.certificate.name, step.lineage)
        self._deploy(what.steps)
        for step in what.steps:
            if not step.certificate.present and step.needed:
                self._remove(step)
        return self.outcome

    def _write_files(self, what: Plan) -> None:
        for file in what.files:
            if file.changed:
                file.write()
                if file.path == self.host.drop_in and Path("/run/systemd/system").is_dir():
                    run(["systemctl", "daemon-reload"])
        if what.webroot is not None:
            what.webroot.mkdir(mode=0o755, parents=True)

    def _start_timer(self, what: Plan) -> None:
        if what.timer.on:
            return
        done = run(renewal_timer.ENABLE, expect=())
        if done.status != 0:
            self.outcome.failures.append(
                f"{renewal_timer.TIMER}, which renews the certificates, can't be switched on: {done.said}\n"
                f"What to do: `systemctl status {renewal_timer.TIMER}` on the host says more."
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
        problems = self._call(self.certbot.register_argv())
        if not problems:
            self._note_account()
        return problems

    def _note_account(self) -> None:
        known = accounts(self.host.config_dir, self.wanted.server)
        if len(known) == 1:
            notes = _notes(self.host)
            notes[self.wanted.server] = {"account": known[0], "email": self.wanted.email}
            self.host.own_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomic(self.host.account_notes, json.dumps(notes, indent=2, sort_keys=True) + "\n", 0o600)

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
        problems = self.certbot.call(argv, patient=not self._server_trouble)
        self._server_trouble = any(problem.of_server for problem in problems)
        return problems

    def _obstacles(self, ordered: Sequence[Step]) -> dict[str, list[Problem]]:
        """What an order of each certificate would founder on, as far as it can be seen from here."""
        found: dict[str, list[Problem]] = {
            step.certificate.name: self.checks.guard.refusals(step.certificate.domains) for step in ordered
        }
        if self.checks.preflight is None:
            return found
        domains = [
            domain for step in ordered if not found[step.certificate.name] for domain in step.certificate.domains
        ]
        reports = self.checks.preflight.look(domains)
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
            self.outcome.failures.append(
                f"certificate {certificate.name}: certbot reported success, but {'; '.join(still)}. "
                "What to do: look at `certbot certificates` on the host."
            )
            return
        self.outcome.changed.add(certificate.name)
        self._edit(certificate.name, lineage)

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

    def _edit(self, name: str, lineage: Lineage) -> None:
        edit = decision.edit(lineage, self.wanted, accounts(self.host.config_dir, self.wanted.server))
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
        if step.lineage.damage:
            hosts.set_aside(self.host, name, self.now, None)
        elif step.lineage.exists:
            problems = self._call(self.certbot.delete_argv(name))
            if problems:
                text = "; ".join(str(problem) for problem in problems)
                self.outcome.failures.append(f"certificate {name} could not be removed: {text}")
                return
        with contextlib.suppress(OSError), hook.alone(self.config):
            hook.note(self.config, ())
        self.outcome.changed.add(name)


def needs_certbot(what: Plan) -> bool:
    """Whether the plan can't be carried out without certbot."""
    return (
        what.register
        or what.update_account
        or any(step.reasons or (step.lineage.exists and not step.certificate.present) for step in what.steps)
    )
