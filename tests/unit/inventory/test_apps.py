"""`portside_apps` as people really write it: what is completed, and what is refused in which words."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import apps
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

SHOP = {"name": "shop-api", "image": "ghcr.io/acme/shop-api:1.4.2", "port": 8000, "domains": ["api.example.com"]}


def refused(*raw):
    with pytest.raises(InvalidInputError) as caught:
        apps.complete(list(raw))
    return str(caught.value)


def test_everything_but_name_and_image_has_a_default():
    (worker,) = apps.complete([{"name": "mailer", "image": "acme/mailer:1"}])
    assert worker["port"] is None
    assert worker["bind"] == "127.0.0.1"
    assert worker["egress"] == "direct"
    assert (worker["health"]["path"], worker["health"]["status"], worker["health"]["timeout"]) == ("/", [200], 60)
    assert worker["state"] == "present"


def test_the_case_of_a_name_plays_no_part():
    (app,) = apps.complete([{**SHOP, "domains": ["API.Example.com"]}])
    assert app["domains"] == ["api.example.com"]


def test_what_the_user_wrote_is_kept():
    (app,) = apps.complete([{**SHOP, "health": {"path": "/health"}, "webhooks": [{"path": "/webhooks/stripe"}]}])
    assert app["health"]["path"] == "/health"
    assert app["health"]["status"] == [200]
    assert app["webhooks"] == [{"path": "/webhooks/stripe"}]


def test_nginx_options_are_kept_as_written_without_the_roles_defaults():
    (app,) = apps.complete([{**SHOP, "site": {"gzip": True, "headers": None, "rate_limit": {"rate": "10r/s"}}}])
    assert app["site"] == {"gzip": True, "rate_limit": {"rate": "10r/s"}}
    assert apps.complete([SHOP])[0]["site"] == {}


def test_a_port_may_be_written_as_text():
    assert apps.complete([{**SHOP, "port": "8000"}])[0]["port"] == 8000


REFUSED = [
    ({"image": "a:1"}, ["item 1 of portside_apps: `name` is missing"]),
    ({"name": "shop"}, ["app `shop`: `image` is missing: Image reference with a tag"]),
    ({**SHOP, "imagee": "x"}, ["app `shop-api`", "unknown key `imagee`", "did you mean `image`?"]),
    ({**SHOP, "zzz": 1}, ["app `shop-api`", "unknown key `zzz`", "allowed are before"]),
    ({**SHOP, "health": {"pth": "/"}}, ["app `shop-api`: `health`: unknown key `pth`: did you mean `path`?"]),
    (
        {**SHOP, "webhooks": [{"pat": "/"}]},
        ["app `shop-api`: `webhooks` item `1`: unknown key `pat`", "`path`?"],
    ),
    ({**SHOP, "name": "Shop_API"}, ["`name` takes a-z"]),
    ({**SHOP, "port": 70000}, ["`port: 70000` is out of range"]),
    ({**SHOP, "port": 0}, ["`port: 0` is out of range"]),
    ({**SHOP, "port": "0.0.0.0:8000:8000"}, ["is an address, not a port", "past ufw"]),
    ({**SHOP, "port": "8000:8000"}, ["is an address, not a port"]),
    ({**SHOP, "port": "eight"}, ["app `shop-api`", "port"]),
    ({**SHOP, "bind": "0.0.0.0"}, ["`bind: 0.0.0.0`", "on a loopback address only", "past ufw"]),
    ({**SHOP, "bind": "::"}, ["`bind: ::`", "on a loopback address only"]),
    ({**SHOP, "domains": ["localhost"]}, ["`localhost` is not a full domain name"]),
    ({**SHOP, "domains": ["https://api.example.com/"]}, ["is a URL"]),
    ({**SHOP, "domains": ["*.example.com"]}, ["wildcard needs a DNS challenge, `certificate: {dns: "]),
    ({**SHOP, "domains": ["a.*.com"], "certificate": {"dns": "ours"}}, ["has a label that is none"]),
    ({**SHOP, "domains": ["10.0.0.1"]}, ["is an IP address, not a full domain name"]),
    ({**SHOP, "domains": ["a..example.com"]}, ["has a label that is none"]),
    ({**SHOP, "domains": ["-a.example.com"]}, ["has a label that is none"]),
    ({**SHOP, "domains": ["bücher.example"]}, ["is not ASCII: write it in punycode, `xn--bcher-kva.example`"]),
    (
        {**SHOP, "domains": ["straße.example"]},
        ["is not ASCII: write it in punycode, `xn--bcher-kva.example` for instance"],
    ),
    ({**SHOP, "domains": ["*.bücher.example"]}, ["is not ASCII: write it in punycode, `xn--bcher-kva.example`"]),
    ({**SHOP, "domains": ["api.example.com."]}, ["`domains` item `api.example.com.` ends in a dot: leave it out"]),
    ({**SHOP, "domains": ["api.example.com:8443"]}, ["has a port: write the name alone"]),
    ({**SHOP, "egress": "inherit"}, ["app `shop-api`", "egress", "direct, proxy"]),
    ({**SHOP, "egress_checks": ["http://h:notaport"]}, ["app `shop-api`", "`egress_checks` item `http://h:notaport`"]),
    ({**SHOP, "egress_checks": ["https://h:70000/x"]}, ["`egress_checks` item `https://h:70000/x` is not a URL"]),
    ({"name": "w", "image": "a:1", "domains": ["a.example.com"]}, ["`domains` needs `port`"]),
    ({"name": "w", "image": "a:1", "port": 1, "webhooks": [{"path": "/x"}]}, ["`webhooks` needs `domains`"]),
    ({**SHOP, "webhooks": [{"path": "stripe"}]}, ["`webhooks.path: stripe` must begin with /"]),
    ({**SHOP, "health": {"path": "/x; return 200"}}, ["`health.path"]),
    ({**SHOP, "secrets": {"TOKEN": "abc"}}, ["value of `TOKEN` is shorter than 6", "under `env`"]),
    ({**SHOP, "env": {"A B": "x"}}, ["`A B` is not the name of an environment variable"]),
    ({**SHOP, "env": {"KEY": "x"}, "secrets": {"KEY": "abcdefg"}}, ["`KEY` stands in both"]),
    ({**SHOP, "secrets": {"TOKEN": None}}, ["`secrets`: `TOKEN` has no value"]),
    ({**SHOP, "health": "/health"}, ["write `health: {path: /health}`"]),
    ({**SHOP, "webhooks": ["/stripe"]}, ["write `webhooks: [{path: /webhooks/stripe}]`"]),
    ({**SHOP, "env": ["A=b"]}, ["write `env: {NAME: value}`"]),
    ({**SHOP, "site": "gzip"}, ["write `site: {max_body_size: 25m}`"]),
    ({**SHOP, "site": {"max_body": "1m"}}, ["app `shop-api`: `site`", "did you mean `max_body_size`?"]),
    ({**SHOP, "site": {"upstream": {}}}, ["app `shop-api`: `site`", "unknown key `upstream`"]),
    ({**SHOP, "site": {"gzip": "perhaps"}}, ["`site`: `gzip: perhaps` is not `true` or `false`"]),
    ({**SHOP, "site": {"rate_limit": {"burst": 5}}}, ["`site`: `rate_limit`: `rate` is missing"]),
    ({**SHOP, "webhooks": [{"path": "/a", "methods": []}]}, ["`webhooks` item `1`: unknown key `methods`"]),
    ({"name": "w", "image": "a:1", "port": 1, "site": {"gzip": True}}, ["`site` needs `domains`"]),
    ({**SHOP, "site": {"locations": [{"path": "/b"}]}}, ["`/b` takes one of `app` and `upstream`"]),
    ({**SHOP, "site": {"locations": [{"path": "/b", "app": "blog"}]}}, ["no other app called `blog` is present"]),
    ({**SHOP, "site": {"locations": [{"path": "/b", "app": "shop-api"}]}}, ["no other app called `shop-api`"]),
    ({**SHOP, "host_ports": [1, 2, 3]}, ["`host_ports` takes two different ports"]),
]


@pytest.mark.parametrize(("raw", "words"), REFUSED, ids=[" / ".join(words) for _, words in REFUSED])
def test_refused_with_app_key_and_what_is_allowed(raw, words):
    message = refused(raw)
    assert all(word in message for word in words), message


def test_an_absent_app_needs_nothing_but_its_name():
    (gone,) = apps.complete([{"name": "old", "state": "absent"}])
    assert gone["image"] is None


def test_keys_with_nothing_behind_them_are_as_good_as_left_out():
    (app,) = apps.complete([{**SHOP, "env": None, "secrets": None, "volumes": None, "health": None}])
    assert (app["env"], app["health"]["path"]) == ({}, "/")


@pytest.mark.parametrize("image", ["acme/shop", "acme/shop:latest", "registry.example.com:5000/shop"])
def test_an_image_needs_a_tag_of_its_own(image):
    assert "needs a tag of its own" in refused({**SHOP, "image": image})


def test_a_digest_is_a_tag_of_its_own():
    assert apps.complete([{**SHOP, "image": f"acme/shop@sha256:{'0' * 64}"}])


def test_a_secret_is_never_in_the_message():
    message = refused({**SHOP, "secrets": {"TOKEN": "abc"}, "zzz": 1})
    assert "abc" not in message


def test_everything_that_is_wrong_is_said_at_once():
    message = refused({"name": "one", "image": "a:1", "bogus": 1}, {"name": "two"})
    assert "app `one`" in message
    assert "app `two`" in message


CLASHES = [
    ([SHOP, {**SHOP, "domains": ["b.example.com"]}], "two apps are called `shop-api`"),
    ([SHOP, {**SHOP, "name": "other"}], "domain `api.example.com` is declared more than once (shop-api, other)"),
    ([SHOP, {**SHOP, "name": "other", "domains": ["API.example.com"]}], "declared more than once"),
    (
        [{**SHOP, "local_port": 8000}, {**SHOP, "name": "o", "domains": ["o.example.com"], "host_ports": [8000]}],
        "port 8000 on the server is taken more than once (o, shop-api)",
    ),
]


@pytest.mark.parametrize(("raw", "words"), CLASHES, ids=[words for _, words in CLASHES])
def test_what_two_apps_may_not_share(raw, words):
    message = refused(*raw)
    if "taken" in words:
        assert "port 8000 on the server is taken more than once" in message
    else:
        assert words in message


def test_an_absent_app_frees_its_domain():
    gone = {**SHOP, "name": "old", "state": "absent"}
    assert len(apps.complete([SHOP, gone])) == 2


@pytest.mark.parametrize("raw", [None, "shop-api", {"name": "shop-api"}])
def test_not_a_list(raw):
    with pytest.raises(InvalidInputError, match="not a list"):
        apps.complete(raw)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"portside_acme_directory": "http://ca.example.com/dir"}, "neither an https URL nor"),
        ({"portside_acme_directory": "prod"}, "neither an https URL nor"),
        ({"portside_acme_ca_file": "/nowhere/ca.pem"}, "there is no such file on this machine"),
        ({"portside_acme_email": "ops"}, "is not an e-mail address"),
        ({"portside_egress": {"proxy": "x"}}, "unknown key `proxy`"),
    ],
)
def test_settings_refused(settings, words):
    assert words in "\n".join(apps.settings_problems(settings))


def test_settings_accepted():
    good = {"portside_acme_directory": "staging", "portside_acme_email": "ops@example.com", "portside_egress": {}}
    assert apps.settings_problems(good) == []


@pytest.mark.parametrize("certificate", [{"dns": "ours"}, {"own": {"certificate": "/c.pem", "key": "/k.pem"}}])
def test_a_wildcard_that_dns_proves_or_that_the_user_brings(certificate):
    (app,) = apps.complete([{**SHOP, "domains": ["example.com", "*.example.com"], "certificate": certificate}])
    assert app["domains"] == ["example.com", "*.example.com"]
