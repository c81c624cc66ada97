"""What the user declared: certificates, ACME server, account. Checked as a whole, before anything changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot.declaration import directory_url, problems
from ansible_collections.portside.vps.plugins.module_utils.certbot.names import canonical


class InputError(Exception):
    """What was declared can't be right; the message lists everything that is wrong with it."""


@dataclass(frozen=True)
class Dns:
    """A way to prove names by records in DNS.

    Attributes:
        name: how certificates refer to it.
        authenticator: certbot's plugin, `dns-rfc2136` or `manual` for instance.
        options: the plugin's own options without its name before them: `propagation-seconds`, `auth-hook` ...
        credentials: the text of its credentials file; empty for none.
    """

    name: str
    authenticator: str
    options: tuple[tuple[str, str], ...] = ()
    credentials: str = field(default="", repr=False)


@dataclass(frozen=True)
class Own:
    """The user's own certificate: PEM text, or absolute paths on the host.

    Attributes:
        certificate: the leaf, then the chain.
        key: its private key.
    """

    certificate: str
    key: str = field(repr=False)

    @property
    def on_host(self) -> bool:
        """Whether these are paths."""
        return self.certificate.startswith("/")


@dataclass(frozen=True)
class Certificate:
    """One lineage that is to exist, or not.

    Attributes:
        name: the lineage's name, certbot's --cert-name.
        domains: names and addresses as `names.canonical` writes them, in the declared order; compared as a set.
        present: False for `state: absent`.
        key_type: `ecdsa` or `rsa`.
        profile: the ACME profile; empty for the server's default.
        dns: how a DNS challenge proves its names; None for files in the webroot.
        own: the user's own files; None for a certificate from the ACME server.
        served_at: `host:port` of each place where it is shown; None for the role's.
    """

    name: str
    domains: tuple[str, ...]
    present: bool = True
    key_type: str = "ecdsa"
    profile: str = ""
    dns: Dns | None = None
    own: Own | None = None
    served_at: tuple[str, ...] | None = None

    @property
    def authenticator(self) -> str:
        """certbot's plugin that proves its names."""
        return self.dns.authenticator if self.dns else "webroot"


@dataclass(frozen=True)
class Wanted:
    """Everything that was declared.

    Attributes:
        certificates: the lineages.
        server: directory URL of the ACME server.
        email: the account's contact; empty for none.
        webroot: where the web server serves /.well-known/acme-challenge/ from.
        link_dir: directory of the links that the web server follows; empty for none.
        dns: the ways to prove names by records in DNS.
        eab: key id and HMAC key that bind the account to a customer's; None for none.
    """

    certificates: tuple[Certificate, ...]
    server: str
    email: str
    webroot: str
    link_dir: str
    dns: tuple[Dns, ...] = ()
    eab: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def present(self) -> tuple[Certificate, ...]:
        """The certificates that are to exist."""
        return tuple(certificate for certificate in self.certificates if certificate.present)


def _certificate(item: Mapping[str, Any], settings: Mapping[str, Any], ways: Mapping[str, Dns]) -> Certificate:
    own, served_at = item.get("own"), item.get("served_at")
    return Certificate(
        name=item["name"],
        domains=tuple(canonical(domain) for domain in item.get("domains") or []),
        present=item.get("state", "present") != "absent",
        key_type=item.get("key_type") or settings.get("key_type") or "ecdsa",
        profile=item.get("profile") or settings.get("profile") or "",
        dns=ways[item["dns"]] if item.get("dns") else None,
        own=Own(own["certificate"], own["key"]) if own else None,
        served_at=None if served_at is None else tuple(served_at),
    )


def parse(certificates: Sequence[Mapping[str, Any]], **settings: Any) -> Wanted:
    """The declaration as values, names in lower case; takes what `problems` takes, and `key_type`.

    Raises:
        InputError: with everything that `problems` finds.
    """
    found = problems(certificates, **settings)
    if found:
        raise InputError("\n".join(found))
    ways = tuple(
        Dns(
            item["name"],
            item["authenticator"],
            tuple(sorted((str(key), str(value)) for key, value in (item.get("options") or {}).items())),
            item.get("credentials") or "",
        )
        for item in settings.get("dns") or ()
    )
    eab = settings.get("eab") or {}
    by_name = {way.name: way for way in ways}
    return Wanted(
        certificates=tuple(_certificate(item, settings, by_name) for item in certificates),
        server=directory_url(settings["directory"]),
        email=settings["email"],
        webroot=settings["webroot"].rstrip("/") or "/",
        link_dir=settings["link_dir"].rstrip("/"),
        dns=ways,
        eab=(eab["kid"], eab["hmac_key"]) if eab else None,
    )
