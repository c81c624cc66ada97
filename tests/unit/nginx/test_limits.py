"""What one client may take of a server."""

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import values

from tests.unit.nginx.rendering import tree

SITE = "sites-enabled/portside-shop.conf"
HTTP = "conf.d/portside.conf"
SHOP = {
    "name": "shop",
    "domains": ["shop.example.com", "www.shop.example.com"],
    "upstream": {"servers": ["127.0.0.1:8000"]},
    "local_port": 8000,
}


def servers(text):
    return re.findall(r"^server \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)


def test_every_server_of_a_site_bounds_what_a_client_may_take():
    found = servers(tree(SHOP)[SITE])
    assert len(found) == 4
    for server in found:
        for line in (
            *("client_header_timeout 15s;", "client_body_timeout 30s;", "send_timeout 60s;"),
            *("reset_timedout_connection on;", "limit_conn portside_clients 1000;", "limit_conn_status 429;"),
        ):
            assert server.count(f"    {line}\n") == 1, line


def test_a_connection_of_a_client_ends_after_a_thousand_requests():
    for server in servers(tree(SHOP)[SITE]):
        assert re.findall(r"keepalive_requests (\d+);", server) == ["1000"]


def test_the_servers_that_answer_before_a_name_is_known_wait_no_longer():
    default_servers = servers(tree(nginx_client_header_timeout="9s")[HTTP])
    assert len(default_servers) == 2
    assert all("    client_header_timeout 9s;\n" in server for server in default_servers)


def test_what_a_site_says_in_its_own_configuration_counts():
    own = "send_timeout 5s;\nclient_body_timeout 1m;\nlocation /x { keepalive_requests 5; return 204; }"
    canonical = next(
        server for server in servers(tree({**SHOP, "extra_config": own})[SITE]) if "send_timeout 5s" in server
    )
    assert re.findall(r"(?<![_y])send_timeout (\S+);", canonical) == ["5s"]
    assert re.findall(r"client_body_timeout (\S+);", canonical) == ["1m"]
    assert "    keepalive_requests 1000;" in canonical


def test_no_limit_is_no_zone_and_no_directive():
    files = tree(SHOP, nginx_connections_per_client=0)
    assert "portside_clients" not in files[HTTP] + files[SITE]


def test_the_server_itself_and_those_who_are_named_are_not_counted():
    text = tree(nginx_unlimited_clients=["198.51.100.0/24"])[HTTP]
    geo = text[text.index("geo $portside_counted") :].split("}")[0]
    assert [line.strip() for line in geo.splitlines()[1:]] == [
        *("default 1;", "127.0.0.0/8 0;", "::1 0;", "198.51.100.0/24 0;"),
    ]


def test_no_zone_bears_the_name_it_had_for_single_addresses():
    """nginx refuses to reload when a zone's key is another one (ngx_http_limit_req_init_zone)."""
    site = {**SHOP, "rate_limit": {"rate": "1r/s"}, "basic_auth": {"users": {"ops": "secret"}}}
    zones = re.findall(r"limit_req_zone (\S+) zone=(\S+?):1m rate=(\S+);", tree(site)[SITE])
    assert zones == [
        ("$portside_network", "portside_rate_shop", "1r/s"),
        ("$portside_login", "portside_login_shop", "20r/s"),
    ]


def test_a_request_with_a_password_is_counted_before_it_is_hashed():
    text = tree({**SHOP, "basic_auth": {"users": {"ops": "secret"}, "burst": 9}})[SITE]
    assert "limit_req zone=portside_login_shop burst=9 nodelay;" in text
    assert "limit_req_status 429;" in text
    assert "portside_login" not in tree(SHOP)[SITE]


@pytest.mark.parametrize(("cost", "refused"), [("05", False), ("08", False), ("09", True), ("12", True)])
def test_a_hash_that_costs_more_than_the_limit_reckons_with_is_refused(cost, refused):
    problem = values.user_problem("ops", f"$2y${cost}${'a' * 53}")
    assert ("htpasswd -nB -C 5 ops" in (problem or "")) is refused
