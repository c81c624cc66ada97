"""Before an order: would the ACME server find what it will look for? Nothing here talks to it.

A failed validation counts against the CA's limits (Let's Encrypt: five per name, account and hour), so what can be seen
from the host is looked at first. The token decides: a file in the webroot, fetched through the public name from every
address that DNS gives for it, over IPv4 and IPv6, as RFC 8555, section 8.3 has the ACME server do it.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import secrets
import socket
import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot import caa, names
from ansible_collections.portside.vps.plugins.module_utils.certbot.dns import DnsError, Resolver
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import Problem
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run

CHALLENGES = ".well-known/acme-challenge"
# Seconds for one request.
TIMEOUT = 5.0
# https://letsencrypt.org/docs/challenge-types/: up to ten redirects, to port 80 or 443 alone.
_MOST_REDIRECTS = 10
# Not the name's fault: this host can't reach that family at all.
_NO_ROUTE = {errno.ENETUNREACH, errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}
_AT_ONCE = 16

# https://letsencrypt.org/docs/caa/
_LETS_ENCRYPT = ("letsencrypt.org",)


@dataclass
class Report:
    """What was found about one name.

    Attributes:
        problems: what would make the order fail.
        warnings: what is odd but does no harm, or can't be judged from here.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Token:
    """A file as an ACME server would look for it."""

    path: str
    content: str


class NotServed(Exception):
    """The token did not come back."""

    def __init__(self, why: str, *, kind: str = "connection", judged: bool = True) -> None:
        super().__init__(why)
        self.kind = kind
        self.judged = judged


def identities(server: str, declared: Sequence[str]) -> tuple[str, ...]:
    """The CA's domains in CAA records: the declared ones, or Let's Encrypt's for its servers; empty if not known."""
    host = urlsplit(server).hostname or ""
    return tuple(declared) or (_LETS_ENCRYPT if host.endswith(".api.letsencrypt.org") else ())


def own_addresses(ip_output: str) -> set[str]:
    """The host's addresses, from the output of `ip -json address`."""
    try:
        interfaces = json.loads(ip_output)
        return {info["local"] for interface in interfaces for info in interface.get("addr_info", []) if "local" in info}
    except (ValueError, TypeError, AttributeError):
        return set()


def host_addresses() -> set[str]:
    """The same, asked of the host; empty if it can't say."""
    try:
        return own_addresses(run(["ip", "-json", "address"], expect=()).stdout)
    except CommandError:
        return set()


@contextmanager
def token_in(webroot: Path) -> Iterator[Token]:
    """A token in the webroot, for as long as the block runs."""
    folder = webroot / CHALLENGES
    for directory in (folder.parent, folder):
        if not directory.is_dir():
            directory.mkdir(parents=True)
            directory.chmod(0o755)
    name = f"portside-{secrets.token_hex(16)}"
    file = folder / name
    token = Token(f"/{CHALLENGES}/{name}", secrets.token_hex(16))
    try:
        file.write_text(token.content, encoding="ascii")
        file.chmod(0o644)
        yield token
    finally:
        file.unlink(missing_ok=True)


