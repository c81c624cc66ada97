"""`nginx_sites` as users write it."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.filter import nginx as filters
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles
from ansible_collections.portside.vps.plugins.module_utils.nginx import sites

SHOP = {"name": "shop", "domains": ["api.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}


def problems(
    *items, tls_dir="/etc/nginx/tls", webroot="/var/www/acme", timeout="120s", trusted=(), header="X-Real", **more
):
    settings = {
        **roles.defaults("nginx"),
        **more,
        "nginx_tls_dir": tls_dir,
        "nginx_acme_webroot": webroot,
        "nginx_worker_shutdown_timeout": timeout,
        "nginx_real_ip_from": list(trusted),
        "nginx_real_ip_header": header,
    }
    return filters.nginx_problems(list(items) if items != ("junk",) else "junk", settings)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"domains": ["API.example.com", "*.example.com", "xn--bcher-kva.example"]},
        {"domains": [], "local_port": "8000"},
        {"upstream": {"file": "/var/lib/portside/apps/shop/upstream.conf"}},
        {"upstream": {"servers": ["[::1]:8000", "unix:/run/shop/http.sock", "10.0.0.2:80"]}},
        {"webhooks": [{"path": "/webhooks/stripe"}, {"path": "/hooks/a:b@c,d~(e)/"}]},
        {"certificate": "example.com-2026_a", "max_body_size": "0", "tls": "no"},
        {"state": "absent", "domains": ["not even a domain"]},
        {"upstream": None, "static": [{"path": "/", "directory": "/srv/site"}]},
        {
            "upstream": None,
            "static": [{"path": "/", "directory": "/srv/site"}],
            "locations": [{"path": "/api/", "upstream": {"servers": ["127.0.0.1:8000"]}}],
            "webhooks": [{"path": "/api/hook"}],
        },
        {"redirects": [{"from": "/a", "to": "https://example.com/b?c=d"}], "webhooks": [{"path": "/a/b"}]},
        {"redirects": [{"from": "/hooks", "to": "/b"}], "webhooks": [{"path": "/hook"}]},
        {"allow": ["203.0.113.7", "2001:db8::/32"], "rate_limit": {"rate": "60r/m"}},
    ],
)
def test_what_can_be_served(change):
    assert problems({**SHOP, **change}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"domain": ["x.org"]}, "site `shop`: unknown key `domain`: did you mean `domains`?"),
        ({"name": "Shop"}, "site `Shop`: `name` takes a-z"),
        ({"name": None}, "nginx_sites item 1: `name` is missing"),
        ({"state": "gone"}, "`state: gone`: allowed are present, absent"),
        ({"domains": ["https://api.example.com"]}, "is not a name: write `api.example.com`"),
        ({"domains": ["api.example.com:8443"]}, "without scheme, port or path"),
        ({"domains": ["example"]}, "is not a full domain name"),
        ({"domains": ["a b.example.com"]}, "has a label that is none"),
        ({"domains": ["a.com; return 200"]}, "has a label that is none"),
        ({"domains": ["203.0.113.7"]}, "is not a full domain name"),
        ({"domains": ["bücher.example"]}, "is not ASCII: write it in punycode, `xn--bcher-kva.example`"),
        ({"domains": ["api.example.com."]}, "ends in a dot: leave it out"),
        ({"domains": ["*.example.com"]}, "can't be a wildcard"),
        ({"domains": "api.example.com"}, "`domains: api.example.com` is not a list"),
        ({"domains": ["a.example.com", "A.example.com"]}, "`domains` item `a.example.com` stands in the list twice"),
        ({"domains": []}, "nobody can reach the site"),
        (
            {"upstream": None},
            "`upstream` takes one of `file` and `servers`: write `upstream: {servers: [127.0.0.1:8000]}`",
        ),
        ({"upstream": {}}, "takes one of `file` and `servers`"),
        ({"upstream": {"file": "/a", "servers": ["127.0.0.1:1"]}}, "takes one of `file` and `servers`"),
        ({"upstream": {"file": "relative"}}, "is not an absolute path"),
        ({"upstream": {"file": "/a/../b"}}, "is not an absolute path"),
        ({"upstream": {"servers": ["localhost:8000"]}}, "has no numeric address"),
        ({"upstream": {"servers": ["127.0.0.1"]}}, "write an address and a port"),
        ({"upstream": {"servers": ["127.0.0.1:99999"]}}, "write an address and a port"),
        ({"upstream": {"server": ["127.0.0.1:1"]}}, "unknown key `server`: did you mean `servers`?"),
        ({"webhooks": [{"path": "webhooks"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a b"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a{"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a?b=c"}]}, "nginx compares the decoded path"),
        ({"webhooks": [{"path": "/"}]}, "is the whole site"),
        ({"webhooks": [{"path": "/a"}, {"path": "/a/"}]}, "`/a` is claimed more than once, by `webhooks.path`"),
        ({"webhooks": [{"path": "/.well-known/acme-challenge/x"}]}, "where certificates are validated"),
        ({"webhooks": ["/a"]}, "is not a dictionary"),
        ({"webhooks": [{"path": "/a", "methods": ["POST"]}]}, "`webhooks` item `1`: unknown key `methods`"),
        ({"local_port": 443}, "where nginx serves the sites"),
        ({"local_port": 70000}, "out of range: 1 to 65535"),
        ({"local_port": "http"}, "`local_port: http` is not a whole number"),
        ({"certificate": "../../etc"}, "`certificate: ../../etc` is the name of a directory"),
        ({"certificate": "placeholder"}, "and not `placeholder`"),
        ({"max_body_size": "10 MB"}, "is not a size such as"),
        ({"read_timeout": "1 minute"}, "`read_timeout: 1 minute` is not a time such as"),
        (
            {"upstream": {"servers": ["127.0.0.1:1"], "balance": "random"}},
            "allowed are round_robin, least_conn, ip_hash",
        ),
        ({"upstream": {"servers": ["127.0.0.1:1"], "keepalive": -1}}, "`upstream.keepalive: -1` is less than none"),
        ({"header_buffer": "2k"}, "`header_buffer: 2k` is not a size such as `32k`, from `4k` to `1m`"),
        ({"header_buffer": "2m"}, "from `4k` to `1m`"),
        ({"header_buffer": "32 kB"}, "is not a size such as `32k`"),
        ({"upgrade": ["a b"]}, "`upgrade` item `a b` is not the name of a protocol"),
        ({"upgrade": ['a"; return 200; #']}, "is not the name of a protocol"),
        ({"upgrade": ["h2c"]}, "an app that speaks gRPC takes `protocol: grpc`"),
        ({"upgrade": ["H2C"]}, "past `allow`, `basic_auth` and limits"),
        ({"upstream": {**SHOP["upstream"], "protocol": "grpc"}, "tls": False}, "`protocol: grpc` needs `tls: true`"),
        (
            {"upstream": {**SHOP["upstream"], "protocol": "grpc"}, "webhooks": [{"path": "/a"}]},
            "`webhooks.path: /a` leads to an app that speaks gRPC",
        ),
        (
            {
                "locations": [
                    {"path": "/a", "upstream": {**SHOP["upstream"], "protocol": "grpc"}, "strip_prefix": True},
                ]
            },
            "`locations.strip_prefix` of `/a` can't be had with `protocol: grpc`",
        ),
        ({"forwarded_proto": True}, "site `shop`: `forwarded_proto` needs `nginx_real_ip_from`"),
        ({"rate_limit": {"burst": 5}}, "`rate_limit`: `rate` is missing"),
        ({"rate_limit": {"rate": "10"}}, "`rate_limit.rate: 10` is not a rate such as `10r/s`"),
        ({"allow": ["10.0.0.5/8"]}, "`allow` item `10.0.0.5/8` is no network: with this length it is `10.0.0.0/8`"),
        ({"deny": ["office"]}, "`deny` item `office` is neither an address nor a network"),
        ({"maintenance": {"allow": ["x"]}}, "`maintenance.allow` item `x` is neither"),
        ({"webhooks": [{"path": "/a", "allow": ["x"]}]}, "`webhooks.allow` item `x` is neither"),
        ({"basic_auth": {"realm": "x"}}, "`basic_auth`: `users` is missing"),
        ({"basic_auth": {"users": {"a:b": "password"}}}, "`basic_auth.users`: `a:b` is no user name"),
        ({"basic_auth": {"users": {"ops": ""}}}, "`basic_auth.users`: `ops` needs a password of 1 to 72 bytes"),
        ({"basic_auth": {"users": {"ops": "x" * 73}}}, "`basic_auth.users`: `ops` needs a password of 1 to 72 bytes"),
        ({"basic_auth": {"users": {"ops": "p"}, "realm": 'a"b'}}, "holds a quote"),
        ({"headers": {"X Y": "z"}}, "`headers`: `X Y` is not the name of a header"),
        ({"headers": {"X-Y": "a\nb"}}, "`headers`: `X-Y` has a value with a line break"),
        ({"headers": {"Strict-Transport-Security": "max-age=1"}}, "has an option of its own: `hsts`"),
        ({"hsts": {"max_age": -1}}, "`hsts.max_age: -1` is less than no seconds"),
        ({"error_pages": [{"status": [200], "file": "/a.html"}]}, "`error_pages.status: 200` is no error: 400 to 599"),
        ({"error_pages": [{"status": [404], "file": "a.html"}]}, "`error_pages.file: a.html` is not an absolute path"),
        ({"error_pages": [{"status": [404], "file": "/a"}, {"status": [404], "file": "/b"}]}, "two pages for 404"),
        ({"redirects": [{"from": "old", "to": "/new"}]}, "`redirects.from: old` must begin with /"),
        ({"redirects": [{"from": "/old", "to": "new"}]}, "`redirects.to: new` must be a path or an http or https URL"),
        ({"redirects": [{"from": "/old", "to": "/new", "status": 200}]}, "`redirects.status: 200` is no redirect"),
        ({"redirects": [{"from": "/a", "to": "/b"}], "webhooks": [{"path": "/a"}]}, "`/a` is claimed more than once"),
        ({"static": [{"path": "/s", "directory": "here"}]}, "`static.directory: here` is not an absolute path"),
        ({"internal": [{"path": "/s", "directory": "here"}]}, "`internal.directory: here` is not an absolute path"),
        (
            {"static": [{"path": "/s", "directory": "/x"}], "internal": [{"path": "/s", "directory": "/y"}]},
            "by `internal.path` and `static.path`",
        ),
        ({"static": [{"path": "/s", "directory": "/x"}, {"path": "/s/", "directory": "/y"}]}, "`/s/` is claimed more"),
        ({"locations": [{"path": "/a"}]}, "`locations` item `1`: `upstream` is missing"),
        ({"locations": [{"path": "/a", "upstream": {}}]}, "`locations.upstream` takes one of `file` and `servers`"),
        ({"upstream": None, "static": [{"path": "/", "directory": "/x"}], "local_port": 1}, "`local_port` needs"),
        *(
            ({"webhooks": [{"path": "/hook/"}], key: [item]}, f"`{words}` lies on or below the webhook `/hook`")
            for key, item, words in (
                ("redirects", {"from": "/hook/", "to": "/b"}, "redirects.from: /hook/"),
                ("redirects", {"from": "/hook/x", "to": "/b"}, "redirects.from: /hook/x"),
                ("locations", {"path": "/hook/x", "upstream": SHOP["upstream"]}, "locations.path: /hook/x"),
                ("static", {"path": "/hook/x", "directory": "/srv"}, "static.path: /hook/x"),
            )
        ),
        ({"locations": [{"path": "/a$b", "upstream": SHOP["upstream"]}]}, "nginx takes for a variable"),
        ({"webhooks": [{"path": "/a$b"}]}, "nginx takes for a variable"),
        (
            {"upstream": None, "static": [{"path": "/", "directory": "/x"}], "webhooks": [{"path": "/a"}]},
            "`webhooks` needs `upstream`",
        ),
    ],
)
def test_what_is_refused(change, words):
    assert words in "\n".join(problems({**SHOP, **change}))


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"name": "shop", "domains": ["b.example.com"]}, "two sites are called `shop`"),
        ({"domains": ["API.example.com"]}, "`api.example.com` is declared more than once (sites shop, b)"),
        ({"domains": ["b.example.com"], "local_port": "8000"}, "`local_port: 8000` is declared more than once"),
    ],
)
def test_what_two_sites_may_not_share(other, words):
    assert words in "\n".join(problems({**SHOP, "local_port": 8000}, {**SHOP, "name": "b", **other}))


def test_a_name_may_move_from_an_absent_site():
    assert problems({**SHOP, "state": "absent"}, {**SHOP, "name": "b"}) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tls_dir": "/etc/ssl"}, "`nginx_tls_dir: /etc/ssl` must be a directory below /etc/nginx"),
        ({"webroot": "www"}, "`nginx_acme_webroot: www` is not an absolute path"),
        ({"trusted": ["0.0.0.0/0"]}, "`nginx_real_ip_from` item `0.0.0.0/0` is everybody"),
        ({"trusted": ["::/0"]}, "`nginx_real_ip_from` item `::/0` is everybody"),
        ({"trusted": ["cdn"]}, "`nginx_real_ip_from` item `cdn` is neither an address nor a network"),
        ({"header": "X Real"}, "`nginx_real_ip_header: X Real` is not the name of a header"),
        ({"nginx_trusted_headers": ["X-Forwarded-User"]}, "`nginx_trusted_headers` needs `nginx_real_ip_from`"),
        ({"nginx_trusted_headers": ["Host"]}, "`nginx_trusted_headers` item `Host` is what nginx tells the app itself"),
        ({"nginx_trusted_headers": ["X User"]}, "`nginx_trusted_headers` item `X User` is not the name of a header"),
        ({"timeout": "soon"}, "`nginx_worker_shutdown_timeout: soon` is not a time"),
    ],
)
def test_settings_that_are_refused(settings, words):
    assert words in "\n".join(problems(SHOP, **settings))


@pytest.mark.parametrize("junk", ["junk", None, "text", 5, [], {"name": ["x"]}, {"name": "x", "upstream": 5}])
def test_junk_is_named_and_does_not_crash(junk):
    assert problems(junk)


def test_completed_sites_have_every_default_and_absent_ones_are_gone():
    (site,) = filters.nginx_present_sites([SHOP, {"name": "old", "state": "absent"}])
    assert site["certificate"] == "shop"
    assert site["tls"] is True
    assert site["max_body_size"] == "10m"
    assert sites.certificates([site]) == [{"name": "shop", "site": "shop"}]


def test_text_from_the_command_line_counts_as_its_type():
    (site,) = filters.nginx_present_sites([{**SHOP, "tls": "false", "local_port": "8000"}])
    assert site["tls"] is False
    assert site["local_port"] == 8000
    assert sites.certificates([site]) == []
