"""What the role renders, through Ansible's real templar."""

from __future__ import annotations

import json
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
        ("Debian_13", "?X25519MLKEM768:X25519:prime256v1:secp384r1", False),
        ("Ubuntu_24", "X25519:prime256v1:secp384r1", False),
        ("Ubuntu_26", "?X25519MLKEM768:X25519:prime256v1:secp384r1", False),
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
    assert "return 421;" in text
    assert "    include snippets/portside-acme.conf;\n" in text
    assert "root /var/www/acme;" in tree()["snippets/portside-acme.conf"]
    assert "ssl_reject_handshake on;" in text


def test_http_redirects_in_one_hop_and_serves_challenges():
    block = blocks(site())["80", "api.example.com www.example.com"]
    assert "include snippets/portside-acme.conf;" in block
    assert "return 308 https://api.example.com$request_uri;" in location(block, "/")


def test_other_names_are_redirected_or_served_alike():
    redirected = blocks(site())
    assert "return 308 https://api.example.com$request_uri;" in redirected["443", "www.example.com"]
    assert "return 308" not in location(redirected["443", "api.example.com"], "/")
    alike = blocks(site(redirect_to_canonical=False))
    assert set(alike) == {("80", "api.example.com www.example.com"), ("443", "api.example.com www.example.com")}
    assert "return 308 https://$host$request_uri;" in alike["80", "api.example.com www.example.com"]


def test_webhooks_are_passed_on_under_every_name_with_and_without_slash():
    found = blocks(site(webhooks=[{"path": "/webhooks/stripe/"}]))
    for key in (("443", "api.example.com"), ("443", "www.example.com")):
        for head in ('= "/webhooks/stripe"', '^~ "/webhooks/stripe/"'):
            assert "proxy_pass http://portside_shop-api$request_uri;" in location(found[key], head)
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


def test_a_request_from_the_server_learns_which_release_answered():
    """Also where nginx answers in the place of an app that is down, or leads to another name."""
    for (listen, _), block in blocks(site(webhooks=[{"path": "/hook"}])).items():
        if listen == "443":
            told = "add_header X-Portside-Upstream $portside_upstream always;"
            places = re.findall(r"location [^{]+\{[^}]*add_header[^}]*\}", block)
            assert told in block.partition("location")[0]
            assert all(told in place for place in places)


def test_a_dead_app_is_503_with_retry_after():
    for key, block in blocks(site(local_port=8000)).items():
        if key == ("443", "api.example.com") or key[0].startswith("127"):
            assert "error_page 502 504 =503 /.portside-unavailable;" in block
            assert "add_header Retry-After 10 always;" in location(block, "= /.portside-unavailable")


def test_upstream_from_a_file_or_from_a_list():
    assert "include /etc/nginx/upstreams/shop-api.conf;" in site()
    text = site(upstream={"servers": ["127.0.0.1:8000", "[::1]:8001"]})
    assert "server 127.0.0.1:8000 max_fails=0;" in text
    assert "server [::1]:8001 max_fails=0;" in text
    assert "keepalive 256;" in text


def test_what_a_client_claims_does_not_reach_the_app():
    text = tree()["snippets/portside-proxy.conf"]
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in text
    assert "proxy_set_header X-Forwarded-Proto $portside_scheme;" in text
    assert "proxy_add_x_forwarded_for" not in text
    for name in ("Proxy", "Forwarded", "X-Forwarded-Ssl", "X-Forwarded-Protocol"):
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


@pytest.mark.parametrize(("release", "expected"), [("Debian_12", False), ("Debian_13", True)])
def test_http3_where_it_is_asked_for_and_nginx_has_it(release, expected):
    files = tree(SHOP, release=release, nginx_http3=True)
    for address in ("443", "[::]:443"):
        assert (f"listen {address} quic default_server reuseport;" in files["conf.d/portside.conf"]) is expected
        assert files[SITE].count(f"listen {address} quic;") == (2 if expected else 0)
    for (listen, _), block in blocks(files[SITE]).items():
        assert ("add_header Alt-Svc 'h3=\":443\"; ma=3600' always;" in block) is (expected and listen == "443")


