"""What CAA records allow (RFC 8659), also where they name a method and an account (RFC 8657)."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import caa

OURS = "https://acme.example/acct/7"
BY_HTTP = caa.Order(["letsencrypt.org"], "http-01", [OURS])
BY_DNS = caa.Order(["letsencrypt.org"], "dns-01", [OURS])


@pytest.mark.parametrize(
    ("records", "allowed"),
    [
        ([], True),
        (["issue letsencrypt.org"], True),
        (["issue LetsEncrypt.org; validationmethods=http-01"], True),
        (["issue other-ca.example", "issue letsencrypt.org"], True),
        (["issue other-ca.example"], False),
        (["issue ;"], False),
        (["issuewild other-ca.example"], True),
        (["iodef mailto:x@example.com"], True),
        (["issue letsencrypt.org; cansignhttpexchanges=yes"], True),
        (["issue letsencrypt.org; validationmethods=dns-01"], False),
        (["issue letsencrypt.org; validationmethods="], False),
        (["issue letsencrypt.org;validationmethods=dns-01,http-01"], True),
        (["issue letsencrypt.org; ValidationMethods=DNS-01 , HTTP-01"], True),
        (["issue letsencrypt.org; validationmethods=dns-01", "issue letsencrypt.org"], True),
        (["issue letsencrypt.org; validationmethods=dns-01", "issue other-ca.example"], False),
        ([f"issue letsencrypt.org; accounturi={OURS}"], True),
        ([f"issue letsencrypt.org; accounturi={OURS}; validationmethods=http-01"], True),
        ([f"issue letsencrypt.org; accounturi={OURS}; validationmethods=tls-alpn-01"], False),
        (["issue letsencrypt.org; accounturi=https://acme.example/acct/8"], False),
        ([f"issue letsencrypt.org; accounturi={OURS}; accounturi=https://acme.example/acct/8"], False),
    ],
)
def test_order_is_sent_only_where_a_caa_record_allows_it(records: list[str], allowed: bool) -> None:
    assert (caa.refusal(records, BY_HTTP) == "") is allowed


def test_name_that_is_proved_by_dns_is_held_against_dns() -> None:
    records = ["issue letsencrypt.org; validationmethods=dns-01"]
    assert caa.refusal(records, BY_DNS) == ""
    assert caa.refusal(records, BY_HTTP) == (
        "its `validationmethods` lack http-01, by which the names of this certificate are proved: write "
        "`validationmethods=dns-01,http-01` there, or have the names proved by DNS (`dns`)"
    )


def test_account_that_caa_names_is_said_beside_our_own() -> None:
    records = ["issue letsencrypt.org; accounturi=https://acme.example/acct/8"]
    text = caa.refusal(records, BY_HTTP)
    assert "https://acme.example/acct/8 alone" in text
    assert f"this host's is {OURS}: write that there" in text
    assert "this host has none yet" in caa.refusal(records, caa.Order(["letsencrypt.org"]))


@pytest.mark.parametrize(
    ("records", "allowed"),
    [
        (["issue letsencrypt.org", "issuewild ;"], False),
        (["issue letsencrypt.org"], True),
        (["issue ;", "issuewild letsencrypt.org"], True),
        (["issue letsencrypt.org", "issuewild letsencrypt.org; validationmethods=http-01"], False),
    ],
)
def test_wildcard_is_held_against_its_own_records(records: list[str], allowed: bool) -> None:
    order = caa.Order(["letsencrypt.org"], "dns-01", wildcard=True)
    assert (caa.refusal(records, order) == "") is allowed
