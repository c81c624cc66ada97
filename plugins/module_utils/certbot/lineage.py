"""What stands on the host: certbot's lineages, read without certbot and without the network."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot.names import canonical

# openssl-x509(1). ISO dates are not locale-dependent, RFC 2253 names read the same in OpenSSL 3.0 and 3.5.
OPENSSL = (
    "openssl",
    "x509",
    "-noout",
    "-serial",
    "-issuer",
    "-dates",
    "-ext",
    "subjectAltName",
    "-nameopt",
    "RFC2253",
    "-dateopt",
    "iso_8601",
    "-in",
)


class Unreadable(Exception):
    """A renewal configuration, or what openssl said, isn't what it should be."""


@dataclass(frozen=True)
class RenewalConf:
    """`renewal/<lineage>.conf`: ConfigObj's format, with options before the first section and nested sections.

    Attributes:
        values: the options before the first section: version, cert, privkey, chain, fullchain ...
        params: section [renewalparams]: account, server, key_type, authenticator, webroot_path ...
        webroots: section [[webroot_map]]: webroot by domain.
    """

    values: Mapping[str, str]
    params: Mapping[str, str]
    webroots: Mapping[str, str]

    @property
    def version(self) -> tuple[int, ...]:
        """certbot's version when it last wrote the file, (2, 1, 0) for instance; empty if it doesn't say."""
        return tuple(int(part) for part in re.findall(r"\d+", self.values.get("version", "")))


@dataclass(frozen=True)
class Leaf:
    """What a certificate says of itself.

    Attributes:
        names: its DNS names and IP addresses, as `names.canonical` writes them (openssl writes IPv6 otherwise).
        serial: hexadecimal, upper case, as openssl prints it.
        issuer: RFC 2253.
        not_before, not_after: aware, UTC.
    """

    names: frozenset[str]
    serial: str
    issuer: str
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Whole days until it expires; negative when it has."""
        return (self.not_after - now).days


@dataclass(frozen=True)
class Lineage:
    """One lineage as it stands on the host.

    Attributes:
        name: its name.
        conf: its renewal configuration; None when it has none that can be read.
        leaf: its present certificate; None when there is none that can be read.
        damage: why certbot could not renew it; empty when it could.
        leftovers: its directories and files that exist.
    """

    name: str
    conf: RenewalConf | None = None
    leaf: Leaf | None = None
    damage: str = ""
    leftovers: tuple[Path, ...] = field(default=())

    @property
    def exists(self) -> bool:
        """Whether anything on the host bears its name."""
        return bool(self.leftovers)


def _option(line: str) -> tuple[str, str]:
    key, found, value = line.partition("=")
    if not found:
        raise Unreadable(f"the line `{line.strip()}` is no option")
    return key.strip(), value.strip().strip("\"'")


def parse_conf(text: str) -> RenewalConf:
    """Read the text of a renewal configuration.

    Raises:
        Unreadable: it is empty (certbot was killed while it wrote), or a line has no `=`.
    """
    sections: dict[str, dict[str, str]] = {"": {}, "renewalparams": {}, "webroot_map": {}}
    current = sections[""]
    for raw in text.splitlines():
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        heading = re.fullmatch(r"\[+\s*([^\[\]]+?)\s*\]+", line)
        if heading:
            current = sections.setdefault(heading[1], {})
            continue
        key, value = _option(line)
        current[key] = value
    if not sections[""]:
        raise Unreadable("it is empty")
    return RenewalConf(sections[""], sections["renewalparams"], sections["webroot_map"])


def edited_conf(text: str, *, values: Mapping[str, str], params: Mapping[str, str], webroot: str | None = None) -> str:
    """The text of a renewal configuration with some options changed, all else as it was.

    certbot's own `reconfigure` came with 2.3.0 and asks the ACME server; editing the file is what its manual names for
    older versions (using.rst, "Modifying the Renewal Configuration File").

    Args:
        text: the file as it is.
        values: options before the first section.
        params: options of [renewalparams].
        webroot: the webroot for every name in [[webroot_map]].
    """
    section = ""
    written: list[str] = []
    rest = {"": dict(values), "renewalparams": dict(params)}

    def finish(name: str) -> None:
        pending = rest.pop(name, {})
        at = len(written)
        while at and not written[at - 1].strip():
            at -= 1
        written[at:at] = [f"{key} = {value}" for key, value in pending.items()]

    for line in text.splitlines():
        heading = re.fullmatch(r"\s*\[+\s*([^\[\]]+?)\s*\]+\s*", line)
        if heading:
            finish(section)
            section = heading[1]
            written.append(line)
            continue
        key = line.partition("=")[0].strip()
        if "=" in line and not line.lstrip().startswith("#"):
            if key in rest.get(section, {}):
                written.append(f"{key} = {rest[section].pop(key)}")
                continue
            if section == "webroot_map" and webroot is not None:
                written.append(f"{key} = {webroot}")
                continue
        written.append(line)
    finish(section)
    return "\n".join(written) + "\n"


def parse_leaf(openssl_output: str) -> Leaf:
    """Read what OPENSSL printed.

    Raises:
        Unreadable: something is missing from it.
    """
    fields = dict(
        line.split("=", 1) for line in openssl_output.splitlines() if re.match(r"(serial|issuer|not\w+)=", line)
    )
    names = re.findall(r"(?:DNS|IP Address):([^,\s]+)", openssl_output)
    try:
        return Leaf(
            names=frozenset(canonical(name) for name in names),
            serial=fields["serial"].strip(),
            issuer=fields["issuer"].strip(),
            not_before=_moment(fields["notBefore"]),
            not_after=_moment(fields["notAfter"]),
        )
    except (KeyError, ValueError) as missing:
        raise Unreadable(f"openssl's description of the certificate is incomplete ({missing})") from missing


def _moment(text: str) -> datetime:
    return datetime.strptime(text.strip(), "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)


def account_dir(config_dir: Path, server: str) -> Path:
    """Where certbot keeps the accounts at a server (certbot/configuration.py, server_path)."""
    url = urlsplit(server)
    return config_dir / "accounts" / (url.netloc + url.path)


def accounts(config_dir: Path, server: str) -> tuple[str, ...]:
    """The ids of the host's accounts at a server."""
    try:
        found = list(account_dir(config_dir, server).iterdir())
    except OSError:
        return ()
    return tuple(sorted(entry.name for entry in found if (entry / "regr.json").is_file()))


def account_urls(config_dir: Path, server: str) -> tuple[str, ...]:
    """The URLs by which the server knows the host's accounts (certbot/_internal/account.py: `uri` in regr.json)."""
    found = []
    for name in accounts(config_dir, server):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            text = (account_dir(config_dir, server) / name / "regr.json").read_text(encoding="utf-8")
            found.append(str(json.loads(text).get("uri", "")))
    return tuple(filter(None, found))
