"""What is made of certbot's words when something went wrong."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import problem

from tests.unit.certbot import certbot_runs

# (case, kind, domain, words that must be in the detail)
CASES = [
    ("servfail", "connection", "broken.example", "could not resolve URL"),
    ("refused", "connection", "refused.example", "connection refused"),
    ("notfound", "unauthorized", "notfound.example", "returned 404"),
    ("blocked", "rejectedIdentifier", "", "issuance is forbidden by policy"),
    ("underscore", "malformed", "", "illegal character: '_'"),
    ("ratelimit", "rateLimited", "", "retry after 2026-11-23 01:02:03 UTC"),
    ("busy", "rateLimited", "", "Service busy; retry later."),
    ("internal", "serverInternal", "", "Error creating new order"),
    ("html503", "serverInternal", "", "HTTP status 503"),
    ("baddir", problem.NO_DIRECTORY, "", "HTTP status 404"),
    ("nohost", problem.UNREACHABLE, "", "nohost.test:14000: "),
    ("down", problem.UNREACHABLE, "", "Connection refused"),
    ("reset", problem.UNREACHABLE, "", "Read timed out"),
    ("noroute", problem.NO_ROUTE, "", "Network is unreachable"),
    ("accounts", problem.ACCOUNTS, "", "several accounts at the ACME server: 'debian1"),
    ("ini-standalone", problem.OTHER, "", "'standalone' -> 'webroot'"),
    ("ini-dns", problem.OTHER, "", "None of the preferred challenges are supported by the selected plugin"),
    ("ini-unknown", problem.OTHER, "", "unrecognized arguments: --no-such-option=1"),
    ("ini-staging", problem.OTHER, "", "--server value conflicts with --staging"),
    ("untrusted", problem.UNTRUSTED, "", "unable to get local issuer certificate"),
    ("badnonce", "accountDoesNotExist", "", "not found"),
    ("badnonce-register", "badNonce", "", "JWS has an invalid anti-replay nonce"),
    ("bademail", "invalidContact", "", 'contact email "ops@a@b" is invalid'),
    ("locked", problem.LOCKED, "", "holds the lock"),
    ("nowebroot", problem.OTHER, "", "/srv/nothing does not exist or is not a directory"),
    ("leftfull", problem.OTHER, "", "archive directory exists for left"),
    ("wild", problem.OTHER, "", "does not support any combination of challenges"),
]


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
@pytest.mark.parametrize(("case", "kind", "domain", "words"), CASES, ids=[case[0] for case in CASES])
def test_cause(version: str, case: str, kind: str, domain: str, words: str) -> None:
    run = certbot_runs.run(version, case)
    found = problem.parse(run.stdout, run.stderr, run.log)
    expected_domain = domain
    if version == "4.0.0" and case == "blocked":
        # 4.0.0 also logs the subproblem, which names the domain.
        expected_domain, words = "a.blocked-domain.example", "is a forbidden domain"
    assert [(item.kind, item.domain) for item in found] == [(kind, expected_domain)]
    assert words in found[0].detail


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
@pytest.mark.parametrize("case", [case[0] for case in CASES])
def test_message_is_short_and_without_noise(version: str, case: str) -> None:
    run = certbot_runs.run(version, case)
    for found in problem.parse(run.stdout, run.stderr, run.log):
        text = str(found)
        assert "\n" not in text
        assert "Ask for help" not in text
        assert "letsencrypt.log" not in text
        assert "AttributeError" not in text
        assert len(text) < 500
        assert found.next_step


def test_server_without_a_way_to_the_family_is_told_of_it_and_not_made_to_wait() -> None:
    run = certbot_runs.run("4.0.0", "noroute")
    found = problem.parse(run.stdout, run.stderr, run.log)
    assert "IPv6 alone" in found[0].next_step
    assert problem.wait_before(found, 1) is None


def test_several_names_can_fail_at_once() -> None:
    stdout = """
Certbot failed to authenticate some domains (authenticator: webroot). The Certificate Authority reported these problems:
  Domain: a.example
  Type:   dns
  Detail: no valid A records found for a.example; no valid AAAA records found for a.example

  Domain: b.example
  Type:   caa
  Detail: CAA record for b.example prevents issuance

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.
"""
    found = problem.parse(stdout, "Some challenges have failed.\n", "")
    assert [(item.domain, item.kind) for item in found] == [("a.example", "dns"), ("b.example", "caa")]


def test_silence_is_said_to_be_silence() -> None:
    assert problem.parse("", "", "") == [problem.Problem(problem.OTHER, "certbot failed and said nothing")]


@pytest.mark.parametrize(
    ("kinds", "attempt", "again"),
    [
        (["badNonce"], 1, True),
        (["badNonce"], 40, True),
        (["badNonce"], 41, False),
        ([problem.UNREACHABLE], 3, True),
        ([problem.UNREACHABLE], 4, False),
        ([problem.LOCKED], 12, True),
        ([problem.LOCKED], 13, False),
        (["rateLimited"], 1, False),
        (["serverInternal"], 1, False),
        (["connection"], 1, False),
        (["dns", "badNonce"], 1, False),
        ([problem.UNTRUSTED], 1, False),
        ([problem.OTHER], 1, False),
    ],
)
def test_only_what_passes_by_itself_is_tried_again(kinds: list[str], attempt: int, again: bool) -> None:
    found = [problem.Problem(kind, "") for kind in kinds]
    assert (problem.wait_before(found, attempt) is not None) is again


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("invalidContact", ("`certbot_email`", "`portside_acme_email`")),
        ("rateLimited", ("`certbot_directory`", "`portside_acme_directory`")),
        ("tooManyFailures", ("`certbot_directory`", "`portside_acme_directory`")),
        (problem.UNREACHABLE, ("`certbot_directory`", "`portside_acme_directory`")),
        (problem.UNTRUSTED, ("`certbot_ca_file`", "`portside_acme_ca_file`")),
    ],
)
def test_next_step_names_the_variables_of_the_role_and_of_the_playbooks(kind: str, names: tuple[str, str]) -> None:
    assert all(name in problem.Problem(kind, "x").next_step for name in names)


def test_binding_that_the_server_wants_is_named() -> None:
    said = "Server requires external account binding. Please use --eab-kid and --eab-hmac-key.\n"
    (found,) = problem.parse("", said, "")
    assert found.kind == "externalAccountRequired"
    assert "`certbot_eab`" in found.next_step
