"""What each role gets from the list of apps."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.filter import apps as filters
from ansible_collections.portside.vps.plugins.module_utils.releases import validate

SHOP = {
    "name": "shop-api",
    "image": "ghcr.io/acme/shop-api:1.4.2",
    "port": 8000,
    "domains": ["api.example.com", "www.example.com"],
    "webhooks": [{"path": "/webhooks/stripe"}],
}
WORKER = {"name": "mailer", "image": "acme/mailer:1"}
EGRESS = {"https_proxy": "http://proxy.example.com:3128", "no_proxy": ["api.stripe.com"]}


def containers(*raw, egress=None):
    return filters.app_containers(list(raw), egress or {}, "/up")


def test_a_worker_has_a_container_and_nothing_else():
    assert filters.app_sites([WORKER], "/up") == []
    assert filters.app_certificates([WORKER]) == []
    (container,) = containers(WORKER)
    assert "port" not in container
    assert "upstream_file" not in container


def test_site_and_container_share_the_upstream_file():
    (site,) = filters.app_sites([SHOP], "/up")
    (container,) = containers(SHOP)
    assert site["upstream"]["file"] == container["upstream_file"] == "/up/shop-api.conf"


def test_one_certificate_for_all_names_of_an_app():
    assert filters.app_certificates([SHOP]) == [
        {"name": "shop-api", "domains": ["api.example.com", "www.example.com"], "state": "present"}
    ]


def test_the_health_probe_carries_the_canonical_name():
    (container,) = containers(SHOP)
    assert container["health"]["host"] == "api.example.com"


def test_another_host_header_for_the_probe():
    (container,) = containers({**SHOP, "health": {"host": "internal.example.com"}})
    assert container["health"]["host"] == "internal.example.com"


def test_what_an_app_says_of_its_container_arrives_there():
    (container,) = containers({**SHOP, "stop_timeout": 5, "log": {"max_file": 2}, "command": "serve --all"})
    assert (container["stop_timeout"], container["log"]["max_file"]) == (5, 2)
    assert container["command"] == ["serve", "--all"]


def test_what_the_site_makes_of_an_app_is_what_the_role_takes():
    raw = [SHOP, WORKER, {**WORKER, "name": "gone", "state": "absent"}]
    assert validate.apps(containers(*raw))


def test_an_absent_app_is_absent_everywhere():
    gone = {**SHOP, "state": "absent"}
    assert {item["state"] for item in filters.app_sites([gone], "/up")} == {"absent"}
    assert {item["state"] for item in filters.app_certificates([gone])} == {"absent"}
    assert {item["state"] for item in containers(gone)} == {"absent"}


def test_direct_egress_sets_no_proxy_variable():
    (container,) = containers(SHOP, egress=EGRESS)
    assert container["env"] == {}


def test_proxied_egress_sets_both_cases_and_exempts_loopback_and_own_names():
    (container,) = containers({**SHOP, "egress": "proxy"}, egress=EGRESS)
    assert container["env"]["https_proxy"] == container["env"]["HTTPS_PROXY"] == EGRESS["https_proxy"]
    exempt = container["env"]["no_proxy"].split(",")
    assert exempt == ["localhost", "127.0.0.1", "::1", "api.example.com", "www.example.com", "api.stripe.com"]


def test_a_proxy_with_a_password_is_a_secret():
    (container,) = containers({**SHOP, "egress": "proxy"}, egress={"https_proxy": "http://me:pass@proxy.example.com"})
    assert container["env"] == {}
    assert container["secrets"]["HTTPS_PROXY"].startswith("http://me:pass@")


def test_web_ports_come_first_and_the_users_rules_follow():
    rules = filters.app_firewall_rules([{"port": "5432", "from": "10.0.0.5"}])
    assert [(rule["port"], rule.get("proto")) for rule in rules] == [
        ("80", "tcp"),
        ("443", "tcp"),
        ("443", "udp"),
        ("5432", None),
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"portside_app": []}, "`portside_app` is no variable of Portside: did you mean `portside_apps`?"),
        ({"portside_apps": [{"name": "x"}]}, "app `x`: `image` is missing"),
    ],
)
def test_inventory_problems(settings, words):
    assert words in "\n".join(filters.inventory_problems(settings, []))


def test_a_sound_inventory_has_no_problems():
    assert filters.inventory_problems({"portside_apps": [SHOP, WORKER]}, []) == []
