"""The few files beside certbot's own: deploy hook, its configuration, CA bundle, systemd drop-in."""

from __future__ import annotations

import hashlib
import os
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import hook
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Wanted
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic

_OWN_CA = "# The CA of the ACME server's own https certificate, added by Ansible (portside.vps.certbot)\n"
# A session of Ansible may carry an outbound proxy that is meant for something else. Which way certbot goes out is
# declared.
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

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
    """

    path: Path
    content: str | None
    mode: int
    before: str | None
    before_mode: int | None
    common: str = ""

    @property
    def changed(self) -> bool:
        """Whether something has to be done."""
        if self.content is None:
            return self.before is not None
        return self.content != self.before or self.mode != self.before_mode

    def _shown(self, text: str | None, mode: int | None) -> str:
        if text is None:
            return ""
        if self.common:
            start = text.find(_OWN_CA)
            theirs = text[: start if start >= 0 else len(text)]
            text = f"(the system's CAs, sha256 {hashlib.sha256(theirs.encode()).hexdigest()})\n{text[len(theirs) :]}"
        return text if mode == self.mode else f"(mode {mode or 0:04o})\n{text}"

    def diff(self) -> dict[str, str]:
        """Before and after, in Ansible's form; a long text that is all new is not worth reading there."""
        if self.before is None and self.content is not None and self.content.count("\n") > _LONG:
            after = f"({self.content.count(chr(10))} lines)\n"
            return {"before_header": str(self.path), "after_header": str(self.path), "before": "", "after": after}
        return {
            "before_header": str(self.path),
            "after_header": str(self.path),
            "before": self._shown(self.before, self.before_mode),
            "after": self._shown(self.content, self.mode),
        }

    def write(self) -> None:
        """Make it as it should be."""
        if self.content is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomic(self.path, self.content, self.mode)


def hook_script() -> str:
    """The deploy hook's text: the module `hook`, which stands alone.

    Raises:
        RuntimeError: the loader does not give its source.
    """
    source = pkgutil.get_data(__name__.rpartition(".")[0], "hook.py")
    if source is None:
        raise RuntimeError("the source of the deploy hook can't be read")
    return source.decode()


def hook_config(host: Host, wanted: Wanted, check: Sequence[str], reload: Sequence[str]) -> hook.Config:
    """The deploy hook's configuration."""
    return hook.Config(
        live_dir=host.config_dir / "live",
        link_dir=host.root / wanted.link_dir.lstrip("/") if wanted.link_dir else None,
        lineages=tuple(sorted(certificate.name for certificate in wanted.present)),
        check_command=tuple(check),
        reload_command=tuple(reload),
        record=host.state_dir / "deployed.json",
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
    cleared = {name: "" for variable in PROXY_VARIABLES for name in (variable, variable.upper())}
    return {**cleared, "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": "", **variables}


def _quoted(assignment: str) -> str:
    """systemd.exec(5), Environment=: in double quotes, with `%` doubled and quotes and backslashes escaped."""
    return '"' + assignment.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def drop_in(variables: Mapping[str, str], hook_path: Path) -> str:
    """The text of certbot.service's drop-in."""
    lines = [
        "# Managed by Ansible (portside.vps.certbot). The role's next run undoes what is changed here.",
        "[Service]",
        *(f"Environment={_quoted(f'{key}={value}')}" for key, value in variables.items()),
        "# `certbot renew`, tried again where that helps; fails when a renewed certificate is not put in place.",
        "ExecStart=",
        f"ExecStart={hook_path} --renew",
    ]
    return "\n".join(lines) + "\n"


def _present(path: Path) -> tuple[str | None, int | None]:
    text = read_text(path)
    return text, None if text is None else os.stat(path).st_mode & 0o7777


def managed_files(
    host: Host, wanted: Wanted, *, ca: str, declared: Mapping[str, str], config: hook.Config
) -> Iterator[ManagedFile]:
    """All of them, in the order they are to be written."""
    system_cas = read_text(host.system_cas) or ""
    bundle = ca_bundle(system_cas, ca)
    variables = environment(declared, host.ca_bundle if bundle else None)
    contents: list[tuple[Path, str | None, int, str]] = [
        (host.ca_bundle, bundle, 0o644, system_cas.rstrip() or "(none)"),
        (host.deploy_conf, config.to_json(), 0o644, ""),
        (host.hook, hook_script(), 0o755, ""),
        # An outbound proxy's URL may hold a password.
        (host.drop_in, drop_in(variables, host.hook), 0o600 if declared else 0o644, ""),
    ]
    for path, content, mode, common in contents:
        before, before_mode = _present(path)
        yield ManagedFile(path, content, mode, before, before_mode, common)
