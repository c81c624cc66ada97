"""What the role renders, through Ansible's real templar."""

from __future__ import annotations

import re

import pytest

from tests.unit.nginx.rendering import tree

SITE = "sites-enabled/portside-shop-api.conf"
SHOP = {
    "name": "shop-api",
    "domains": ["api.example.com", "www.example.com"],
    "upstream": {"file": "/etc/nginx/upstreams/shop-api.conf"},
}


def site(release="Debian_13", **change):
    return tree({**SHOP, **change}, release=release)[SITE]


def blocks(text):
    """The server blocks, by their first `listen` and names."""
    found = {}
    for block in re.findall(r"^server \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
        listen = re.search(r"listen (\S+?)[ ;]", block)[1]
        names = re.search(r"server_name (.*?);", block)[1]
        found[listen, names] = block
    return found


def location(block, head):
    return re.search(rf"^ +location {re.escape(head)} \{{\n(.*?)^    \}}", block, re.MULTILINE | re.DOTALL)[1]


ALL_RELEASES = ["Debian_12", "Debian_13", "Ubuntu_24", "Ubuntu_26"]


@pytest.mark.parametrize("release", ALL_RELEASES)
def test_every_file_says_whose_it_is_and_its_braces_match(release):
    for path, content in tree(
        {**SHOP, "webhooks": [{"path": "/hook"}], "local_port": 8000},
        {**SHOP, "name": "plain", "domains": ["a.example.org"], "tls": False},
        release=release,
    ).items():
        assert content.startswith("# Managed by Portside"), path
        assert content.count("{") == content.count("}"), path
        assert content.endswith("\n"), path
        assert not re.search(r"[ \t]$", content, re.MULTILINE), path


@pytest.mark.parametrize(
    ("release", "directive", "listen"),
    [("Debian_12", False, "443 ssl http2"), ("Debian_13", True, "443 ssl"), ("Ubuntu_24", False, "443 ssl http2")],
)
def test_http2_by_release(release, directive, listen):
    for text in (site(release), tree(release=release)["conf.d/portside.conf"]):
        assert ("http2 on;" in text) is directive
        assert re.search(rf"listen {listen}( default_server)?;", text)
        assert re.search(rf"listen \[::\]:{listen}( default_server)?;", text)


@pytest.mark.parametrize(
    ("release", "curves", "tickets_off"),
    [
        ("Debian_12", "X25519:prime256v1:secp384r1", True),
        ("Debian_13", "X25519MLKEM768:X25519:prime256v1:secp384r1", False),
        ("Ubuntu_24", "X25519:prime256v1:secp384r1", False),
        ("Ubuntu_26", "X25519MLKEM768:X25519:prime256v1:secp384r1", False),
    ],
)
def test_tls_by_release(release, curves, tickets_off):
    text = tree(release=release)["snippets/portside-tls.conf"]
    assert f"ssl_ecdh_curve {curves};" in text
    assert ("ssl_session_tickets off;" in text) is tickets_off
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    assert "DHE-RSA" not in text.replace("ECDHE-RSA", "")
    assert "stapling" not in text.replace("No stapling", "")


def test_the_default_servers_refuse_on_both_families():
    text = tree()["conf.d/portside.conf"]
    for address in ("80", "[::]:80", "443 ssl", "[::]:443 ssl"):
        assert f"listen {address} default_server;" in text
    assert text.count("return 444;") == 2
    assert "ssl_reject_handshake on;" in text


def test_http_redirects_in_one_hop_and_serves_challenges():
    block = blocks(site())["80", "api.example.com www.example.com"]
    assert "include snippets/portside-acme.conf;" in block
    assert "return 308 https://api.example.com$request_uri;" in location(block, "/")


def test_other_names_are_redirected_or_served_alike():
    redirected = blocks(site())
    assert "return 308 https://api.example.com$request_uri;" in redirected["443", "www.example.com"]
    assert "return" not in location(redirected["443", "api.example.com"], "/")
    alike = blocks(site(redirect_to_canonical=False))
    assert set(alike) == {("80", "api.example.com www.example.com"), ("443", "api.example.com www.example.com")}
    assert "return 308 https://$host$request_uri;" in alike["80", "api.example.com www.example.com"]


def test_webhooks_are_passed_on_under_every_name_with_and_without_slash():
    found = blocks(site(webhooks=[{"path": "/webhooks/stripe/"}]))
    for key in (("443", "api.example.com"), ("443", "www.example.com")):
        for head in ('= "/webhooks/stripe"', '^~ "/webhooks/stripe/"'):
            assert "proxy_pass http://portside_shop-api;" in location(found[key], head)
    # A prefix that ends with a slash would be redirected to without the exact one beside it.
    for block in found.values():
        assert block.count('^~ "/webhooks') == block.count('= "/webhooks')


def test_every_place_with_a_header_of_its_own_says_hsts_again():
    for (listen, _), block in blocks(site(webhooks=[{"path": "/hook"}])).items():
        if listen == "443":
            places = re.findall(r"location [^{]+\{[^}]*add_header[^}]*\}", block)
            assert places
            assert all("Strict-Transport-Security" in place for place in places)
        else:
            assert "Strict-Transport-Security" not in block


def test_a_dead_app_is_503_with_retry_after():
    for key, block in blocks(site(local_port=8000)).items():
        if key == ("443", "api.example.com") or key[0].startswith("127"):
            assert "error_page 502 504 =503 @portside_unavailable;" in block
            assert "add_header Retry-After 10 always;" in location(block, "@portside_unavailable")


def test_upstream_from_a_file_or_from_a_list():
    assert "include /etc/nginx/upstreams/shop-api.conf;" in site()
    text = site(upstream={"servers": ["127.0.0.1:8000", "[::1]:8001"]})
    assert "server 127.0.0.1:8000 max_fails=0;" in text
    assert "server [::1]:8001 max_fails=0;" in text
    assert "keepalive 32;" in text


def test_what_a_client_claims_does_not_reach_the_app():
    text = tree()["snippets/portside-proxy.conf"]
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "proxy_set_header X-Forwarded-Proto $scheme;" in text
    assert "proxy_add_x_forwarded_for" not in text
    for name in ("Proxy", "Forwarded", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-Forwarded-Prefix"):
        assert f'proxy_set_header {name} "";' in text


def test_the_local_port_listens_on_loopback_alone():
    block = blocks(site(local_port=8000))["127.0.0.1:8000", "_"]
    assert "listen 127.0.0.1:8000;" in block
    assert block.count("listen ") == 1
    assert "include snippets/portside-local.conf;" in location(block, "/")
    assert list(blocks(site(domains=[], local_port=8000))) == [("127.0.0.1:8000", "_")]


def test_a_site_without_tls_is_served_on_80_with_challenges():
    found = blocks(site(tls=False))
    assert set(found) == {("80", "api.example.com"), ("80", "www.example.com")}
    for block in found.values():
        assert "include snippets/portside-acme.conf;" in block
    assert "return 308 http://api.example.com$request_uri;" in found["80", "www.example.com"]


def test_certificate_and_body_size():
    text = site(certificate="wild", max_body_size="0")
    assert "ssl_certificate /etc/nginx/tls/wild/fullchain.pem;" in text
    assert "ssl_certificate_key /etc/nginx/tls/wild/privkey.pem;" in text
    assert "client_max_body_size 0;" in text


@pytest.mark.parametrize(("release", "expected"), [("Debian_13", False), ("Ubuntu_26", True)])
def test_keepalive_min_timeout_where_nginx_has_it(release, expected):
    assert ("keepalive_min_timeout" in site(release)) is expected


@pytest.mark.parametrize(("name", "expected"), [("api.example.com", False), (f"{'a' * 40}.example.com", True)])
def test_long_names_get_larger_hash_buckets(name, expected):
    text = tree({**SHOP, "domains": [name]})["conf.d/portside.conf"]
    assert ("server_names_hash_bucket_size" in text) is expected


def test_many_names_get_a_larger_hash():
    sites = [{**SHOP, "name": f"s{n}", "domains": [f"s{n}.example.com"]} for n in range(300)]
    assert "server_names_hash_max_size 1200;" in tree(*sites)["conf.d/portside.conf"]


def test_a_21st_site_is_one_more_file():
    sites = [{**SHOP, "name": f"s{n}", "domains": [f"s{n}.example.com"]} for n in range(21)]
    twenty, more = tree(*sites[:20]), tree(*sites)
    assert set(more) - set(twenty) == {"sites-enabled/portside-s20.conf"}
    assert {path for path in twenty if twenty[path] != more[path]} == set()


def test_curly_braces_in_a_value_are_not_templated_again():
    text = site(domains=["api.example.com"], webhooks=[{"path": "/a$b"}])
    assert 'location = "/a$b" {' in text


def test_no_reuseport_and_no_stapling_anywhere():
    for content in tree({**SHOP, "local_port": 8000}).values():
        assert "reuseport" not in content
        assert "ssl_stapling" not in content
