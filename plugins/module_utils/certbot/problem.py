"""What certbot says when something goes wrong, in few words: whose problem it is, and what to do next.

certbot prints between 3 and 40 lines. Behind most of them is one ACME problem document (RFC 8555, section 6.7). Where
certbot itself trips over it (2.1.0 prints `AttributeError: can't set attribute`, certbot/certbot#9539), its log still
has it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

# Kinds that are no ACME error types (RFC 8555, section 6.7).
UNREACHABLE = "unreachable"
NO_ROUTE = "noRoute"
ACCOUNTS = "accounts"
CONFIG = "cli.ini"
UNTRUSTED = "untrusted"
LOCKED = "locked"
NO_PROFILE = "profile"
NO_DIRECTORY = "noDirectory"
NOT_AS_ORDERED = "notAsOrdered"
OTHER = "other"

# Lines that say nothing about the cause.
_NOISE = re.compile(
    r"Saving debug log to |Ask for help or search for solutions|An unexpected error occurred:"
    r"|Some challenges have failed|Hook .* ran with output:|^\s*$"
)
_CHALLENGE = re.compile(
    r"^\s*(?:Domain|Identifier): (?P<domain>\S+)\n\s*Type:\s+(?P<kind>\S+)\n\s*Detail: (?P<detail>.+)$", re.M
)
_LOGGED = re.compile(
    r"^acme\.messages\.Error: urn:ietf:params:acme:error:(?P<kind>\w+) :: (?P<rest>.+)$(?P<more>(?:\nProblem for .+)*)",
    re.M,
)
_LOGGED_PART = re.compile(
    r"^Problem for (?P<domain>[^:\s]+): urn:ietf:params:acme:error:(?P<kind>\w+) :: (?P<rest>.+)$", re.M
)

# The role may be used alone or through the playbooks, which have names of their own for this.
_DIRECTORY = "`certbot_directory` (site.yml: `portside_acme_directory`)"
_STAGING = "to try things out, set `certbot_directory` (site.yml: `portside_acme_directory`) to `staging`"
_EMAIL = "correct `certbot_email` (site.yml: `portside_acme_email`)"
_NEXT = {
    "accountDoesNotExist": "the ACME server does not know this host's account (any more)",
    "badNonce": "the ACME server rejects fresh nonces; run the playbook again",
    "caa": (
        "the name's CAA record (or its parent's) must allow this CA, and where it has `validationmethods` or "
        "`accounturi`, the way in which names are proved (http-01, or dns-01 by DNS) and this host's account"
    ),
    "connection": (
        "the name must lead to this host and port 80 must be open to the internet: look at its A and AAAA records "
        "and at every firewall on the way"
    ),
    "dns": "give the name an A record (and an AAAA record, if the host has IPv6) that leads to this host",
    "externalAccountRequired": "set `certbot_eab` to the key id and HMAC key from the CA (external account binding)",
    "invalidContact": _EMAIL,
    "invalidEmail": _EMAIL,
    "invalidProfile": "name a profile that the ACME server has in `profile`, or leave it out for the server's default",
    "malformed": "look at the names; if they are right, this ACME server and certbot don't understand each other",
    "rateLimited": f"do not try again before the time it names; {_STAGING}",
    "rejectedIdentifier": "the CA refuses this name by its policy: take it out of `domains`, or use another CA",
    "serverInternal": "the fault is the CA's; run the playbook again later",
    "tooManyFailures": f"put right what made them fail; {_STAGING}",
    "unauthorized": (
        "another server answers under this name, or this host's web server does not serve the webroot: look at the "
        "name's A and AAAA records and at http://<name>/.well-known/acme-challenge/"
    ),
    "unsupportedContact": _EMAIL,
    "unsupportedIdentifier": "this CA gives no certificates for such a name",
    LOCKED: "another certbot runs; see `systemctl status certbot.service`, and run the playbook again when it is done",
    NO_PROFILE: "name one that the ACME server has in `profile`, or leave it out for the server's default",
    NO_DIRECTORY: f"the URL in {_DIRECTORY} must be the ACME server's directory",
    UNREACHABLE: f"the host must reach the ACME server: look at {_DIRECTORY}, the resolver, any proxy",
    NO_ROUTE: (
        "the host has no way to addresses of that family (`ip -4 route`, `ip -6 route`): a server with IPv6 alone "
        "reaches what has IPv4 alone through an outbound proxy (site.yml: `portside_egress`) or its provider's NAT64"
    ),
    ACCOUNTS: (
        "keep the one that your certificates are of (`grep ^account /etc/letsencrypt/renewal/*.conf`), and move the "
        "folder of each other one out of /etc/letsencrypt/accounts"
    ),
    CONFIG: "take out of that file what says how certificates are obtained; the timer's renewals need that, too",
    UNTRUSTED: (
        "give the CA that signed the ACME server's own https certificate in `certbot_ca_file` "
        "(site.yml: `portside_acme_ca_file`)"
    ),
    NOT_AS_ORDERED: "look at `certbot certificates` on the host",
    OTHER: "see /var/log/letsencrypt/letsencrypt.log on the host",
}

# What certbot says before it talks to anybody, the kind of it, and its words in ours, with the groups in braces.
_OWN_WORDS = (
    (r"Another instance of Certbot is already running", LOCKED, "another certbot holds the lock"),
    (
        r"(?i)external account binding",
        "externalAccountRequired",
        "the ACME server wants accounts bound to a customer's",
    ),
    (
        r"Please choose an account\s+Choices: \[(.*)\]",
        ACCOUNTS,
        "this host has several accounts at the ACME server: {0}",
    ),
    (r"^certbot: error: (.+)$", OTHER, "{0}"),
)

# Seconds to wait before each further attempt. certbot itself tries a rejected nonce once more, within one request; a
# new attempt starts with authorizations that are valid already, so it has fewer requests to get through.
_WAITS: dict[str, Sequence[float]] = {
    "badNonce": (0.5,) * 40,
    UNREACHABLE: (2.0, 5.0, 10.0),
    LOCKED: (5.0,) * 12,
}


@dataclass(frozen=True)
class Problem:
    """One thing that went wrong.

    Attributes:
        kind: the ACME error type without its URN prefix, or one of the kinds above.
        detail: the CA's or certbot's own words.
        domain: the name it is about; empty if about the whole request.
    """

    kind: str
    detail: str
    domain: str = ""

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return _NEXT.get(self.kind, _NEXT[OTHER])

    @property
    def of_server(self) -> bool:
        """Whether it would meet every other certificate of the same ACME server too."""
        return self.kind in {UNREACHABLE, NO_ROUTE, UNTRUSTED, NO_DIRECTORY, ACCOUNTS}

    def __str__(self) -> str:
        about = f"{self.domain}: " if self.domain else ""
        kind = "" if self.kind == OTHER else f" ({self.kind})"
        return f"{about}{self.detail}{kind}"


def _detail(rest: str) -> str:
    """`<what the type means> :: <detail> [:: <title>]` without the first part."""
    parts = rest.split(" :: ")
    return " :: ".join(parts[1:]) if len(parts) > 1 else rest


def _logged(log: str) -> list[Problem]:
    """The last ACME problem that certbot's log tells of."""
    documents = list(_LOGGED.finditer(log))
    if not documents:
        return []
    last = documents[-1]
    parts = [
        Problem(part["kind"], _detail(part["rest"]), part["domain"]) for part in _LOGGED_PART.finditer(last["more"])
    ]
    return parts or [Problem(last["kind"], _detail(last["rest"]))]


