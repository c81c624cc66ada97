"""What has to be done on the host, from what was declared and what stands there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import decision, hook, own
from ansible_collections.portside.vps.plugins.module_utils.certbot import host as hosts
from ansible_collections.portside.vps.plugins.module_utils.certbot import timer as renewal_timer
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import Lineage, accounts
from ansible_collections.portside.vps.plugins.module_utils.certbot.managed_files import ManagedFile
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Wanted
from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text

# Certificates that are read at the same time.
AT_ONCE = 4


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
        install: whether the user's own files have to be put in place.
        superseded: whether there is a certificate of the other kind, of certbot's or of the user's own, to be removed.
    """

    certificate: Certificate
    lineage: Lineage
    reasons: tuple[str, ...]
    edit: decision.Edit
    deploy: bool
    link: Path | None
    points_to: str | None
    install: bool = False
    superseded: bool = False

    @property
    def needed(self) -> bool:
        """Whether anything is to be done."""
        if self.certificate.present:
            return bool(self.reasons or self.edit or self.deploy or self.install or self.superseded)
        return self.lineage.exists or self.points_to is not None or self.superseded


@dataclass(frozen=True)
class Plan:
    """Everything that has to be done on the host.

    Attributes:
        files: the managed files.
        webroot: the webroot if it has to be made.
        timers: those that renew and check.
        steps: one for each declared certificate.
        register: whether an account has to be made.
        update_account: whether the account's contact has to change.
    """

    files: tuple[ManagedFile, ...]
    webroot: Path | None
    timers: tuple[renewal_timer.Timer, ...]
    steps: tuple[Step, ...]
    register: bool
    update_account: bool

    @property
    def changed(self) -> bool:
        """Whether anything is to be done."""
        return (
            any(file.changed for file in self.files)
            or self.webroot is not None
            or not all(timer.on for timer in self.timers)
            or self.register
            or self.update_account
            or any(step.needed for step in self.steps)
        )


def notes(host: Host) -> dict[str, dict[str, str]]:
    """By server: the account's id, and the contact it was last given."""
    try:
        raw = json.loads(read_text(host.account_notes) or "{}")
    except ValueError:
        return {}
    return {str(server): dict(entry) for server, entry in raw.items()} if isinstance(raw, dict) else {}


def account(host: Host, wanted: Wanted) -> str:
    """The id of the account to order with, where the host has several at the server and one is known to be ours; else
    empty, and certbot takes the only one, or asks which."""
    known = accounts(host.config_dir, wanted.server)
    noted = notes(host).get(wanted.server, {}).get("account", "")
    return noted if len(known) > 1 and noted in known else ""


def _contact_differs(noted: Mapping[str, str] | None, account: str, email: str) -> bool:
    """Whether the account must be given another contact.

    An account made by hand has no note: with an e-mail declared it is given that one, without it is left alone.
    """
    if noted is None or noted.get("account") != account:
        return bool(email)
    return noted.get("email", "") != email


def _step(host: Host, wanted: Wanted, certificate: Certificate, config: hook.Config, now: datetime) -> Step:
    """What one certificate needs."""
    name, acme = certificate.name, certificate.present and certificate.own is None
    lineage = hosts.read_lineage(host, name)
    reasons = decision.reasons_to_issue(certificate, lineage, wanted, now) if acme else ()
    points_to = hook.link_target(config, name)
    ours = {str(host.live_dir(name)), str(own.directory(host, name))}
    if not certificate.present and points_to not in ours:
        # Not this role's link (any more): the web server's own placeholder, for instance.
        points_to = None
    install = certificate.present and own.differs(host, certificate)
    edit = decision.Edit()
    if acme and not reasons:
        known = accounts(host.config_dir, wanted.server)
        edit = decision.edit(certificate, lineage, wanted, known, credentials(host, certificate))
    return Step(
        certificate=certificate,
        lineage=lineage,
        reasons=reasons,
        edit=edit,
        deploy=certificate.present and (bool(reasons) or install or not hook.in_place(config, name)),
        link=config.link_dir / name if config.link_dir else None,
        points_to=points_to,
        install=install,
        superseded=own.exists(host, name) if certificate.own is None else lineage.exists,
    )


def credentials(host: Host, certificate: Certificate) -> Path | None:
    """The credentials file of a certificate's DNS challenge; None without one."""
    dns = certificate.dns
    return host.credentials(dns.name) if dns and dns.credentials else None


def plan(host: Host, wanted: Wanted, files: Iterable[ManagedFile], config: hook.Config, now: datetime) -> Plan:
    """Read the host and decide.

    Raises:
        CommandError: openssl or systemctl is not there.
    """
    known = accounts(host.config_dir, wanted.server)
    # Each asks openssl, a process of its own.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        steps = list(pool.map(lambda one: _step(host, wanted, one, config, now), wanted.certificates))
    acme = [step for step in steps if step.certificate.present and step.certificate.own is None]
    orphaned = any(
        step.lineage.conf is not None and step.lineage.conf.params.get("account") not in known for step in acme
    )
    register = not known and (orphaned or any(step.reasons for step in acme))
    update = len(known) == 1 and bool(acme) and _contact_differs(notes(host).get(wanted.server), known[0], wanted.email)
    webroot = host.root / wanted.webroot.lstrip("/")
    return Plan(
        files=tuple(files),
        webroot=webroot if acme and not webroot.is_dir() else None,
        timers=renewal_timer.parse(run(renewal_timer.QUERY, expect=()).stdout),
        steps=tuple(steps),
        register=register,
        update_account=update,
    )


def needs_certbot(what: Plan) -> bool:
    """Whether the plan can't be carried out without certbot."""
    return (
        what.register
        or what.update_account
        or any(
            step.reasons or (step.lineage.exists and (not step.certificate.present or step.certificate.own))
            for step in what.steps
        )
    )
