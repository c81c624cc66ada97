"""What may be declared."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import declaration, wanted

GOOD: dict[str, Any] = {
    "directory": "production",
    "email": "ops@example.com",
    "webroot": "/var/www/acme",
    "link_dir": "/etc/nginx/tls",
}


def problems(certificates: list[dict[str, Any]], **other: str) -> list[str]:
    return declaration.problems(certificates, **{**GOOD, **other})


def test_one_address_in_two_forms_is_listed_twice() -> None:
    (found,) = problems([{"name": "shop", "domains": ["2001:db8::1", "2001:DB8::0:1"]}], profile="shortlived")
    assert "domain `2001:db8::1` is listed 2 times" in found


@pytest.mark.parametrize(
    "domain",
    [
        "example.com",
        "a.b.c.example.com",
        "xn--bcher-kva.example",
        "9lives.example",
        "EXAMPLE.com",
        f"{'a' * 63}.example",
    ],
)
def test_domains_that_can_be_had(domain: str) -> None:
    assert problems([{"name": "shop", "domains": [domain]}]) == []


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("", "is empty"),
        ("*.example.com", "is a wildcard, which an ACME server gives out for a DNS challenge alone"),
        ("https://example.com/", "is a URL"),
        ("example.com/shop", "is a URL or a path"),
        ("example.com:443", "has a port"),
        ("bücher.example", "punycode"),
        ("localhost", "is not a full domain name"),
        ("example.42", "is not a full domain name"),
        ("example.com.", "ends in a dot"),
        ("a_b.example", "has a label that is none"),
        ("-a.example", "has a label that is none"),
        ("a..example", "has a label that is none"),
        (f"{'a' * 64}.example", "has a label that is none"),
        (".".join(["a" * 49] * 6), "is longer than 253"),
        ("exa mple.com", "has a label that is none"),
    ],
)
def test_domains_that_can_not(domain: str, words: str) -> None:
    (found,) = problems([{"name": "shop", "domains": [domain]}])
    assert found.startswith(f"certificate shop: domain `{domain}` ")
    assert words in found


@pytest.mark.parametrize(
    ("certificates", "words"),
    [
        ([{"name": "", "domains": ["a.example"]}], "certificate number 1: `name` is the lineage's name"),
        ([{"name": "a/b", "domains": ["a.example"]}], "certificate a/b: `name` is the lineage's name"),
        ([{"name": "../x", "domains": ["a.example"]}], "`name` is the lineage's name"),
        ([{"name": "README", "domains": ["a.example"]}], "`name` is the lineage's name"),
        ([{"name": "a", "domains": []}], "certificate a: `domains` is empty"),
        ([{"name": "a"}], "certificate a: `domains` is empty"),
        ([{"name": "a", "domains": ["a.example", "A.example"]}], "domain `a.example` is listed 2 times"),
        (
            [{"name": "a", "domains": [f"{n}.example" for n in range(101)]}],
            "101 names; a certificate holds 100 at most",
        ),
        (
            [{"name": "a", "domains": ["a.example"]}, {"name": "a", "state": "absent"}],
            "certificate a is declared 2 times",
        ),
    ],
)
def test_certificates_that_can_not(certificates: list[dict[str, Any]], words: str) -> None:
    (found,) = problems(certificates)
    assert words in found


def test_one_name_may_be_in_two_certificates() -> None:
    assert problems([{"name": "a", "domains": ["a.example"]}, {"name": "b", "domains": ["a.example"]}]) == []


def test_absent_needs_no_domains() -> None:
    assert problems([{"name": "a", "state": "absent"}]) == []


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"email": "ops"}, "`email` is `ops`"),
        ({"email": "ops@localhost"}, "`email` is"),
        ({"email": "a@example.com,b@example.com"}, "`email` is"),
        ({"email": "Ops <ops@example.com>"}, "`email` is"),
        ({"email": "ops@@example.com"}, "`email` is"),
        ({"directory": "http://acme.example/dir"}, "`directory` is `http://acme.example/dir`; write `production` or"),
        ({"directory": "prod"}, "`directory` is `prod`"),
        ({"directory": "https:///dir"}, "`directory` is"),
        ({"webroot": "www"}, "`webroot` is `www`"),
        ({"link_dir": "tls"}, "`link_dir` is `tls`"),
    ],
)
def test_settings_that_can_not(other: dict[str, str], words: str) -> None:
    (found,) = problems([], **other)
    assert words in found


@pytest.mark.parametrize(
    "other",
    [
        {"email": ""},
        {"email": "o.p+s@mail.example.com"},
        {"directory": "staging"},
        {"directory": "https://acme.test:14000/dir"},
        {"link_dir": ""},
    ],
)
def test_settings_that_can(other: dict[str, str]) -> None:
    assert problems([], **other) == []


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(wanted.InputError) as error:
        wanted.parse([{"name": "a b", "domains": ["*.x.example"]}], **{**GOOD, "email": "x", "directory": "y"})
    assert len(str(error.value).splitlines()) == 4


def test_parse() -> None:
    parsed = wanted.parse(
        [{"name": "a", "domains": ["B.example", "a.example"]}, {"name": "old", "state": "absent"}],
        **{**GOOD, "directory": "staging", "webroot": "/var/www/acme/", "link_dir": "/etc/nginx/tls/"},
    )
    assert parsed.server == "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert (parsed.webroot, parsed.link_dir) == ("/var/www/acme", "/etc/nginx/tls")
    assert parsed.present == (wanted.Certificate("a", ("b.example", "a.example")),)
    assert [certificate.name for certificate in parsed.certificates] == ["a", "old"]