def test_no_http3_by_default():
    for content in tree(SHOP).values():
        assert "quic" not in content
        assert "Alt-Svc" not in content


def test_no_reuseport_for_tcp_and_no_stapling_anywhere():
    for content in tree({**SHOP, "local_port": 8000}, nginx_http3=True).values():
        assert all(" quic " in line for line in content.splitlines() if "reuseport" in line)
        assert "ssl_stapling" not in content


CANONICAL = ("443", "api.example.com")


def canonical(**change):
    """The server block of the canonical name."""
    return blocks(site(**change))[CANONICAL]


WEBHOOK = {"webhooks": [{"path": "/hook"}]}
# What guards a site: the option, and the directives that stand in every guarded location and in no webhook's.
GUARDS = [
    ({"allow": ["203.0.113.7", "2001:db8::/32"]}, ["allow 203.0.113.7;", "allow 2001:db8::/32;", "deny all;"]),
    ({"deny": ["198.51.100.0/24"]}, ["deny 198.51.100.0/24;"]),
    (
        {"rate_limit": {"rate": "10r/s"}},
        ["limit_req zone=portside_rate_shop-api burst=20 nodelay;", "limit_req_status 429;"],
    ),
    (
        {"basic_auth": {"users": {"ops": "secret"}}},
        ['auth_basic "Restricted";', "auth_basic_user_file /etc/nginx/passwords/portside-shop-api;"],
    ),
]


@pytest.mark.parametrize(("change", "directives"), GUARDS)
def test_what_guards_a_site_stands_everywhere_but_on_webhooks(change, directives):
    more = {
        "locations": [{"path": "/admin", "upstream": {"servers": ["127.0.0.1:9000"]}}],
        "static": [{"path": "/files", "directory": "/srv/files"}],
    }
    block = canonical(**change, **more, **WEBHOOK)
    for head in ("/", '= "/admin"', '^~ "/admin/"', '^~ "/files/"'):
        assert all(directive in location(block, head) for directive in directives), head
    for head in ('= "/hook"', '^~ "/hook/"'):
        assert not any(directive in location(block, head) for directive in directives), head


def test_a_denied_address_stays_out_although_it_is_in_an_allowed_network():
    text = location(canonical(allow=["198.51.100.0/24"], deny=["198.51.100.7"]), "/")
    assert text.index("deny 198.51.100.7;") < text.index("allow 198.51.100.0/24;") < text.index("deny all;")


def test_a_password_is_in_no_rendered_file():
    for content in tree({**SHOP, "basic_auth": {"users": {"ops": "correct horse"}}}).values():
        assert "correct horse" not in content


def test_zones_and_variables_bear_the_sites_name():
    text = site(rate_limit={"rate": "60r/m", "burst": 5}, maintenance={"enabled": True, "allow": ["203.0.113.7"]})
    assert "limit_req_zone $portside_network zone=portside_rate_shop-api:1m rate=60r/m;" in text
    assert "geo $portside_maintenance_shop_api {\n    default 1;\n    203.0.113.7 0;\n}" in text


def test_maintenance_answers_503_everywhere_with_retry_after():
    block = canonical(maintenance={"enabled": True}, retry_after=120, **WEBHOOK)
    for head in ("/", '= "/hook"', '^~ "/hook/"'):
        assert "if ($portside_maintenance_shop_api) {" in location(block, head)
    assert "error_page 502 503 504 =503 /.portside-unavailable;" in block
    assert "add_header Retry-After 120 always;" in location(block, "= /.portside-unavailable")
    assert "maintenance" not in site()


def test_sizes_and_times():
    times = {"connect_timeout": "1s", "send_timeout": "2s", "read_timeout": "3m"}
    block = canonical(**times, webhooks=[{"path": "/hook", "max_body_size": "1m", "read_timeout": "25s"}])
    for key, value in times.items():
        assert f"proxy_{key} {value};" in block
    for head in ('= "/hook"', '^~ "/hook/"'):
        assert "client_max_body_size 1m;" in location(block, head)
        assert "proxy_read_timeout 25s;" in location(block, head)