def _connection(text: str) -> Problem | None:
    """Trouble on the way to the ACME server, as requests and the acme library word it."""
    untrusted = re.search(
        r"CERTIFICATE_VERIFY_FAILED\] (?:certificate verify failed: )?(?P<why>.+?)(?: \(_ssl\.c:\d+\))?[)'\"]*$",
        text,
        re.M,
    )
    if untrusted:
        return Problem(UNTRUSTED, f"the ACME server's https certificate is not trusted: {untrusted['why']}")
    ssl = re.search(r"requests\.exceptions\.SSLError: (?P<why>.+)", text)
    if ssl:
        return Problem(UNTRUSTED, ssl["why"])
    status = re.search(r"acme\.errors\.ClientError: <Response \[(?P<status>\d+)\]>", text)
    if status:
        kind = "serverInternal" if status["status"].startswith("5") else NO_DIRECTORY
        return Problem(kind, f"the ACME server answered with HTTP status {status['status']} and no ACME document")
    refused = re.search(r"ValueError: Requesting (?P<why>.+)", text)
    if refused:
        return Problem(_way(refused["why"]), f"requesting {refused['why']}")
    error = re.search(
        r"requests\.exceptions\.(?:ConnectionError|(?:Read|Connect)?Timeout|Chunked\w*|ProxyError): (?P<why>.+)",
        text,
    )
    if not error:
        return None
    resolved = re.search(
        r"\[Errno -?\d+\] (?:Temporary failure in name resolution|Name or service not known|No address .+?)(?=['\")])",
        error["why"],
    )
    host = re.search(r"host='([^']+)', port=(\d+)", error["why"])
    where = f"{host[1]}:{host[2]}: " if host else ""
    return Problem(_way(error["why"]), where + (resolved[0] if resolved else error["why"]))


def _way(why: str) -> str:
    """Whether there is no way at all (ENETUNREACH), which waiting doesn't change."""
    return NO_ROUTE if "Network is unreachable" in why else UNREACHABLE


def _own_words(stderr: str) -> Problem | None:
    """What certbot says before it talks to anybody."""
    for pattern, kind, text in _OWN_WORDS:
        found = re.search(pattern, stderr, re.M)
        if found:
            return Problem(kind, text.format(*found.groups()))
    return None


def parse(stdout: str, stderr: str, log: str) -> list[Problem]:
    """What went wrong in a run of certbot that failed.

    Args:
        stdout: its standard output.
        stderr: its standard error.
        log: what this run added to letsencrypt.log; may be empty.

    Returns:
        At least one problem.
    """
    challenges = [
        Problem(found["kind"], found["detail"].strip(), found["domain"]) for found in _CHALLENGE.finditer(stdout)
    ]
    if challenges:
        return challenges
    own = _own_words(stderr)
    if own:
        return [own]
    connection = _connection(stderr)
    if connection:
        return [connection]
    logged = _logged(log)
    if logged:
        return logged
    lines = list(dict.fromkeys(line.strip() for line in stderr.splitlines() if not _NOISE.search(line)))
    return [Problem(OTHER, " ".join(lines) or "certbot failed and said nothing")]


def wait_before(problems: Sequence[Problem], attempt: int) -> float | None:
    """Seconds to wait before certbot is tried again; None when another try is of no use, or would do harm.

    Tried again is what passes by itself: a rejected nonce, no connection to the ACME server, another certbot at work. A
    failed validation or a rate limit never is: each further try counts against the limit.

    Args:
        problems: what the last attempt said.
        attempt: how many attempts have failed, from 1.
    """
    waits = {_WAITS.get(problem.kind) for problem in problems}
    if len(waits) != 1 or None in waits:
        return None
    schedule = waits.pop() or ()
    return schedule[attempt - 1] if attempt <= len(schedule) else None
