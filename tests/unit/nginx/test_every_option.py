"""Every option of a site, and every variable of the role that templates read, changes what is rendered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles

from tests.unit.nginx.rendering import tree

UPSTREAM = {"servers": ["127.0.0.1:8000", "127.0.0.1:8001"]}
SITE = {
    "name": "shop",
    "domains": ["a.example.com", "b.example.com"],
    "upstream": UPSTREAM,
    "rate_limit": {"rate": "10r/s"},
    "basic_auth": {"users": {"ops": "secret"}},
    "client_ca": "/etc/ssl/clients.pem",
    "maintenance": {"enabled": True},
    "error_pages": [{"status": [404], "file": "/srv/404.html"}],
    "redirects": [{"from": "/old", "to": "/new"}],
    "static": [{"path": "/static", "directory": "/srv/static"}],
    "internal": [{"path": "/protected", "directory": "/srv/protected"}],
    "locations": [{"path": "/blog", "upstream": UPSTREAM}],
    "webhooks": [{"path": "/hook"}],
}


def upstreams(**change):
    """The same for the site's own app and for another one."""
    return {"upstream": {**UPSTREAM, **change}}, {"locations": [{"path": "/blog", "upstream": {**UPSTREAM, **change}}]}


def item(key, **change):
    return {key: [{**SITE[key][0], **change}]}