def test_a_webhook_with_a_list_of_its_own_is_for_those_alone():
    block = canonical(webhooks=[{"path": "/hook", "allow": ["203.0.113.0/24"]}])
    assert "allow 203.0.113.0/24;\n        deny all;" in location(block, '= "/hook"')
    assert "deny all" not in location(block, "/")


@pytest.mark.parametrize(
    ("change", "directive"),
    [
        ({"buffering": False}, "proxy_buffering off;"),
        ({"request_buffering": False}, "proxy_request_buffering off;"),
        ({"gzip": True}, "gzip on;"),
    ],
)
def test_switches(change, directive):
    assert directive in canonical(**change)
    assert directive not in canonical()


def test_headers_are_quoted_and_stand_wherever_a_place_has_its_own():
    block = canonical(
        headers={"X-Frame-Options": "DENY", "Content-Security-Policy": 'default-src "$self" \\'}, **WEBHOOK
    )
    policy = r'add_header Content-Security-Policy "default-src \"${portside_dollar}self\" \\" always;'
    for text in (block, location(block, "= /.portside-unavailable")):
        assert 'add_header X-Frame-Options "DENY" always;' in text
        assert policy in text
    assert policy in location(
        blocks(site(headers={"Content-Security-Policy": 'default-src "$self" \\'}))["443", "www.example.com"], "/"
    )


@pytest.mark.parametrize(
    ("hsts", "value"),
    [
        ({}, "max-age=86400"),
        ({"max_age": 0}, "max-age=0"),
        (
            {"max_age": 63072000, "include_subdomains": True, "preload": True},
            "max-age=63072000; includeSubDomains; preload",
        ),
    ],
)
def test_hsts(hsts, value):
    assert f'"" "{value}";' in site(hsts=hsts)


def test_no_hsts_where_it_is_switched_off():
    assert "Strict-Transport-Security" not in site(hsts={"enabled": False}, headers={"X-A": "b"}, **WEBHOOK)


def test_pages_for_errors():
    pages = [
        {"status": [404, 403], "file": "/srv/errors/40x.html"},
        {"status": [503, 500], "file": "/srv/errors/50x.html"},
    ]
    block = canonical(error_pages=pages, **WEBHOOK)
    assert "error_page 403 404 /.portside-error-1;" in block
    assert "error_page 500 /.portside-error-2;" in block
    assert "alias /srv/errors/40x.html;" in location(block, "= /.portside-error-1")
    assert "alias /srv/errors/50x.html;" in location(block, "= /.portside-unavailable")
    assert "proxy_intercept_errors on;" in location(block, "/")
    assert "proxy_intercept_errors" not in location(block, '= "/hook"')


@pytest.mark.parametrize("tls", [True, False])
def test_pages_for_an_app_that_is_down(tls):
    pages = [{"status": [500, 502, 504], "file": "/srv/errors/down.html"}]
    found = blocks(site(error_pages=pages, tls=tls, domains=["a.example.com"], retry_after=30))
    block = found["443" if tls else "80", "a.example.com"]
    assert "error_page 500 /.portside-error-1;" in block
    assert re.findall(r"error_page .*50[24].*;", block) == ["error_page 502 504 =503 /.portside-unavailable-1;"]
    page = location(block, "= /.portside-unavailable-1")
    assert "alias /srv/errors/down.html;" in page
    assert "add_header Retry-After 30 always;" in page


def test_each_status_of_an_app_that_is_down_has_one_page():
    pages = [{"status": [504], "file": "/srv/slow.html"}, {"status": [502, 503], "file": "/srv/down.html"}]
    block = canonical(error_pages=pages)
    assert re.findall(r"error_page (.*);", block) == [
        "502 503 =503 /.portside-unavailable",
        "504 =503 /.portside-unavailable-1",
    ]
    assert "alias /srv/down.html;" in location(block, "= /.portside-unavailable")
    assert "alias /srv/slow.html;" in location(block, "= /.portside-unavailable-1")


