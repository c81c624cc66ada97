"""`nginx_sites` as users write it."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.portside.vps.plugins.filter import nginx as filters
from ansible_collections.portside.vps.plugins.module_utils.nginx import sites

from tests.unit.nginx.rendering import ROLE

SHOP = {"name": "shop", "domains": ["api.example.com"], "upstream": {"servers": ["127.0.0.1:8000"]}}


def problems(*items, tls_dir="/etc/nginx/tls", webroot="/var/www/acme", timeout="120s"):
    return filters.nginx_problems(list(items), tls_dir, webroot, timeout)


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
    ],
)
def test_what_can_be_served(change):
    assert problems({**SHOP, **change}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"domain": ["x.org"]}, "site `shop`: unknown key `domain`: did you mean `domains`?"),
        ({"name": "Shop"}, "site `Shop`: `name` takes a-z"),
        ({"name": None}, "nginx_sites item 1: `name` takes a-z"),
        ({"state": "gone"}, "`state: gone` is neither `present` nor `absent`"),
        ({"domains": ["https://api.example.com"]}, "is not a name: write `api.example.com`"),
        ({"domains": ["api.example.com:8443"]}, "without scheme, port or path"),
        ({"domains": ["example"]}, "is not a full domain name"),
        ({"domains": ["a b.example.com"]}, "is not a full domain name"),
        ({"domains": ["a.com; return 200"]}, "is not a full domain name"),
        ({"domains": ["203.0.113.7"]}, "is not a full domain name"),
        ({"domains": ["bücher.example"]}, "in its ASCII form"),
        ({"domains": ["*.example.com"]}, "can't be a wildcard"),
        ({"domains": "api.example.com"}, "`domains` is not a list"),
        ({"domains": ["a.example.com", "A.example.com"]}, "`domains` item `a.example.com` stands in the list twice"),
        ({"domains": []}, "nobody can reach the site"),
        ({"upstream": None}, "`upstream` is missing"),
        ({"upstream": {}}, "takes one of `file` and `servers`"),
        ({"upstream": {"file": "/a", "servers": ["127.0.0.1:1"]}}, "takes one of `file` and `servers`"),
        ({"upstream": {"file": "relative"}}, "is not an absolute path"),
        ({"upstream": {"file": "/a/../b"}}, "is not an absolute path"),
        ({"upstream": {"servers": ["localhost:8000"]}}, "write a numeric address"),
        ({"upstream": {"servers": ["127.0.0.1"]}}, "write an address and a port"),
        ({"upstream": {"servers": ["127.0.0.1:99999"]}}, "write an address and a port"),
        ({"upstream": {"server": ["127.0.0.1:1"]}}, "unknown key `server`: did you mean `servers`?"),
        ({"webhooks": [{"path": "webhooks"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a b"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a{"}]}, "must begin with /"),
        ({"webhooks": [{"path": "/a?b=c"}]}, "nginx compares the decoded path"),
        ({"webhooks": [{"path": "/"}]}, "is the whole site"),
        ({"webhooks": [{"path": "/a"}, {"path": "/a/"}]}, "`webhooks.path: /a` stands in the list twice"),
        ({"webhooks": [{"path": "/.well-known/acme-challenge/x"}]}, "where certificates are validated"),
        ({"webhooks": ["/a"]}, "is not a dictionary"),
        ({"webhooks": [{"path": "/a", "methods": ["POST"]}]}, "`webhooks`: unknown key `methods`"),
        ({"local_port": 443}, "where nginx serves the sites"),
        ({"local_port": 70000}, "out of range: 1 to 65535"),
        ({"local_port": "http"}, "is not a port number"),
        ({"certificate": "../../etc"}, "`certificate: ../../etc` is the name of a directory"),
        ({"certificate": "placeholder"}, "and not `placeholder`"),
        ({"max_body_size": "10 MB"}, "is not a size such as"),
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
        ({"timeout": "soon"}, "`nginx_worker_shutdown_timeout: soon` is not a time"),
    ],
)
def test_settings_that_are_refused(settings, words):
    assert words in "\n".join(problems(SHOP, **settings))


@pytest.mark.parametrize("junk", ["text", {"name": "x"}, [None], ["text"], [[]]])
def test_junk_is_named_and_does_not_crash(junk):
    assert filters.nginx_problems(junk, "/etc/nginx/tls", "/var/www/acme", "120s")


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


def test_argument_spec_and_code_agree_on_keys_and_defaults():
    spec = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    options = spec["argument_specs"]["main"]["options"]["nginx_sites"]["options"]
    assert {key: option["default"] for key, option in options.items() if "default" in option} == sites.SITE_DEFAULTS
    assert set(options) == sites.SITE_KEYS
    assert set(options["upstream"]["options"]) == sites.UPSTREAM_KEYS
    assert set(options["webhooks"]["options"]) == sites.WEBHOOK_KEYS
