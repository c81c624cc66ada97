"""Names and addresses that a certificate can be for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

# RFC 1123 section 2.1 (a label may begin with a digit), RFC 1035 section 2.3.4 (63 octets a label, 253 printable a
# name).
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_LONGEST_NAME = 253


def is_address(domain: str) -> bool:
    """Whether it is an IP address."""
    try:
        ipaddress.ip_address(domain)
    except ValueError:
        return False
    return True


def canonical(domain: str) -> str:
    """A name in lower case, an IP address in its one short form (RFC 5952), so that two of them can be compared."""
    try:
        return str(ipaddress.ip_address(domain))
    except ValueError:
        return domain.lower()


def ascii_form(domain: str) -> str:
    """The form in which DNS has a name outside ASCII (RFC 3492); empty where that can't be told for certain.

    Python's codec is that of RFC 3490. Its successor, RFC 5891, reads a few letters otherwise.
    """
    if {*domain} & {*"\u00df\u03c2\u200c\u200d"}:
        return ""
    try:
        return domain.rstrip(".").encode("idna").decode()
    except UnicodeError:
        return ""


def _not_ascii(domain: str) -> str:
    known = ascii_form(domain)
    return f"is not ASCII: write it in punycode, `{known or 'xn--bcher-kva.example'}`{'' if known else ' for instance'}"


def _has_wrong_label(domain: str) -> bool:
    return not all(_LABEL.fullmatch(label) for label in domain.split("."))


# In the order in which they explain best.
_DOMAIN_RULES: tuple[tuple[Callable[[str], bool], str], ...] = (
    (lambda domain: not domain, "is empty"),
    (lambda domain: "/" in domain, "is a URL or a path: write the name alone, `api.example.com` for instance"),
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


def domain_problem(domain: str, *, by_dns: bool = False) -> str | None:
    """Why a certificate for this name can't be had; None when it can.

    Args:
        domain: a name, a wildcard or an IP address.
        by_dns: whether a DNS challenge proves it, or the user brings the certificate; not a file in the webroot.
    """
    if is_address(domain):
        return None
    if domain.startswith("*."):
        if by_dns:
            return domain_problem(domain[2:])
        return (
            "is a wildcard, which an ACME server gives out for a DNS challenge alone (RFC 8555, section 7.1.3), never "
            "for files in a webroot: list each name, or give the certificate a `dns`"
        )
    problem = next((text for applies, text in _DOMAIN_RULES if applies(domain)), None)
    return problem if domain.isascii() or "/" in domain or ":" in domain else _not_ascii(domain)