def test_a_declared_header_takes_the_place_of_the_apps_own():
    headers = {"X-Frame-Options": "DENY", "Set-Cookie": "a=b", "Vary": "Origin"}
    found = blocks(site(headers=headers, local_port=8000, **WEBHOOK))
    for public in (CANONICAL, ("443", "www.example.com")):
        assert "proxy_hide_header X-Frame-Options;" in found[public]
        assert "proxy_hide_header Set-Cookie;" not in found[public]
    assert "proxy_hide_header X-Frame-Options;" not in found["127.0.0.1:8000", "_"]


def test_no_burst_is_none():
    text = site(rate_limit={"rate": "10r/s", "burst": 0})
    assert "limit_req zone=portside_rate_shop-api;" in text
    assert "limit_req zone=portside_rate_shop-api burst=5 nodelay;" in site(rate_limit={"rate": "10r/s", "burst": 5})


def test_a_redirect_heeds_maintenance():
    block = canonical(redirects=[{"from": "/old", "to": "/new"}], maintenance={"enabled": True})
    assert location(block, '= "/old"').split() == [
        *("include", "snippets/portside-close.conf;"),
        *("if", "($portside_maintenance_shop_api)", "{", "return", "503;", "}"),
        *("return", "308", '"/new$is_args$args";'),
    ]


def test_redirects_keep_the_query_unless_they_have_one():
    block = canonical(
        redirects=[
            {"from": "/old", "to": "/new"},
            {"from": "/a$b", "to": "https://example.org/x?y=$z", "status": 302},
        ]
    )
    assert 'return 308 "/new$is_args$args";' in location(block, '= "/old"')
    assert 'return 302 "https://example.org/x?y=${portside_dollar}z";' in location(block, '= "/a$b"')


def test_static_files():
    block = canonical(static=[{"path": "/static/", "directory": "/srv/shop", "max_age": 3600}])
    text = location(block, '^~ "/static/"')
    assert "alias /srv/shop/;" in text
    assert "expires 3600s;" in text
    assert 'location ~ "/\\." {' in text
    alone = canonical(upstream=None, static=[{"path": "/", "directory": "/srv/site"}])
    assert "root /srv/site;" in location(alone, "/")
    assert "proxy_pass" not in alone


def test_links_below_a_directory_of_files_lead_nowhere_unless_followed():
    followed = {"path": "/pool", "directory": "/srv/pool", "links": True}
    block = canonical(
        static=[{"path": "/static", "directory": "/srv/shop"}, followed],
        internal=[{"path": "/kept", "directory": "/srv/kept"}, {**followed, "path": "/kept-pool"}],
    )
    for path, directory in (("/static", "/srv/shop"), ("/kept", "/srv/kept")):
        assert f"disable_symlinks on from={directory};" in location(block, f'^~ "{path}/"')
    for path in ("/pool", "/kept-pool"):
        assert "disable_symlinks" not in location(block, f'^~ "{path}/"')


def test_files_that_the_app_hands_out_are_for_nobody_who_asks():
    text = location(canonical(internal=[{"path": "/kept/", "directory": "/srv/kept"}]), '^~ "/kept/"')
    assert "internal;" in text
    assert "alias /srv/kept/;" in text


def test_paths_of_other_apps():
    locations = [
        {"path": "/admin", "upstream": {"file": "/etc/nginx/upstreams/admin.conf"}},
        {"path": "/docs/", "upstream": {"servers": ["127.0.0.1:9000"], "keepalive": 0}, "strip_prefix": True},
    ]
    text = site(locations=locations)
    assert "upstream portside_shop-api_1 {" in text
    block = blocks(text)[CANONICAL]
    assert "proxy_pass http://portside_shop-api_1$request_uri;" in location(block, '^~ "/admin/"')
    assert "set $portside_prefix" not in location(block, '^~ "/admin/"')
    assert "proxy_pass http://portside_shop-api_2/;" in location(block, '= "/docs"')
    assert 'set $portside_prefix "/docs";' in location(block, '^~ "/docs/"')
    assert "keepalive" not in text[text.index("upstream portside_shop-api_2") :].split("}")[0]


