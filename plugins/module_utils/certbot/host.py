"""Where things are on the host, and reading them."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import hook, lineage
from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text

# One run at a time looks at the certificates and changes them. Seconds: another run may have many to order.
LOCK = Path("/run/portside/certbot.lock")
LOCK_LIMIT = 900.0
_LIVE_FILES = ("cert", "privkey", "chain", "fullchain")


@dataclass(frozen=True)
class Host:
    """certbot's directories and those of this role, under one root so that a test can put them elsewhere."""

    root: Path = Path("/")

    @property
    def config_dir(self) -> Path:
        """certbot's own directory."""
        return self.root / "etc/letsencrypt"

    @property
    def own_dir(self) -> Path:
        """This role's files; inside certbot's directory, so that a copy of that one is complete."""
        return self.config_dir / "portside"

    @property
    def state_dir(self) -> Path:
        """What this host has done; of no use on another one."""
        return self.root / "var/lib/portside/certbot"

    @property
    def hook(self) -> Path:
        """The deploy hook."""
        return self.config_dir / "renewal-hooks/deploy/portside"

    @property
    def deploy_conf(self) -> Path:
        """The deploy hook's configuration."""
        return self.own_dir / "deploy.json"

    @property
    def ca_bundle(self) -> Path:
        """The system's CAs and the ACME server's."""
        return self.own_dir / "ca-bundle.pem"

    @property
    def account_notes(self) -> Path:
        """Which contact each account was last given: certbot does not keep it."""
        return self.own_dir / "accounts.json"

    @property
    def failed_orders(self) -> Path:
        """The orders that failed lately."""
        return self.state_dir / "failed-orders.json"

    @property
    def drop_in(self) -> Path:
        """What the packaged service gets on top."""
        return self.root / "etc/systemd/system/certbot.service.d/portside.conf"

    @property
    def own_certificates(self) -> Path:
        """The user's own certificates."""
        return self.own_dir / "own"

    def credentials(self, name: str) -> Path:
        """The credentials file of a DNS challenge."""
        return self.own_dir / "dns" / f"{name}.ini"

    @property
    def venv(self) -> Path:
        """certbot's Python environment, where it is from PyPI: a link to the present one."""
        return self.root / "opt/portside/certbot/current"

    @property
    def check_program(self) -> Path:
        """Compares what is served with what is on disk."""
        return self.root / "usr/local/sbin/portside-certbot-check"

    @property
    def check_conf(self) -> Path:
        """Its configuration."""
        return self.own_dir / "check.json"

    @property
    def units(self) -> Path:
        """systemd's directory for units of the host's own."""
        return self.root / "etc/systemd/system"

    @property
    def system_cas(self) -> Path:
        """Debian's bundle of CAs (package ca-certificates, which certbot depends on)."""
        return self.root / "etc/ssl/certs/ca-certificates.crt"

    @property
    def log(self) -> Path:
        """certbot's log."""
        return self.root / "var/log/letsencrypt/letsencrypt.log"

    def renewal_conf(self, name: str) -> Path:
        """The renewal configuration of a lineage."""
        return self.config_dir / "renewal" / f"{name}.conf"

    def live_dir(self, name: str) -> Path:
        """The directory of a lineage's present files."""
        return self.config_dir / "live" / name

    def pieces(self, name: str) -> tuple[Path, ...]:
        """What there is of a lineage."""
        candidates = (self.renewal_conf(name), self.live_dir(name), self.config_dir / "archive" / name)
        return tuple(path for path in candidates if path.exists() or path.is_symlink())


def certbot_version(host: Host, from_pypi: bool) -> str:
    """The installed certbot's version, without starting it; empty where there is none."""
    place = "opt/portside/certbot/current/lib/python3*/site-packages" if from_pypi else "usr/lib/python3/dist-packages"
    for info in host.root.glob(f"{place}/certbot-*-info"):
        return info.name.removeprefix("certbot-").rpartition(".")[0].partition("-py")[0]
    return ""


def certbot_program(host: Host, from_pypi: bool) -> str:
    """The certbot to use."""
    return str(host.venv / "bin/certbot") if from_pypi else "certbot"


def read_leaf(certificate: Path) -> lineage.Leaf:
    """What a certificate file says.

    Raises:
        CommandError: there is no openssl.
        Unreadable: it is no certificate.
    """
    done = run([*lineage.OPENSSL, str(certificate)], expect=())
    if done.status != 0:
        raise lineage.Unreadable(f"openssl can't read {certificate}: {done.said}")
    return lineage.parse_leaf(done.stdout)


def _sound_conf(path: Path) -> lineage.RenewalConf:
    """The renewal configuration, if all it names is there.

    Raises:
        Unreadable: it isn't, or not all of it.
    """
    text = read_text(path)
    if text is None:
        raise lineage.Unreadable(f"{path} is missing")
    try:
        conf = lineage.parse_conf(text)
    except lineage.Unreadable as error:
        raise lineage.Unreadable(f"{path}: {error}") from error
    for option in _LIVE_FILES:
        if option not in conf.values:
            raise lineage.Unreadable(f"{path} has no `{option}`")
        file = Path(conf.values[option])
        if not file.is_symlink() or not file.exists():
            raise lineage.Unreadable(f"{file} is missing or leads nowhere")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(conf.values["cert"], conf.values["privkey"])
    except ssl.SSLError as error:
        raise lineage.Unreadable(
            f"{conf.values['privkey']} is not the key of {conf.values['cert']} ({error.reason})"
        ) from error
    return conf


def read_lineage(host: Host, name: str) -> lineage.Lineage:
    """A lineage as it stands, damaged or not.

    A lineage is damaged when certbot would take it for missing: it would then make a second one, `<name>-0001`, or
    refuse with "archive directory exists". A killed certbot or a deleted directory does that.

    Raises:
        CommandError: there is no openssl.
    """
    pieces = host.pieces(name)
    if not pieces:
        return lineage.Lineage(name)
    try:
        conf = _sound_conf(host.renewal_conf(name))
        leaf = read_leaf(Path(conf.values["cert"]))
    except lineage.Unreadable as error:
        return lineage.Lineage(name, damage=str(error), leftovers=pieces)
    return lineage.Lineage(name, conf=conf, leaf=leaf, leftovers=pieces)


def set_aside(host: Host, name: str, now: datetime, link: Path | None) -> Path | None:
    """Move what is left of a damaged lineage out of certbot's way, and keep it: it may hold the only copy of a key.

    The directories keep their places relative to each other, so the links between them still lead where they did; a web
    server's link into the lineage follows it.

    Args:
        host: the host.
        name: the lineage.
        now: names the directory.
        link: the web server's link to the lineage; None if it has none.

    Returns:
        The directory it is now in; None if there was nothing.
    """
    pieces = host.pieces(name)
    if not pieces:
        return None
    aside = host.own_dir / "set-aside" / f"{name}.{now:%Y%m%dT%H%M%SZ}"
    aside.mkdir(mode=0o700, parents=True)
    for piece in pieces:
        target = aside / piece.relative_to(host.config_dir)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        os.rename(piece, target)
    moved = aside / "live" / name
    if link is not None and link.is_symlink() and os.readlink(link) == str(host.live_dir(name)) and moved.is_dir():
        hook.point(link, str(moved))
    return aside