SERVERS = upstreams(servers=["127.0.0.1:9000"])
FILE = upstreams(file="/up/shop.conf", servers=[])
BALANCE = upstreams(balance="ip_hash")
KEEPALIVE = upstreams(keepalive=0)
KEEPALIVE_TIMEOUT = upstreams(keepalive_timeout="5s")
PROTOCOL = upstreams(protocol="grpc")
SCHEME = upstreams(scheme="https")
# The options as the role's README names them.
CHANGES = {
    "name": {"name": "other"},
    "domains": {"domains": ["c.example.com"]},
    "upstream": SERVERS[0],
    "upstream.file": FILE[0],
    "upstream.servers": SERVERS[0],
    "upstream.balance": BALANCE[0],
    "upstream.protocol": PROTOCOL[0],
    "upstream.scheme": SCHEME[0],
    "upstream.keepalive": KEEPALIVE[0],
    "upstream.keepalive_timeout": KEEPALIVE_TIMEOUT[0],
    "tls": {"tls": False},
    "certificate": {"certificate": "wild"},
    "redirect_to_canonical": {"redirect_to_canonical": False},
    "max_body_size": {"max_body_size": "1m"},
    "connect_timeout": {"connect_timeout": "1s"},
    "send_timeout": {"send_timeout": "1s"},
    "read_timeout": {"read_timeout": "1s"},
    "client_body_timeout": {"client_body_timeout": "5s"},
    "client_send_timeout": {"client_send_timeout": "5s"},
    "buffering": {"buffering": False},
    "request_buffering": {"request_buffering": False},
    "gzip": {"gzip": True},
    "forwarded_proto": {"forwarded_proto": True},
    "header_buffer": {"header_buffer": "64k"},
    "underscores": {"underscores": True},
    "upgrade": {"upgrade": ["SPDY/3.1"]},
    "rate_limit": {"rate_limit": None},
    "rate_limit.rate": {"rate_limit": {"rate": "5r/m"}},
    "rate_limit.burst": {"rate_limit": {"rate": "10r/s", "burst": 3}},
    "allow": {"allow": ["192.0.2.1"]},
    "deny": {"deny": ["192.0.2.1"]},
    "basic_auth": {"basic_auth": None},
    "basic_auth.realm": {"basic_auth": {"realm": "Staging", "users": {"ops": "secret"}}},
    "basic_auth.rate": {"basic_auth": {"rate": "5r/s", "users": {"ops": "secret"}}},
    "basic_auth.burst": {"basic_auth": {"burst": 7, "users": {"ops": "secret"}}},
    "basic_auth.users": {"basic_auth": {"users": {}}},
    "client_ca": {"client_ca": "/etc/ssl/own.pem"},
    "client_cert": {"client_cert": "optional"},
    "headers": {"headers": {"X-A": "b"}},
    "hsts": {"hsts": {"max_age": 1}},
    "hsts.enabled": {"hsts": {"enabled": False}},
    "hsts.max_age": {"hsts": {"max_age": 1}},
    "hsts.include_subdomains": {"hsts": {"include_subdomains": True}},
    "hsts.preload": {"hsts": {"preload": True}},
    "security_headers": {"security_headers": {"nosniff": False, "referrer": "none"}},
    "security_headers.nosniff": {"security_headers": {"nosniff": False}},
    "security_headers.frame": {"security_headers": {"frame": "deny"}},
    "security_headers.referrer": {"security_headers": {"referrer": "no-referrer"}},
    "error_pages": {"error_pages": []},
    "error_pages[].status": item("error_pages", status=[410]),
    "error_pages[].file": item("error_pages", file="/srv/other.html"),
    "maintenance": {"maintenance": None},
    "maintenance.enabled": {"maintenance": {"enabled": False}},
    "maintenance.allow": {"maintenance": {"enabled": True, "allow": ["192.0.2.1"]}},
    "retry_after": {"retry_after": 60},
    "redirects": {"redirects": []},
    "redirects[].from": item("redirects", **{"from": "/older"}),
    "redirects[].to": item("redirects", to="/newer"),
    "redirects[].status": item("redirects", status=302),
    "static": {"static": []},
    "static[].path": item("static", path="/files"),
    "static[].directory": item("static", directory="/srv/files"),
    "static[].max_age": item("static", max_age=60),
    "static[].links": item("static", links=True),
    "internal": {"internal": []},
    "internal[].path": item("internal", path="/kept"),
    "internal[].directory": item("internal", directory="/srv/kept"),
    "internal[].links": item("internal", links=True),
    "static[].client_cert": item("static", client_cert="optional"),
    "locations": {"locations": []},
    "locations[].path": item("locations", path="/news"),
    "locations[].upstream": SERVERS[1],
    "locations[].upstream.file": FILE[1],
    "locations[].upstream.servers": SERVERS[1],
    "locations[].upstream.balance": BALANCE[1],
    "locations[].upstream.protocol": PROTOCOL[1],
    "locations[].upstream.scheme": SCHEME[1],
    "locations[].upstream.keepalive": KEEPALIVE[1],
    "locations[].upstream.keepalive_timeout": KEEPALIVE_TIMEOUT[1],
    "locations[].strip_prefix": item("locations", strip_prefix=True),
    "locations[].client_cert": item("locations", client_cert="optional"),
    "extra_config": {"extra_config": "location = /ping { return 204; }"},
    "webhooks": {"webhooks": []},
    "webhooks[].path": item("webhooks", path="/other"),
    "webhooks[].max_body_size": item("webhooks", max_body_size="1m"),
    "webhooks[].read_timeout": item("webhooks", read_timeout="1s"),
    "webhooks[].allow": item("webhooks", allow=["192.0.2.1"]),
    "webhooks[].client_cert": item("webhooks", client_cert="optional"),
    "local_port": {"local_port": 8080},
    "state": {"state": "absent"},
}
SETTINGS = {
    "nginx_acme_webroot": "/srv/acme",
    "nginx_tls_dir": "/etc/nginx/certificates",
    "nginx_worker_shutdown_timeout": "5m",
    "nginx_worker_connections": 1024,
    "nginx_client_header_timeout": "5s",
    "nginx_connections_per_client": 50,
    "nginx_unlimited_clients": ["192.0.2.0/24"],
    "nginx_real_ip_from": ["192.0.2.0/24"],
    "nginx_proxy_protocol": True,
    "nginx_health_path": "/healthz",
    "nginx_http3": True,
    "nginx_sandbox": False,
}
# Not rendered by themselves; the headers have tests of their own.
NOT_RENDERED = {"nginx_sites", "nginx_manage_packages", "nginx_real_ip_header", "nginx_trusted_headers"}


def names(options, prefix="") -> Iterator[str]:
    for name, option in options.items():
        yield f"{prefix}{name}"
        if "options" in option:
            yield from names(option["options"], f"{prefix}{name}{'[].' if option['type'] == 'list' else '.'}")


def test_no_option_is_left_out():
    spec = roles.options("nginx")
    assert set(CHANGES) == set(names(spec["nginx_sites"]["options"]))
    assert set(SETTINGS) | NOT_RENDERED == set(spec)


@pytest.mark.parametrize("option", CHANGES)
def test_an_option_changes_what_is_rendered_and_leaves_braces_in_pairs(option):
    rendered = tree({**SITE, **CHANGES[option]})
    assert rendered != tree(SITE)
    assert all(content.count("{") == content.count("}") for content in rendered.values())


@pytest.mark.parametrize("name", SETTINGS)
def test_a_variable_changes_what_is_rendered(name):
    assert tree(SITE, **{name: SETTINGS[name]}) != tree(SITE)


def test_the_header_that_names_the_visitor():
    trusted = {"nginx_real_ip_from": ["192.0.2.0/24"]}
    assert tree(SITE, **trusted, nginx_real_ip_header="X-Real-IP") != tree(SITE, **trusted)
