"""NO_PROXY in the form that all clients read alike, and what each app gets."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import apps, egress

SHOP = {"name": "shop", "image": "example.com/shop:1", "port": 8000, "domains": ["shop.example.com"]}
PROXY = {"https_proxy": "http://proxy.example.com:3128"}


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        ("api.stripe.com", ["api.stripe.com"]),
        ("API.Stripe.com", ["api.stripe.com"]),
        (" db ", ["db"]),
        ("192.0.2.7", ["192.0.2.7"]),
        ("2001:DB8::1", ["2001:db8::1"]),
        ("192.0.2.8/30", ["192.0.2.8", "192.0.2.9", "192.0.2.10", "192.0.2.11"]),
        ("192.0.2.9/32", ["192.0.2.9"]),
    ],
)
def test_what_all_clients_understand(entry, wanted):
    assert egress.portable(entry) == (wanted, None)


@pytest.mark.parametrize(
    ("entry", "spelling"),
    [
        ("*.stripe.com", "`stripe.com`"),
        (".stripe.com", "`stripe.com`"),
        ("stripe.com.", "`stripe.com`"),
        ("api.stripe.com:443", "`api.stripe.com`"),
        ("https://api.stripe.com/v1", "`api.stripe.com`"),
        ("[2001:db8::1]", "`2001:db8::1`"),
        ("[2001:db8::1]:443", "`2001:db8::1`"),
        ("*", "`egress: direct`"),
        ("10.0.0.0/8", "at most 16 addresses"),
        ("10.0.0.0/33", "neither"),
        ("two words", "neither"),
        ("192.168.", "as a range half of the clients don't understand it: name the hosts"),
        ("192.168", "as a range"),
        ("10", "as a range"),
        ("10.*", "neither"),
        ("010.0.0.1", "is no whole address"),
        ("10.0.0.256", "is no whole address"),
        ("db.1", "is no whole address"),
        ("fe80::1%eth0", "no client reads an interface there"),
        ("fe80::%eth0/127", "no client reads an interface there"),
        ("", "neither"),
    ],
)
def test_what_only_some_understand_is_refused_with_the_portable_spelling(entry, spelling):
    names, problem = egress.portable(entry)
    assert names == []
    assert spelling in problem


@pytest.mark.parametrize("entry", ["192.0.2.7:443", "http://192.0.2.7/", "[2001:db8::1]", ".192.0.2.7", "192.168."])
def test_of_an_address_nobody_is_told_that_it_stands_for_what_lies_below_it(entry):
    assert "below" not in egress.portable(entry)[1]


@pytest.mark.parametrize("name", ["1.example.com", "s3", "4chan.org", "10-0-0-1.example.com"])
def test_a_name_may_hold_numbers(name):
    assert egress.portable(name) == ([name], None)


def test_loopback_is_spelled_out_first_and_nothing_stands_there_twice():
    found, wrong = egress.no_proxy(["db", "127.0.0.1", "db"])
    assert found == ["localhost", "127.0.0.1", "::1", "db"]
    assert wrong == []


@pytest.mark.parametrize(
    "url",
    [
        "http://proxy.example.com:3128",
        "http://proxy:3128/",
        "https://me:p%40ss@proxy.example.com",
        "http://[2001:db8::1]:3128",
        "http://token@proxy:3128",
        "http://u:~!$&'()*+,;=:-%23%22@proxy:3128",
    ],
)
def test_a_proxys_url(url):
    assert egress.problems({"http_proxy": url}, "x") == []


@pytest.mark.parametrize(
    "url",
    [
        "squid.example.com:3128",
        "socks5://proxy:1080",
        "http://proxy:99999",
        "http://proxy:0",
        "http://a b",
        "http://u:hunter2#w@proxy:3128",
        "http://u:hunter2?w@proxy:3128",
        'http://u:hunter2"w@proxy:3128',
        "http://u:hunter2/w@proxy:3128",
        "http://u:hunter2@w@proxy:3128",
        "http://u:hunter2%w@proxy:3128",
        "http://h?x:1",
        "http://h#x:1",
        'http://h"x:1',
        "http://[::1::]:1",
        "http://[127.0.0.1]:1",
        "http://proxy:3128\n",
    ],
)
def test_what_is_no_proxys_url_is_refused_without_being_quoted(url):
    (problem,) = egress.problems({"http_proxy": url}, "app `shop`")
    assert "app `shop`: `http_proxy`" in problem
    assert "`#` is `%23`" in problem
    assert url not in problem
    assert "hunter2" not in problem


def test_both_cases_of_every_variable():
    found = egress.environment({**PROXY, "no_proxy": ["api.stripe.com"]}, ["shop.example.com"])
    exempt = "localhost,127.0.0.1,::1,shop.example.com,api.stripe.com"
    assert found == {
        "https_proxy": PROXY["https_proxy"],
        "HTTPS_PROXY": PROXY["https_proxy"],
        "no_proxy": exempt,
        "NO_PROXY": exempt,
    }


def test_an_app_may_have_a_proxy_of_its_own():
    (app,) = apps.complete([{**SHOP, "egress": {**PROXY, "no_proxy": ["db"]}}])
    assert egress.of_app(app, {"https_proxy": "http://another:3128"})["https_proxy"] == PROXY["https_proxy"]
    assert apps.egress_problems([app], {}) == []


@pytest.mark.parametrize(
    ("value", "shared", "told"),
    [
        ("proxy", {}, "in `portside_egress`"),
        ({"no_proxy": ["db"]}, PROXY, "in its dictionary"),
        ({**PROXY, "no_proxy": ["*.stripe.com"]}, {}, "app `shop`: `egress`: `no_proxy` item `*.stripe.com`"),
        ("direct", {**PROXY, "no_proxy": ["10.0.0.0/8"]}, "portside_egress: `no_proxy` item `10.0.0.0/8`"),
    ],
)
def test_a_declaration_that_would_not_work_is_refused(value, shared, told):
    (app,) = apps.complete([{**SHOP, "egress": value}])
    (problem,) = apps.egress_problems([app], shared)
    assert told in problem


def test_a_misspelt_key_is_named():
    with pytest.raises(apps.InvalidInputError, match="`egress`: unknown key `proxy`"):
        apps.complete([{**SHOP, "egress": {"proxy": "http://proxy:3128"}}])


def test_who_is_reached_by_name_is_not_asked_of_the_proxy():
    complete = apps.complete(
        [
            {**SHOP, "networks": ["back"]},
            {"name": "db", "image": "example.com/db:1", "networks": ["back", "other"]},
            {"name": "cache", "image": "example.com/cache:1", "networks": ["other"]},
            {"name": "alone", "image": "example.com/alone:1"},
        ]
    )
    assert [egress.neighbours(app, complete) for app in complete] == [
        ["db", "shop"],
        ["cache", "db", "shop"],
        ["cache", "db"],
        ["alone"],
    ]


@pytest.mark.parametrize(
    ("way", "told"),
    [
        ("proxy", "portside_egress: `docker` needs"),
        ({**PROXY, "no_proxy": [".corp"]}, "portside_egress: `docker`: `no_proxy` item `.corp`"),
    ],
)
def test_a_way_of_the_servers_own_that_would_not_work_is_refused(way, told):
    (problem,) = apps.egress_problems([], {"docker": way})
    assert told in problem


def test_docker_and_certbot_go_their_declared_way_and_directly_by_default():
    shared = {**PROXY, "no_proxy": ["registry.example.com"], "docker": "proxy", "certbot": "direct"}
    assert egress.consumer_environment(shared, "docker")["NO_PROXY"].endswith("::1,registry.example.com")
    assert egress.consumer_environment(shared, "certbot") == {}
    assert egress.consumer_environment(PROXY, "docker") == {}
    assert egress.consumer_environment(None, "docker") == {}


@pytest.mark.parametrize(
    ("shared", "lines"),
    [
        ({}, []),
        (PROXY, []),
        ({**PROXY, "apt": "direct"}, ['Acquire::http::Proxy "DIRECT";', 'Acquire::https::Proxy "DIRECT";']),
        (
            {**PROXY, "no_proxy": ["deb.example.com"], "apt": "proxy"},
            [
                'Acquire::http::Proxy "DIRECT";',
                'Acquire::https::Proxy "http://proxy.example.com:3128";',
                'Acquire::http::Proxy::deb.example.com "DIRECT";',
            ],
        ),
    ],
)
def test_apts_file(shared, lines):
    text = egress.apt_conf(shared)
    assert (text == "") is (not lines)
    assert set(lines) <= set(text.splitlines())


def test_a_server_is_known_by_addresses_and_full_names_alone():
    assert egress.server_names(["web1", "198.51.100.7", "web1.example.com", "2001:db8::7", "web1.example.com"]) == [
        "198.51.100.7",
        "web1.example.com",
        "2001:db8::7",
    ]


def test_ansibles_own_downloads_inherit_nothing_and_go_their_declared_way():
    direct = egress.download_environment(PROXY)
    assert set(direct.values()) == {""}
    assert {"http_proxy", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"} <= set(direct)
    proxied = egress.download_environment({**PROXY, "downloads": "proxy"}, ["198.51.100.7"])
    assert proxied["HTTPS_PROXY"] == proxied["https_proxy"] == PROXY["https_proxy"]
    assert proxied["http_proxy"] == ""
    assert proxied["NO_PROXY"] == "localhost,127.0.0.1,::1,198.51.100.7"
