"""What the user declared: certificates, ACME server, account. Checked as a whole, before anything changes."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# https://letsencrypt.org/docs/acme-protocol-updates/ and https://letsencrypt.org/docs/staging-environment/
DIRECTORIES = {
    "production": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}

# RFC 1123 section 2.1 (a label may begin with a digit), RFC 1035 section 2.3.4 (63 octets a label, 253 printable a
# name).
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LONGEST_NAME = 253
# What certbot takes as a file name, and every file system too; `README` is certbot's own file in live/.
_LINEAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# One mailbox as RFC 8555 section 7.3 wants it in a contact URL: no display name, no list. RFC 5321 section 4.1.2,
# Dot-string.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?P<domain>[^@\s]+)")
# https://letsencrypt.org/docs/rate-limits/: names per certificate
_MOST_NAMES = 100


class InputError(Exception):
    """What was declared can't be right; the message lists everything that is wrong with it."""


@dataclass(frozen=True)
class Certificate:
    """One lineage that is to exist, or not.

    Attributes:
        name: the lineage's name, certbot's --cert-name.
        domains: names in lower case, in the declared order; compared as a set.
        present: False for `state: absent`.
    """

    name: str
    domains: tuple[str, ...]
    present: bool = True
    key_type: str = "ecdsa"


@dataclass(frozen=True)
class Wanted:
    """Everything that was declared.

    Attributes:
        certificates: the lineages.
        server: directory URL of the ACME server.
        email: the account's contact; empty for none.
        webroot: where the web server serves /.well-known/acme-challenge/ from.
        link_dir: directory of the links that the web server follows; empty for none.
    """

    certificates: tuple[Certificate, ...]
    server: str
    email: str
    webroot: str
    link_dir: str

    @property
    def present(self) -> tuple[Certificate, ...]:
        """The certificates that are to exist."""
        return tuple(certificate for certificate in self.certificates if certificate.present)


def directory_url(directory: str) -> str:
    """The URL behind `production` or `staging`; any other text as it is."""
    return DIRECTORIES.get(directory, directory)


def _is_address(domain: str) -> bool:
    try:
        ipaddress.ip_address(domain.strip("[]"))
    except ValueError:
        return False
    return True


def _has_wrong_label(domain: str) -> bool:
    return not all(_LABEL.fullmatch(label) for label in domain.split("."))


# In the order in which they explain best.
_DOMAIN_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda domain: not domain, "is empty"),
    (lambda domain: "/" in domain, "is a URL or a path: write the name alone, `api.example.com` for instance"),
    (
        lambda domain: domain.startswith("*."),
        "is a wildcard, which an ACME server gives out for a DNS challenge alone (RFC 8555, section 7.1.3), never for "
        "files in a webroot: list each name",
    ),
    (
        lambda domain: not domain.isascii(),
        "is not ASCII: write it in punycode, `xn--bcher-kva.example` for instance",
    ),
    (_is_address, "is an IP address: only names can be had here"),
    (lambda domain: ":" in domain, "has a port: write the name alone"),
    (lambda domain: domain.endswith("."), "ends in a dot: leave it out"),
    (
        lambda domain: "." not in domain or domain.rpartition(".")[2].isdigit(),
        "is not a full domain name such as `api.example.com`",
    ),
    (lambda domain: len(domain) > _LONGEST_NAME, f"is longer than {_LONGEST_NAME} characters (RFC 1035)"),
    (
        _has_wrong_label,
        "has a label that is none: 1 to 63 letters, digits and hyphens, no hyphen at either end (RFC 1123)",
    ),
)


def domain_problem(domain: str) -> str | None:
    """Why a certificate for this name can't be had through the webroot; None when it can."""
    return next((text for applies, text in _DOMAIN_RULES if applies(domain)), None)


def _certificate_problems(item: Mapping[str, Any], position: int) -> Iterable[str]:
    name = item.get("name") or ""
    where = f"certificate {name}" if name else f"certificate number {position}"
    if not _LINEAGE.fullmatch(name) or name == "README":
        yield (
            f"{where}: `name` is the lineage's name: 1 to 63 letters, digits, dots, hyphens and underscores, "
            "a letter or digit first"
        )
    if item.get("state") == "absent":
        return
    domains: Sequence[str] = item.get("domains") or []
    if not domains:
        yield f"{where}: `domains` is empty; list at least one name, or write `state: absent`"
    for domain in dict.fromkeys(domains):
        problem = domain_problem(domain)
        if problem:
            yield f"{where}: domain `{domain}` {problem}"
    for domain, times in Counter(domain.lower() for domain in domains).items():
        if times > 1:
            yield f"{where}: domain `{domain}` is listed {times} times; once is enough"
    if len(domains) > _MOST_NAMES:
        yield f"{where}: {len(domains)} names; a certificate holds {_MOST_NAMES} at most: split it"


def email_problem(email: str) -> str | None:
    """Why this can't be the account's contact; None when it can, and for the empty text."""
    if not email:
        return None
    match = _EMAIL.fullmatch(email)
    if match and all(_LABEL.fullmatch(label) for label in match["domain"].split(".")) and "." in match["domain"]:
        return None
    return f"`email` is `{email}`; write one address such as `ops@example.com`, or leave it empty for no contact"


def directory_problem(directory: str) -> str | None:
    """Why this can't be an ACME server's directory; None when it can."""
    url = urlsplit(directory_url(directory))
    if url.scheme == "https" and url.hostname and not url.query and not url.fragment and not url.username:
        return None
    words = " or ".join(f"`{word}`" for word in DIRECTORIES)
    return (
        f"`directory` is `{directory}`; write {words}, or the https URL of the ACME server's directory "
        "(RFC 8555, section 6.1)"
    )


def problems(
    certificates: Sequence[Mapping[str, Any]], *, directory: str, email: str, webroot: str, link_dir: str
) -> list[str]:
    """One sentence for each thing that is wrong with what was declared.

    Args:
        certificates: items with name, domains and state, as the module and the role take them.
        directory: the ACME server's directory URL, or one of the words in DIRECTORIES.
        email: the account's contact, or empty.
        webroot: absolute path.
        link_dir: absolute path, or empty.
    """
    found: list[str] = []
    for position, item in enumerate(certificates, start=1):
        found += _certificate_problems(item, position)
    for name, times in Counter(item.get("name") or "" for item in certificates).items():
        if name and times > 1:
            found.append(f"certificate {name} is declared {times} times; put all its domains into one item")
    found += [problem for problem in (directory_problem(directory), email_problem(email)) if problem]
    if not webroot.startswith("/"):
        found.append(f"`webroot` is `{webroot}`; write an absolute path, `/var/www/acme` for instance")
    if link_dir and not link_dir.startswith("/"):
        found.append(f"`link_dir` is `{link_dir}`; write an absolute path, or leave it empty for no links")
    return found


def parse(
    certificates: Sequence[Mapping[str, Any]], *, directory: str, email: str, webroot: str, link_dir: str
) -> Wanted:
    """The declaration as values, names in lower case.

    Raises:
        InputError: with everything that `problems` finds.
    """
    found = problems(certificates, directory=directory, email=email, webroot=webroot, link_dir=link_dir)
    if found:
        raise InputError("\n".join(found))
    return Wanted(
        certificates=tuple(
            Certificate(
                name=item["name"],
                domains=tuple(domain.lower() for domain in item.get("domains") or []),
                present=item.get("state", "present") != "absent",
            )
            for item in certificates
        ),
        server=directory_url(directory),
        email=email,
        webroot=webroot.rstrip("/") or "/",
        link_dir=link_dir.rstrip("/"),
    )