def test_a_webhook_below_another_apps_path_goes_to_that_app():
    locations = [
        {"path": "/api", "upstream": {"servers": ["127.0.0.1:9000"]}},
        {"path": "/api/v2", "upstream": {"servers": ["127.0.0.1:9001"]}, "strip_prefix": True},
    ]
    paths = ["/hook", "/api/hook", "/api/v2/hook", "/apiary"]
    found = blocks(site(locations=locations, webhooks=[{"path": path} for path in paths]))
    for key in (CANONICAL, ("443", "www.example.com")):
        for path, upstream in (("/hook", ""), ("/apiary", ""), ("/api/hook", "_1")):
            for head in (f'= "{path}"', f'^~ "{path}/"'):
                assert f"proxy_pass http://portside_shop-api{upstream}$request_uri;" in location(found[key], head)
        assert "proxy_pass http://portside_shop-api_2/hook;" in location(found[key], '= "/api/v2/hook"')
        assert "proxy_pass http://portside_shop-api_2/hook/;" in location(found[key], '^~ "/api/v2/hook/"')
        assert 'set $portside_prefix "/api/v2";' in location(found[key], '= "/api/v2/hook"')


@pytest.mark.parametrize("balance", ["least_conn", "ip_hash"])
def test_several_servers(balance):
    text = site(upstream={"servers": ["127.0.0.1:8000", "127.0.0.1:8001"], "balance": balance})
    block = text[text.index("upstream ") :].split("}")[0]
    assert block.index(balance) < block.index("server ") < block.index("keepalive")


def test_extra_config_stands_in_the_canonical_server_alone():
    found = blocks(site(extra_config="location /x {\n    return 204;\n}\n", local_port=8000))
    assert "        return 204;\n    }" in found[CANONICAL]
    assert sum("return 204;" in block for block in found.values()) == 1


def test_every_server_of_a_site_logs_to_the_sites_own_file():
    for block in blocks(site(local_port=8000)).values():
        assert block.count("access_log /var/log/nginx/shop-api.access.log portside buffer=64k flush=5s;") == 1


def test_a_log_line_is_json_and_holds_no_signature():
    text = tree()["conf.d/portside.conf"]
    log_format = text[text.index("log_format portside escape=json") :].split(";\n")[0]
    line = "".join(re.findall(r"'([^']*)'", log_format))
    assert "$http_stripe_signature" not in line
    entry = json.loads(re.sub(r"\$\w+", "0", line))
    assert {"request_id", "client", "status", "upstream_seconds", "tls", "stripe_signature"} <= set(entry)


def test_the_status_page_is_for_the_server_itself():
    block = location(tree()["conf.d/portside.conf"], "= /nginx_status")
    assert [line.strip() for line in block.splitlines() if "allow" in line or "deny" in line] == [
        "allow 127.0.0.1;",
        "allow ::1;",
        "deny all;",
    ]


def test_nobody_is_believed_about_the_visitor_unless_named():
    path = "snippets/portside-real-ip.conf"
    assert "real_ip" not in "".join(line for line in tree()[path].splitlines() if not line.startswith("#"))
    text = tree(nginx_real_ip_from=["192.0.2.0/24", "2001:db8::/32"], nginx_real_ip_header="CF-Connecting-IP")[path]
    assert "set_real_ip_from 192.0.2.0/24;\nset_real_ip_from 2001:db8::/32;\nreal_ip_header CF-Connecting-IP;" in text


def test_the_visitors_address_is_found_in_every_public_server_but_not_on_loopback():
    for (listen, _), block in blocks(site(local_port=8000)).items():
        assert ("include snippets/portside-real-ip.conf;" in block) is (not listen.startswith("127."))


def test_the_sandbox_can_be_left_out():
    path = "/etc/systemd/system/nginx.service.d/portside-sandbox.conf"
    assert "NoNewPrivileges=yes" in tree()[path]
    assert path not in tree(nginx_sandbox=False)
