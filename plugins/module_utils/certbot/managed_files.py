"""The few files beside certbot's own: deploy hook, check, their configuration, CA bundle, systemd units."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils import proxies
from ansible_collections.portside.vps.plugins.module_utils.certbot import check, hook, units
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Wanted
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.quiet import without_logins

_OWN_CA = "# The CA of the ACME server's own https certificate, added by Ansible (portside.vps.certbot)\n"

# Lines.
_LONG = 60


@dataclass(frozen=True)
class ManagedFile:
    """A file as it is and as it should be.

    Attributes:
        path: where it is.
        content: the whole text; None if it should not be there.
        mode: permission bits.
        before: the text that is there; None if there is none.
        before_mode: the permission bits that are there.
        common: a beginning that is left out of diffs, because it is long and not ours.
        secret: whether its text is kept out of diffs.
        foreign: whether somebody else owns the one that is there.
    """

    path: Path
    content: str | None
    mode: int
    before: str | None
    before_mode: int | None
    common: str = ""
    secret: bool = False
    foreign: bool = False

    @property
    def changed(self) -> bool:
        """Whether something has to be done."""
        if self.content is None:
            return self.before is not None
        return self.content != self.before or self.mode != self.before_mode or self.foreign

    def _shown(self, text: str | None, mode: int | None) -> str:
        if text is None:
            return ""
        if self.common:
            start = text.find(_OWN_CA)
            theirs = text[: start if start >= 0 else len(text)]
            text = f"(the system's CAs, sha256 {hashlib.sha256(theirs.encode()).hexdigest()})\n{text[len(theirs) :]}"
        text = without_logins(text)
        # What is to be there has the right mode; what is there may differ in that alone.
        if mode is None:
            return text
        return f"{self._rights(mode)}{text}"

    def _rights(self, mode: int) -> str:
        wrong = [f"mode {mode:04o}"] * (mode != self.mode) + ["somebody else's"] * self.foreign
        return f"({', '.join(wrong)})\n" if wrong else ""

    def diff(self) -> dict[str, str]:
        """Before and after, in Ansible's form; a long text that is all new is not worth reading there."""
        if self.secret:
            header = f"{self.path} (its text is a secret)"
            shown = ["" if text is None else "(secret)\n" for text in (self.before, self.content)]
            if shown[0] and shown[1] and self.before != self.content:
                shown[1] = "(another secret)\n"
            if shown[0] and self.before_mode is not None:
                shown[0] = self._rights(self.before_mode) + shown[0]
            return {"before_header": header, "after_header": header, "before": shown[0], "after": shown[1]}
        if self.before is None and self.content is not None and self.content.count("\n") > _LONG:
            after = f"({self.content.count(chr(10))} lines)\n"
            return {"before_header": str(self.path), "after_header": str(self.path), "before": "", "after": after}
        return {
            "before_header": str(self.path),
            "after_header": str(self.path),
            "before": self._shown(self.before, self.before_mode),
            "after": self._shown(self.content, None),
        }

    def write(self) -> None:
        """Make it as it should be."""
        if self.content is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(mode=0o700 if self.secret else 0o755, parents=True, exist_ok=True)
        write_atomic(self.path, self.content, self.mode)


@dataclass(frozen=True)
class Watch:
    """How the certificates are watched.

    Attributes:
        served_at: `host:port` of each place where they are shown; none for no comparison.
        alarm_command: is told on its standard input when a renewal or the check failed; empty for none.
        alarm_url: is told by POST; empty for none. May hold a token.
        writable: directories that the check and reload commands write to.
    """

    served_at: Sequence[str] = ()
    alarm_command: Sequence[str] = ()
    alarm_url: str = ""
    writable: Sequence[str] = ()


def check_config(wanted: Wanted, config: hook.Config, watch: Watch) -> str:
    """The text of check.json."""
    certificates = [
        {
            "name": certificate.name,
            "directory": str(config.directory(certificate.name)),
            "names": sorted(certificate.domains),
            "served_at": list(watch.served_at if certificate.served_at is None else certificate.served_at),
        }
        for certificate in sorted(wanted.present, key=lambda item: item.name)
    ]
    raw = {
        "certificates": certificates,
        "alarm_command": list(watch.alarm_command),
        "alarm_url": watch.alarm_url,
    }
    return json.dumps(raw, indent=2) + "\n"


def hook_config(
    host: Host, wanted: Wanted, check: Sequence[str], reload: Sequence[str], program: str = "certbot"
) -> hook.Config:
    """The deploy hook's configuration."""
    return hook.Config(
        live_dir=host.config_dir / "live",
        link_dir=host.root / wanted.link_dir.lstrip("/") if wanted.link_dir else None,
        lineages=tuple(sorted(certificate.name for certificate in wanted.present)),
        check_command=tuple(check),
        reload_command=tuple(reload),
        record=host.state_dir / "deployed.json",
        program=program,
        own_dir=host.own_certificates,
        own=tuple(sorted(certificate.name for certificate in wanted.present if certificate.own)),
    )


