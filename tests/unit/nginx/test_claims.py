"""What a request claims, and whose word about it is passed on."""

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import headers, values

from tests.unit.nginx.rendering import tree

PROXY = "snippets/portside-proxy.conf"
HTTP = "conf.d/portside.conf"
SHOP = {"name": "shop", "domains": ["shop.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}
SITE = "sites-enabled/portside-shop.conf"
FRONT = {"nginx_real_ip_from": ["192.0.2.0/24"]}


@pytest.mark.parametrize("path", [PROXY, "snippets/portside-local.conf"])
@pytest.mark.parametrize(
    "name",
    [
        *("True-Client-IP", "X-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Cluster-Client-IP"),
        *("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-User", "X-Remote-User", "X-Original-Proto"),
    ],
)
def test_headers_that_libraries_believe_are_emptied(path, name):
    assert f'proxy_set_header {name} "";' in tree()[path]


def test_no_header_is_set_twice():
    trusted = ["x-remote-user", "X-Own"]
    text = tree(**FRONT, nginx_real_ip_header="CF-Connecting-IP", nginx_trusted_headers=trusted)[PROXY]
    names = [name.lower() for name in re.findall(r"^proxy_set_header (\S+)", text, re.MULTILINE)]
    assert sorted(set(names)) == sorted(names)


def test_the_header_that_names_the_visitor_comes_from_the_front_alone():
    files = tree(**FRONT, nginx_real_ip_header="CF-Connecting-IP")
    assert "proxy_set_header cf-connecting-ip $portside_passed_cf_connecting_ip;" in files[PROXY]
    assert 'proxy_set_header CF-Connecting-IP "";' not in files[PROXY]
    assert 'proxy_set_header True-Client-IP "";' in files[PROXY]
    assert "geo $realip_remote_addr $portside_fronted {\n    default 0;\n    192.0.2.0/24 1;\n}" in files[HTTP]
    # Nobody is in front: nobody is believed.
    assert 'proxy_set_header CF-Connecting-IP "";' in tree(nginx_real_ip_header="CF-Connecting-IP")[PROXY]


def test_more_headers_of_the_front_are_passed_on_where_that_is_declared():
    files = tree(**FRONT, nginx_trusted_headers=["X-Forwarded-User"])
    assert "proxy_set_header x-forwarded-user $portside_passed_x_forwarded_user;" in files[PROXY]
    assert "    1 $http_x_forwarded_user;\n" in files[HTTP]


@pytest.mark.parametrize(
    ("addresses", "local"),
    [
        (["127.0.0.1"], True),
        (["203.0.113.0/24", "::1"], True),
        (["127.0.0.0/8", "2001:db8::/32"], True),
        (["203.0.113.0/24"], False),
        # Everybody, the server itself among them.
        (["0.0.0.0/0", "127.0.0.1"], False),
        ([], False),
    ],
)
def test_a_list_that_names_the_server_itself_is_seen(addresses, local):
    assert values.names_loopback(addresses) is local


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"allow": ["127.0.0.1"]}, 1),
        ({"webhooks": [{"path": "/hook", "allow": ["127.0.0.1"]}]}, 2),
        ({"maintenance": {"enabled": True, "allow": ["::1"]}}, 1),
        ({"allow": ["203.0.113.7"], "maintenance": {"enabled": True, "allow": ["203.0.113.7"]}}, 0),
    ],
)
def test_where_the_server_itself_is_let_in_a_tunnels_visitors_are_not(change, places):
    assert tree({**SHOP, **change})[SITE].count("if ($portside_tunnelled) {") == places


def test_a_declared_header_takes_the_place_of_a_security_header():
    def sent(**change):
        site = {"id": "shop", "headers": {}, "extra_config": "", **change}
        options = {"nosniff": True, "frame": "deny", "referrer": "none", **change.pop("security_headers", {})}
        return [header["name"] for header in headers.safe({**site, "security_headers": options})]

    assert sent() == ["X-Content-Type-Options", "X-Frame-Options"]
    assert sent(headers={"x-frame-options": "SAMEORIGIN"}) == ["X-Content-Type-Options"]
    assert sent(extra_config="add_header X-Frame-Options DENY always;") == ["X-Content-Type-Options"]
    in_a_block = "location /x { add_header X-Frame-Options DENY; }"
    assert sent(extra_config=in_a_block) == ["X-Content-Type-Options", "X-Frame-Options"]


@pytest.mark.parametrize(("protocol", "kinds"), [("http", {"proxy"}), ("grpc", {"proxy", "grpc"})])
def test_an_app_speaks_neither_for_nginx_nor_against_a_declared_header(protocol, kinds):
    upstream = {"servers": ["127.0.0.1:8000"], "protocol": protocol}
    text = tree({**SHOP, "upstream": upstream, "headers": {"X-Frame-Options": "DENY"}})[SITE]
    for name in ("X-Portside-Upstream", "X-Frame-Options"):
        assert set(re.findall(rf"^    (\w+)_hide_header {name};", text, re.MULTILINE)) == kinds