def _get(url: str, address: str) -> tuple[int, str, str]:
    """Status, Location and the first of the body of one request, sent to this address whatever DNS says."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    raw = socket.create_connection((address, port), TIMEOUT)
    connection = http.client.HTTPConnection(parts.hostname or "", port, timeout=TIMEOUT)
    if parts.scheme == "https":
        # The ACME server does not look at the certificate either: there may be none yet.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        raw = context.wrap_socket(raw, server_hostname=parts.hostname)
    connection.sock = raw
    with contextlib.closing(connection):
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={"User-Agent": "portside-preflight", "Accept": "*/*"})
        reply = connection.getresponse()
        return reply.status, reply.headers.get("Location", ""), reply.read(512).decode("ascii", "replace")


def fetch(domain: str, address: str, token: Token, addresses_of: Callable[[str], Sequence[str]]) -> None:
    """Fetch the token from an address under a name, following redirects as an ACME server does.

    Raises:
        NotServed: it did not come back.
        DnsError: a redirect leads to a name that can't be looked up.
    """
    url, where = f"http://{f'[{domain}]' if ':' in domain else domain}{token.path}", address
    for _ in range(_MOST_REDIRECTS + 1):
        try:
            status, location, body = _get(url, where)
        except ssl.SSLError as error:
            raise NotServed(f"{url} at {where}: no TLS: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            judged = getattr(error, "errno", None) not in _NO_ROUTE
            raise NotServed(f"{url} at {where}: {error or type(error).__name__}", judged=judged) from error
        if status == 200 and body.strip() == token.content:
            return
        if status not in {301, 302, 303, 307, 308}:
            what = "something else than the file in the webroot" if status == 200 else f"status {status}"
            raise NotServed(f"{url} at {where} answers with {what}", kind="unauthorized")
        url = urljoin(url, location)
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or (parts.port or 80) not in {80, 443}:
            raise NotServed(f"it is redirected to {url}, where an ACME server does not follow", kind="unauthorized")
        if parts.hostname != domain:
            where = next(iter(addresses_of(parts.hostname or "")), "")
            if not where:
                raise NotServed(f"it is redirected to {url}, and {parts.hostname} has no address", kind="dns")
    raise NotServed(f"more than {_MOST_REDIRECTS} redirects, the last to {url}", kind="unauthorized")


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"


@dataclass(frozen=True)
class Preflight:
    """Looks at names before an order.

    Attributes:
        webroot: where the web server serves challenges from.
        identities: the CA's domains in CAA records; empty to leave CAA alone.
        resolver: who is asked.
        own: the host's addresses; empty if not known.
        accounts: the URLs of the host's accounts at the ACME server, as they are when names are looked at.
    """

    webroot: Path
    identities: Collection[str]
    resolver: Resolver
    own: Collection[str]
    accounts: Callable[[], Collection[str]] = tuple

    def _caa(self, domain: str, report: Report, method: str) -> None:
        if not self.identities:
            return
        try:
            where, records = self.resolver.caa(domain.removeprefix("*."))
        except DnsError as error:
            text = f"its CAA records can't be read: {error}"
            if error.of_zone:
                # RFC 8659, section 3: a CA that can't find out may not issue.
                report.problems.append(Problem("dns", text, domain))
            else:
                report.warnings.append(f"{domain}: {text}; the ACME server asks a resolver of its own")
            return
        order = caa.Order(self.identities, method, self.accounts(), wildcard=domain.startswith("*."))
        why = caa.refusal(records, order)
        if why:
            said = ", ".join(f"`{record}`" for record in records)
            report.problems.append(Problem("caa", f"the CAA record of {where} is {said}; {why}", domain))

    def _name(self, domain: str, token: Token) -> Report:
        report = Report()
        if names.is_address(domain):
            self._address(domain, domain, token, report)
            return report
        try:
            addresses = self.resolver.addresses_of(domain)
        except DnsError as error:
            report.problems.append(Problem("dns", str(error), domain))
            return report
        if not addresses:
            report.problems.append(Problem("dns", "DNS has neither an A nor an AAAA record for it", domain))
            return report
        for address in addresses:
            self._address(domain, address, token, report)
        self._caa(domain, report, "http-01")
        return report

    def _dns_only(self, domain: str) -> Report:
        """A name that a record in DNS proves: where it leads does not matter."""
        report = Report()
        self._caa(domain, report, "dns-01")
        return report

    def _address(self, domain: str, address: str, token: Token, report: Report) -> None:
        elsewhere = bool(self.own) and address not in self.own
        hint = ", which is no address of this host" if elsewhere else ""
        record = "AAAA" if _family(address) == "IPv6" else "A"
        try:
            fetch(domain, address, token, self.resolver.addresses_of)
        except NotServed as error:
            if error.judged:
                way = f"over {_family(address)} ({record} record {address}{hint})"
                text = f"{way} a file in the webroot is not found: {error}"
                report.problems.append(Problem(error.kind, text, domain))
            else:
                report.warnings.append(
                    f"{domain}: its {record} record {address} can't be tried from this host: {error}"
                )
        except DnsError as error:
            report.problems.append(Problem("dns", str(error), domain))
        else:
            if elsewhere:
                report.warnings.append(
                    f"{domain}: its {record} record {address} is no address of this host; the webroot is reached "
                    "through it all the same (a CDN, NAT or a load balancer)"
                )

    def look(self, domains: Iterable[str], by_dns: Collection[str] = ()) -> Mapping[str, Report]:
        """What was found, by name; all names at once.

        Args:
            domains: the names.
            by_dns: those of them that a record in DNS proves, and no file in the webroot.
        """
        wanted = list(dict.fromkeys(domains))
        if not wanted:
            return {}
        with token_in(self.webroot) as token, ThreadPoolExecutor(min(_AT_ONCE, len(wanted))) as pool:
            found = pool.map(lambda name: self._dns_only(name) if name in by_dns else self._name(name, token), wanted)
            return dict(zip(wanted, found, strict=True))
