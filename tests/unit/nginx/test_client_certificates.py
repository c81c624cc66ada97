"""Sites that ask their clients for certificates: what is refused, and where one is asked for."""

from __future__ import annotations

import re
import subprocess

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles
from ansible_collections.portside.vps.plugins.module_utils.nginx import client_certificates, sites

from tests.unit.nginx.rendering import tree

SHOP = {"name": "shop", "domains": ["a.example.com", "b.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}
FILE = "/etc/ssl/certs/clients.pem"
SITE = "sites-enabled/portside-shop.conf"
CHECK = "if ($ssl_client_verify != SUCCESS) {"
HEADERS = ("X-SSL-Client-Verify", "X-SSL-Client-S-DN", "X-SSL-Client-Fingerprint")


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """An authority's certificate and its key."""
    home = tmp_path_factory.mktemp("authority")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=x", "-keyout", str(home / "key"), "-out", str(home / "pem")),
        ],
        check=True,
        capture_output=True,
    )
    return (home / "pem").read_text(), (home / "key").read_text()


def problems(**change):
    return sites.problems([{**SHOP, **change}], {**roles.defaults("nginx"), "nginx_real_ip_from": ["192.0.2.1"]})


def test_an_authority_is_a_file_on_the_server_or_certificates(authority):
    assert problems(client_ca=FILE) == []
    assert problems(client_ca=authority[0]) == []
    assert problems(client_ca=f"Our authority\n{authority[0]}and the next one\n{authority[0]}") == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"client_cert": "optional"}, "`client_cert` needs `client_ca`"),
        ({"webhooks": [{"path": "/h", "client_cert": "optional"}]}, "`webhooks.client_cert` needs `client_ca`"),
        ({"client_ca": FILE, "tls": False}, "`client_ca` needs `tls: true`"),
        ({"client_ca": FILE, "domains": [], "local_port": 8080}, "`client_ca` needs `domains`"),
        ({"client_ca": FILE, "forwarded_proto": True}, "`client_ca` and `forwarded_proto` exclude each other"),
        ({"client_ca": "clients.pem"}, "`client_ca` is neither the certificates of an authority as PEM"),
        ({"client_ca": ""}, "`client_ca` is neither the certificates of an authority as PEM"),
        (
            {"client_ca": "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----"},
            "`client_ca` is neither the certificates of an authority as PEM",
        ),
    ],
)
def test_what_would_ask_nobody_for_a_certificate_is_refused(change, words):
    (problem,) = problems(**change)
    assert words in problem


def test_a_private_key_is_refused_and_not_repeated(authority):
    (problem,) = problems(client_ca="".join(authority))
    assert "`client_ca` holds a private key" in problem
    assert authority[1].splitlines()[1] not in problem


EVERYTHING = {
    "client_ca": FILE,
    "webhooks": [{"path": "/hook"}],
    "redirects": [{"from": "/old", "to": "/new"}],
    "static": [{"path": "/static", "directory": "/srv/static"}],
    "locations": [{"path": "/blog", "upstream": {"servers": ["127.0.0.1:9000"]}}],
}


def locations(text):
    """Head and body of each location that clients can ask for."""
    found = re.findall(r"^    location (\S.*?) \{\n(.*?)^    \}", text, re.MULTILINE | re.DOTALL)
    return [(head, body) for head, body in found if "internal;" not in body and "portside_closing" not in head]


@pytest.mark.parametrize("release", ["Debian_12", "Debian_13", "Ubuntu_26"])
def test_every_location_asks_for_one_before_it_looks_at_anything_else(release):
    _, *tls = re.split(r"^server \{", tree({**SHOP, **EVERYTHING}, release=release)[SITE], flags=re.MULTILINE)[1:]
    assert len(tls) == 2
    for server in tls:
        assert "ssl_verify_client optional;" in server
        assert f"ssl_client_certificate {FILE};" in server
        assert len(locations(server)) >= 3
        for head, body in locations(server):
            first = body.replace("        include snippets/portside-close.conf;\n", "")
            assert first.lstrip().startswith(CHECK), head


def test_an_item_may_say_otherwise_than_its_site():
    for default, other, asked in (("required", "optional", 0), ("optional", "required", 1)):
        for key in ("webhooks", "static", "locations"):
            change = {**EVERYTHING, "client_cert": default, key: [{**EVERYTHING[key][0], "client_cert": other}]}
            text = tree({**SHOP, **change})[SITE]
            path = EVERYTHING[key][0]["path"]
            bodies = [body for head, body in locations(text) if path in head]
            assert bodies
            assert {body.count(CHECK) for body in bodies} == {asked}


def test_browsers_are_not_led_to_quic_where_they_show_no_certificate():
    text = tree({**SHOP, **EVERYTHING}, nginx_http3=True)[SITE]
    assert "quic" not in text
    assert "Alt-Svc" not in text


def test_certificates_become_a_file_of_the_roles_own_without_the_text_around(authority):
    files = tree({**SHOP, "client_ca": f"set $x y; }}\n{authority[0]}"})
    lines = files["/etc/nginx/snippets/portside-shop.pem"].splitlines()
    assert lines[0].startswith("# Managed by Portside")
    assert lines[1:] == authority[0].splitlines()
    assert "ssl_client_certificate /etc/nginx/snippets/portside-shop.pem;" in files[SITE]


@pytest.mark.parametrize("snippet", ["proxy", "grpc", "local"])
def test_what_a_client_says_of_its_certificate_is_replaced(snippet):
    for underscores in (False, True):
        kind = "grpc" if snippet == "grpc" else "proxy"
        text = tree({**SHOP, "underscores": underscores})[f"snippets/portside-{snippet}.conf"]
        found = re.findall(rf"^{kind}_set_header (X-SSL-Client-\S+) (\S+);", text, re.MULTILINE)
        assert {name: value for name, value in found if name in HEADERS} == {
            "X-SSL-Client-Verify": "$portside_client_verify",
            "X-SSL-Client-S-DN": "$portside_client_dn",
            "X-SSL-Client-Fingerprint": "$portside_client_fingerprint",
        }


def test_a_site_without_an_authority_says_nothing_of_certificates():
    files = tree(SHOP)
    assert not re.search("ssl_client|verify_client|portside_client_", files[SITE])
    assert 'map "" $portside_client_dn {\n    default "";\n}' in files["conf.d/portside.conf"]


@pytest.mark.parametrize(
    ("site", "hook", "expected"),
    [
        ({}, {}, {}),
        ({"client_ca": FILE}, {}, {"/h": "site"}),
        ({"client_ca": FILE}, {"client_cert": "optional"}, {}),
        ({"client_ca": FILE, "client_cert": "optional"}, {}, {}),
        ({"client_ca": FILE, "client_cert": "optional"}, {"client_cert": "required"}, {"/h": "webhook"}),
    ],
)
def test_webhooks_that_need_a_certificate_are_known(site, hook, expected):
    assert client_certificates.webhooks({"site": site, "webhooks": [{"path": "/h", **hook}]}) == expected
