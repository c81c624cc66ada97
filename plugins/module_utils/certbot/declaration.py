"""What is wrong with what the user declared, found as a whole before anything changes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot import features, names
from ansible_collections.portside.vps.plugins.module_utils.unit_files import one_line, variable_problems

# https://letsencrypt.org/docs/acme-protocol-updates/ and https://letsencrypt.org/docs/staging-environment/
DIRECTORIES = {
    "production": "https://acme-v02.api.letsencrypt.org/directory",
    "staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}

# What certbot takes as a file name, and every file system too; `README` is certbot's own file in live/.
_LINEAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
# One mailbox as RFC 8555 section 7.3 wants it in a contact URL: no display name, no list. RFC 5321 section 4.1.2,
# Dot-string.
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_EMAIL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@(?P<domain>[^@\s]+)")
# A plugin's name, and its options'.
_PLUGIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# certbot's own plugins that prove names by http or not at all.
_NOT_DNS = {"apache", "nginx", "null", "standalone", "webroot"}
# https://letsencrypt.org/docs/rate-limits/: names per certificate
_MOST_NAMES = 100


def directory_url(directory: str) -> str:
    """The URL behind `production` or `staging`; any other text as it is."""
    return DIRECTORIES.get(directory, directory)


def _own_problems(where: str, own: Mapping[str, Any]) -> Iterable[str]:
    values = [str(own.get(part) or "") for part in ("certificate", "key")]
    if not all(value.startswith("/") for value in values) and not all("-----BEGIN " in value for value in values):
        yield (
            f"{where}: `own` takes `certificate` and `key`, both as PEM text (-----BEGIN ...), or both as absolute "
            "paths of files on the server"
        )


def _name_problems(where: str, name: str) -> Iterable[str]:
    if not _LINEAGE.fullmatch(name) or name == "README":
        yield (
            f"{where}: `name` is the lineage's name: 1 to 63 letters, digits, dots, hyphens and underscores, "
            "a letter or digit first"
        )


def _domain_problems(where: str, domains: Sequence[str], by_dns: bool) -> Iterable[str]:
    if not domains:
        yield f"{where}: `domains` is empty; list at least one name, or write `state: absent`"
    for domain in dict.fromkeys(domains):
        problem = names.domain_problem(domain, by_dns=by_dns)
        if problem:
            yield f"{where}: domain `{domain}` {problem}"
    for domain, times in Counter(names.canonical(domain) for domain in domains).items():
        if times > 1:
            yield f"{where}: domain `{domain}` is listed {times} times; once is enough"
    if len(domains) > _MOST_NAMES:
        yield f"{where}: {len(domains)} names; a certificate holds {_MOST_NAMES} at most: split it"


def _certificate_problems(
    item: Mapping[str, Any], position: int, ways: Collection[str], profile: str, version: str
) -> Iterable[str]:
    name = item.get("name") or ""
    where = f"certificate {name}" if name else f"certificate number {position}"
    yield from _name_problems(where, name)
    if item.get("state") == "absent":
        return
    domains: Sequence[str] = item.get("domains") or []
    own, way = item.get("own"), item.get("dns") or ""
    if not one_line(item.get("profile") or ""):
        yield f"{where}: `profile` has a line break or another control character in it: write it on one line"
    yield from _domain_problems(where, domains, bool(own or way))
    if way and way not in ways:
        yield f"{where}: `dns` is `{way}`, which is not in `certbot_dns`; there: {', '.join(sorted(ways)) or 'none'}"
    if own:
        yield from _own_problems(where, own)
        if way or item.get("profile"):
            yield f"{where}: `own` is the user's own certificate; `dns` and `profile` are for one from an ACME server"
    else:
        addresses = [domain for domain in domains if names.is_address(domain)]
        if addresses and way:
            yield f"{where}: `{addresses[0]}` is an IP address, which no DNS challenge proves: leave `dns` out"
        yield from features.lacking(where, addresses, item.get("profile") or profile, version)


def _dns_problems(dns: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for position, item in enumerate(dns, start=1):
        name = item.get("name") or ""
        where = f"dns {name}" if name else f"dns number {position}"
        if not _LINEAGE.fullmatch(name):
            yield f"{where}: `name` is 1 to 63 letters, digits, dots, hyphens and underscores, a letter or digit first"
        authenticator = item.get("authenticator") or ""
        if authenticator in _NOT_DNS or not _PLUGIN.fullmatch(authenticator):
            yield (
                f"{where}: `authenticator` is `{authenticator}`; write certbot's name of a DNS plugin, `dns-rfc2136` "
                "for instance, or `manual` with the options `auth-hook` and `cleanup-hook`"
            )
        for key, value in (item.get("options") or {}).items():
            if not _PLUGIN.fullmatch(str(key)) or not one_line(value) or str(key) == "credentials":
                yield (
                    f"{where}: option `{key}`: the plugin's option without `--{authenticator}-` before it, and a value "
                    "of one line; credentials are the text in `credentials`"
                )
    for name, times in Counter(item.get("name") or "" for item in dns).items():
        if name and times > 1:
            yield f"dns {name} is declared {times} times"


def email_problem(email: str) -> str | None:
    """Why this can't be the account's contact; None when it can, and for the empty text."""
    if not email:
        return None
    match = _EMAIL.fullmatch(email)
    if match and names.domain_problem(match["domain"]) is None and "." in match["domain"]:
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
    certificates: Sequence[Mapping[str, Any]],
    *,
    directory: str,
    email: str,
    webroot: str,
    link_dir: str,
    profile: str = "",
    dns: Sequence[Mapping[str, Any]] = (),
    eab: Mapping[str, Any] | None = None,
    version: str = "",
    environment: Mapping[str, Any] | None = None,
    service_writable: Sequence[str] = (),
    **_others: Any,
) -> list[str]:
    """One sentence for each thing that is wrong with what was declared.

    Args:
        certificates: items with name, domains, state and the options of one certificate, as the module takes them.
        directory: the ACME server's directory URL, or one of the words in DIRECTORIES.
        email: the account's contact, or empty.
        webroot: absolute path.
        link_dir: absolute path, or empty.
        profile: the ACME profile of certificates that name none.
        dns: the ways to prove names by records in DNS.
        eab: kid and hmac_key.
        version: certbot's, `4.0.0` for instance; empty if it is not known.
        environment: the variables that certbot runs with.
        service_writable: directories that the renewal writes to.
    """
    found: list[str] = []
    ways = {str(item.get("name")) for item in dns}
    for position, item in enumerate(certificates, start=1):
        found += _certificate_problems(item, position, ways, profile, version)
    found += _dns_problems(dns)
    for name, times in Counter(item.get("name") or "" for item in certificates).items():
        if name and times > 1:
            found.append(f"certificate {name} is declared {times} times; put all its domains into one item")
    found += [problem for problem in (directory_problem(directory), email_problem(email)) if problem]
    if eab and not (eab.get("kid") and eab.get("hmac_key")):
        found.append("`eab` takes both `kid` and `hmac_key`, as the CA gives them to its customers")
    if not webroot.startswith("/"):
        found.append(f"`webroot` is `{webroot}`; write an absolute path, `/var/www/acme` for instance")
    if link_dir and not link_dir.startswith("/"):
        found.append(f"`link_dir` is `{link_dir}`; write an absolute path, or leave it empty for no links")
    found += [f"`environment`: {problem}" for problem in variable_problems(environment or {})]
    texts = {"directory": [directory], "webroot": [webroot], "link_dir": [link_dir], "profile": [profile]}
    texts |= {"eab": list((eab or {}).values()), "service_writable": list(service_writable)}
    return found + [
        f"`{name}` has a line break or another control character in it, and would go on as a line of its own in "
        "certbot's configuration or the unit of systemd: write it on one line"
        for name, values in texts.items()
        if not all(map(one_line, values))
    ]
