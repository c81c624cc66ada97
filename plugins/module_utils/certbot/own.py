"""The user's own certificates: checked, and put beside certbot's lineages, from PEM text or from files on the host."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import hook, lineage, names
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host, read_leaf
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Own
from ansible_collections.portside.vps.plugins.module_utils.command import run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_FILES = ("fullchain.pem", "privkey.pem")


class Unfit(Exception):
    """What is wrong with the user's files; the message says what to do."""


def _texts(host: Host, own: Own) -> tuple[str, str]:
    """Certificates and key as PEM text."""
    if not own.on_host:
        return own.certificate.strip() + "\n", own.key.strip() + "\n"
    found = []
    for path in (own.certificate, own.key):
        text = read_text(host.root / path.lstrip("/"))
        if text is None:
            raise Unfit(f"{path} is not on this host")
        found.append(text)
    return found[0], found[1]


def _covered(domain: str, present: frozenset[str]) -> bool:
    """RFC 6125, section 6.4.3: a wildcard stands for exactly one label."""
    return domain in present or (not names.is_address(domain) and f"*.{domain.partition('.')[2]}" in present)


def _chain_problem(host: Host, certificates: list[str], folder: Path) -> str | None:
    """Why a client could not follow the chain; None when it can.

    Trusted are the system's CAs, and a root that the file brings itself (a private CA's).
    """
    leaf, chain = folder / "leaf.pem", folder / "chain.pem"
    leaf.write_text(certificates[0] + "\n", encoding="ascii")
    chain.write_text("\n".join(certificates) + "\n", encoding="ascii")
    roots = folder / "roots.pem"
    own_roots = []
    for position, text in enumerate(certificates):
        file = folder / f"{position}.pem"
        file.write_text(text + "\n", encoding="ascii")
        said = run(["openssl", "x509", "-noout", "-subject", "-issuer", "-in", str(file)], expect=()).stdout
        parts = [line.partition("=")[2] for line in said.splitlines()]
        if len(parts) == 2 and parts[0] == parts[1]:
            own_roots.append(text)
    roots.write_text((read_text(host.system_cas) or "") + "\n".join(own_roots) + "\n", encoding="utf-8")
    argv = ["openssl", "verify", "-purpose", "sslserver", "-CAfile", str(roots), "-untrusted", str(chain), str(leaf)]
    done = run(argv, expect=())
    if done.status == 0:
        return None
    reason = re.search(r"lookup: (.+)", done.said)
    return (
        f"its chain is not complete: {reason[1] if reason else done.said}; append the CA's intermediate certificates "
        "to it, and a private CA's root"
    )


def _matches(certificate: str, key: str) -> bool:
    public = run(["openssl", "x509", "-noout", "-pubkey"], stdin=certificate, expect=()).stdout
    private = run(["openssl", "pkey", "-pubout", "-passin", "pass:"], stdin=key, expect=())
    if private.status != 0:
        raise Unfit("its key can't be read by openssl: it has to be a PEM private key without a password")
    return public.strip() == private.stdout.strip()


def check(host: Host, certificate: Certificate, now: datetime) -> None:
    """See that the user's files are fit to be served.

    Raises:
        Unfit: they are not.
        CommandError: there is no openssl.
    """
    if certificate.own is None:
        return
    text, key = _texts(host, certificate.own)
    certificates = _PEM.findall(text)
    if not certificates:
        raise Unfit("its `own.certificate` holds no PEM certificate")
    with tempfile.TemporaryDirectory() as folder:
        problem = _chain_problem(host, certificates, Path(folder))
        try:
            leaf = read_leaf(Path(folder) / "leaf.pem")
        except lineage.Unreadable as error:
            raise Unfit(str(error)) from error
    if not _matches(certificates[0], key):
        raise Unfit("its key does not belong to its certificate, which has to be the first one in the file")
    missing = [domain for domain in certificate.domains if not _covered(domain, leaf.names)]
    if missing:
        raise Unfit(f"it is for {', '.join(sorted(leaf.names))}, and not for {', '.join(missing)}")
    if leaf.not_after <= now:
        raise Unfit(f"it expired at {leaf.not_after:%Y-%m-%d %H:%M} UTC")
    if problem:
        raise Unfit(problem)


def directory(host: Host, name: str) -> Path:
    """Where the web server's link leads: a link to the present version."""
    return host.own_certificates / name


def _version(own: Own) -> str:
    """A name for this version, so that certificate and key change in one step."""
    return hashlib.sha256(f"{own.certificate.strip()}\0{own.key.strip()}".encode()).hexdigest()[:16]


def differs(host: Host, certificate: Certificate) -> bool:
    """Whether the declared files are not those that are in place."""
    if certificate.own is None:
        return False
    here = directory(host, certificate.name)
    target = f".{certificate.name}.{_version(certificate.own)}"
    if not here.is_symlink() or os.readlink(here) != target:
        return True
    return not all((here / file).exists() for file in _FILES)


def install(host: Host, certificate: Certificate) -> None:
    """Put the declared files in place: both written aside, then one link switched."""
    own = certificate.own
    if own is None:
        return
    here = directory(host, certificate.name)
    aside = here.with_name(f".{certificate.name}.{_version(own)}")
    aside.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file, value in zip(_FILES, (own.certificate, own.key), strict=True):
        if own.on_host:
            hook.point(aside / file, value)
        else:
            write_atomic(aside / file, value.strip() + "\n", 0o600 if file == "privkey.pem" else 0o644)
    hook.point(here, aside.name)
    _sweep(host, certificate.name, keep=aside.name)


def _sweep(host: Host, name: str, keep: str) -> None:
    for old in host.own_certificates.glob(f".{name}.*"):
        if old.name != keep and re.fullmatch(r"[0-9a-f]{16}", old.name.removeprefix(f".{name}.")):
            shutil.rmtree(old)


def exists(host: Host, name: str) -> bool:
    """Whether there is one of that name."""
    return directory(host, name).is_symlink()


def remove(host: Host, name: str) -> None:
    """Take it away; files elsewhere on the host stay."""
    with contextlib.suppress(FileNotFoundError):
        directory(host, name).unlink()
    _sweep(host, name, keep="")
