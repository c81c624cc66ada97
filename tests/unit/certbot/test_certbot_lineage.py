"""Reading certbot's files and openssl's words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import lineage

from tests.unit.certbot import certbot_runs


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
def test_renewal_configuration(version: str) -> None:
    conf = lineage.parse_conf(certbot_runs.file(version, "plain.conf"))
    assert conf.version == tuple(int(part) for part in version.split("."))
    assert conf.values["fullchain"] == "/etc/letsencrypt/live/plain/fullchain.pem"
    assert conf.params["server"] == "https://acme.test:14000/dir"
    assert conf.params["key_type"] == "rsa"
    assert conf.params["authenticator"] == "webroot"
    assert conf.webroots == {"plain.example": "/var/www/acme"}


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
def test_renewal_configuration_of_another_plugin(version: str) -> None:
    conf = lineage.parse_conf(certbot_runs.file(version, "alone.conf"))
    assert conf.params["authenticator"] == "standalone"
    assert conf.webroots == {}


@pytest.mark.parametrize(
    "text", ["", "\n# renew_before_expiry = 30 days\n", "[renewalparams]\nserver = x\n", "rubbish"]
)
def test_renewal_configuration_that_is_none(text: str) -> None:
    with pytest.raises(lineage.Unreadable):
        lineage.parse_conf(text)


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
def test_edited_configuration_differs_in_what_was_edited_alone(version: str) -> None:
    before = certbot_runs.file(version, "plain.conf")
    after = lineage.edited_conf(
        before,
        values={"renew_before_expiry": "360 hours"},
        params={"webroot_path": "/srv/acme,", "account": "0123", "added": "yes"},
        webroot="/srv/acme",
    )
    conf = lineage.parse_conf(after)
    assert conf.values["renew_before_expiry"] == "360 hours"
    assert conf.params["webroot_path"] == "/srv/acme,"
    assert conf.params["account"] == "0123"
    assert conf.params["added"] == "yes"
    assert conf.webroots == {"plain.example": "/srv/acme"}
    added = [line for line in after.splitlines() if line not in before.splitlines()]
    assert added == [
        "renew_before_expiry = 360 hours",
        "account = 0123",
        "webroot_path = /srv/acme,",
        "added = yes",
        "plain.example = /srv/acme",
    ]
    assert lineage.edited_conf(before, values={}, params={}) == before


@pytest.mark.parametrize("version", certbot_runs.VERSIONS)
def test_certificate(version: str) -> None:
    leaf = lineage.parse_leaf(certbot_runs.file(version, "plain.openssl"))
    assert leaf.names == {"plain.example"}
    assert leaf.issuer.startswith("CN=Pebble Intermediate CA ")
    assert len(leaf.serial) >= 16
    assert (leaf.not_before.tzinfo, leaf.not_before.year, leaf.not_after.year) == (UTC, 2026, 2031)


def test_names_of_a_certificate_are_a_set_in_lower_case() -> None:
    leaf = lineage.parse_leaf(
        "serial=0A\nissuer=CN=x\nnotBefore=2026-11-22 03:57:49Z\nnotAfter=2026-11-28 03:57:48Z\n"
        "X509v3 Subject Alternative Name: critical\n    DNS:B.example, DNS:a.example, IP Address:203.0.113.9, "
        "IP Address:2001:DB8:0:0:0:0:0:1\n"
    )
    assert leaf.names == {"a.example", "b.example", "203.0.113.9", "2001:db8::1"}
    assert leaf.days_left(datetime(2026, 11, 27, tzinfo=UTC)) == 1
    assert leaf.days_left(datetime(2026, 11, 29, tzinfo=UTC)) == -1


@pytest.mark.parametrize("text", ["", "serial=0A\n", "serial=0A\nissuer=x\nnotBefore=soon\nnotAfter=later\n"])
def test_certificate_that_is_none(text: str) -> None:
    with pytest.raises(lineage.Unreadable):
        lineage.parse_leaf(text)


def test_accounts(tmp_path: Path) -> None:
    server = "https://acme.test:14000/dir"
    assert lineage.accounts(tmp_path, server) == ()
    account = tmp_path / "accounts" / "acme.test:14000" / "dir" / "0123"
    account.mkdir(parents=True)
    assert lineage.accounts(tmp_path, server) == ()
    (account / "regr.json").write_text("{}")
    assert lineage.accounts(tmp_path, server) == ("0123",)
    assert lineage.accounts(tmp_path, "https://acme.test:14000/other") == ()


def test_accounts_are_known_by_the_urls_that_the_server_gave_them(tmp_path: Path) -> None:
    server = "https://acme.example/dir"
    for name, text in (("a", '{"body": {}, "uri": "https://acme.example/acct/1"}'), ("b", "{"), ("c", "[]")):
        folder = lineage.account_dir(tmp_path, server) / name
        folder.mkdir(parents=True)
        (folder / "regr.json").write_text(text)
    assert lineage.account_urls(tmp_path, server) == ("https://acme.example/acct/1",)
    assert lineage.account_urls(tmp_path, "https://other.example/dir") == ()