def ca_bundle(system_cas: str, ca: str) -> str | None:
    """The text of the CA bundle; None when the system's CAs are enough."""
    return f"{system_cas.rstrip()}\n\n{_OWN_CA}{ca.strip()}\n" if ca.strip() else None


def environment(declared: Mapping[str, str], bundle: Path | None) -> dict[str, str]:
    """The variables certbot runs with, beside those every process has.

    Args:
        declared: what the user set, an outbound proxy for instance.
        bundle: the CA bundle; None for the system's CAs.
    """
    trust = {"REQUESTS_CA_BUNDLE": str(bundle)} if bundle else {}
    return {**trust, **{key: declared[key] for key in sorted(declared)}}


def own_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The same for a certbot that Ansible starts, with the proxies and CAs of Ansible's own session switched off."""
    return {**proxies.NONE, "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", **variables}


def _of(path: Path, content: str | None, mode: int, *, common: str = "", secret: bool = False) -> ManagedFile:
    """The file as it is to be, beside what is there."""
    before = read_text(path)
    there = None if before is None else os.stat(path)
    found = None if there is None else there.st_mode & 0o7777
    foreign = there is not None and there.st_uid != os.geteuid()
    return ManagedFile(path, content, mode, before, found, common, secret, foreign)


def _keys(host: Host, wanted: Wanted) -> Iterator[ManagedFile]:
    """The keys of certbot's own that everybody can read; which group may is left to the user."""
    for certificate in wanted.present:
        path = host.live_dir(certificate.name) / "privkey.pem"
        try:
            found = os.stat(path)
        except OSError:
            continue
        if found.st_mode & 0o007:
            key = path.resolve()
            yield _of(key, read_text(key), 0o600 if found.st_gid == 0 else 0o640, secret=True)


def _renewal_units(host: Host, from_pypi: bool) -> Iterator[ManagedFile]:
    """The units that Debian's package would bring; taken away again when it does."""
    texts = {units.RENEWAL: units.renewal_service(), "certbot.timer": units.renewal_timer()}
    for name, text in texts.items():
        path = host.units / name
        if from_pypi or (read_text(path) or "").startswith(units.HEADER):
            yield _of(path, text if from_pypi else None, 0o644)


def managed_files(
    host: Host,
    wanted: Wanted,
    *,
    ca: str,
    declared: Mapping[str, str],
    config: hook.Config,
    watch: Watch,
    from_pypi: bool = False,
) -> Iterator[ManagedFile]:
    """All of them, in the order they are to be written.

    The programs among them are modules that stand alone: they are imported so that Ansible sends them along.
    """
    system_cas = read_text(host.system_cas) or ""
    bundle = ca_bundle(system_cas, ca)
    variables = environment(declared, host.ca_bundle if bundle else None)
    # An outbound proxy's URL may hold a password.
    private = 0o600 if declared else 0o644
    writable = [wanted.webroot, *([wanted.link_dir] if wanted.link_dir else []), *watch.writable]
    drop_in = units.renewal_drop_in(variables, host.hook, writable)
    contents: list[tuple[Path, str | None, int, str]] = [
        (host.ca_bundle, bundle, 0o644, system_cas.rstrip() or "(none)"),
        (host.deploy_conf, config.to_json(), 0o644, ""),
        (host.hook, inspect.getsource(hook), 0o755, ""),
        (host.check_conf, check_config(wanted, config, watch), 0o600, ""),
        (host.check_program, inspect.getsource(check), 0o755, ""),
        (host.drop_in, drop_in, private, ""),
        (host.units / f"{units.CHECK}.service", units.check_service(host.check_program), 0o644, ""),
        (host.units / f"{units.CHECK}.timer", units.check_timer(), 0o644, ""),
        (host.units / units.ALARM, units.alarm_service(host.check_program, variables), private, ""),
    ]
    for path, content, mode, common in contents:
        # The alarm's URL may hold a token.
        yield _of(path, content, mode, common=common, secret=path == host.check_conf)
    yield from _renewal_units(host, from_pypi)
    declared_files = {host.credentials(dns.name): dns.credentials.strip() for dns in wanted.dns if dns.credentials}
    for path in sorted({*declared_files, *host.credentials("x").parent.glob("*.ini")}):
        text = f"{declared_files[path]}\n" if path in declared_files else None
        yield _of(path, text, 0o600, secret=True)
    yield from _keys(host, wanted)
