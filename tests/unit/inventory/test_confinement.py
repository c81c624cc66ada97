"""Apps whose way out the firewall shuts: their networks, the firewall's rules, and what is refused."""

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.vps.plugins.filter import apps as filters
from ansible_collections.portside.vps.plugins.filter import diagnosis
from ansible_collections.portside.vps.plugins.filter.firewall import firewall_problems
from ansible_collections.portside.vps.plugins.module_utils.releases import spec, validate

DB = {"name": "db", "image": "postgres:17", "port": 5432, "expose": "private"}
API = {"name": "api", "image": "acme/api:1", "port": 8000}
PLACE = {"network": "10.0.0.0/8", "port": 5432}


def networks(*raw):
    """App -> Docker's names of its networks, each with whether its bridge is shut."""
    apps = validate.apps(filters.app_containers(list(raw), {}, "/up"))
    found = {app.name: app.network_bridges for app in map(spec.app, apps)}
    shut = {item["bridge"] for item in filters.app_confined_networks(list(raw))}
    assert {bridge for one in found.values() for bridge in one.values() if bridge} == shut, "each has its rule"
    return {name: {network: bool(bridge) for network, bridge in one.items()} for name, one in found.items()}


def fingerprint(*raw):
    apps = validate.apps(filters.app_containers(list(raw), {}, "/up"))
    return [spec.fingerprint(app, b"salt") for app in map(spec.app, apps)]


def test_an_app_that_says_nothing_has_the_network_that_it_always_had():
    assert networks(API) == {"api": {"portside.app.api": False}}
    assert networks({**API, "networks": ["shop"]}) == {"api": {"portside.net.shop": False}}
    assert filters.app_confined_networks([API, {**DB, "egress": "proxy"}]) == []
    (container,) = filters.app_containers([API], {}, "/up")
    assert not {"bridges", "dns"} & set(container)


def test_an_app_with_no_way_out_has_a_network_that_is_shut():
    assert networks({**API, "egress": "none"}) == {"api": {"portside.list.api": True}}
    (rule,) = filters.app_confined_networks([{**API, "egress": "none"}])
    assert rule["to"] == []
    assert re.fullmatch(r"br-[0-9a-f]{12}", rule["bridge"]), "as Docker's own are called: the guard trusts it"
    assert "app api" in rule["comment"]


def test_a_database_has_no_way_out_where_its_neighbour_has_one():
    shared = {"networks": ["shop"]}
    assert networks({**DB, **shared, "egress": "none"}, {**API, **shared}) == {
        "db": {"portside.shut.shop": True},
        "api": {"portside.app.api": False, "portside.shut.shop": True},
    }


def test_neighbours_with_lists_of_their_own_do_not_share_them():
    one = {**API, "networks": ["shop"], "egress": {"to": [PLACE]}}
    other = {**one, "name": "blog", "egress": {"to": [{"network": "2001:db8::/32", "port": "443"}]}}
    assert networks(one, other) == {
        "api": {"portside.list.api": True, "portside.shut.shop": True},
        "blog": {"portside.list.blog": True, "portside.shut.shop": True},
    }
    by_comment = {item["comment"]: item.get("to", []) for item in filters.app_confined_networks([one, other])}
    assert by_comment == {
        "network shop: nothing goes out": [],
        "egress of app api": [{"network": "10.0.0.0/8", "port": "5432"}],
        "egress of app blog": [{"network": "2001:db8::/32", "port": "443"}],
    }


def test_an_app_that_is_gone_shuts_nothing():
    gone = {**DB, "networks": ["shop"], "egress": "none", "state": "absent"}
    assert networks({**API, "networks": ["shop"]}) == {"api": {"portside.net.shop": False}}
    assert filters.app_confined_networks([gone, {**API, "networks": ["shop"]}]) == []


@pytest.mark.parametrize(
    ("egress", "dns"),
    [
        ("direct", []),
        ("none", ["127.0.0.1"]),
        ({"to": [PLACE]}, ["127.0.0.1"]),
        ({"to": [PLACE], "dns": True}, []),
    ],
)
def test_names_are_looked_up_outside_only_where_that_is_declared(egress, dns):
    """A question for a name can carry data out."""
    (container,) = filters.app_containers([{**API, "egress": egress}], {}, "/up")
    assert container.get("dns", []) == dns
    (app,) = map(spec.app, validate.apps([container]))
    body = spec.container_config(app, "image", 1, "hash", 18000)
    assert body["HostConfig"].get("Dns", []) == dns
    (places,) = [item.get("to", []) for item in filters.app_confined_networks([{**API, "egress": egress}])] or [[]]
    assert ({"network": "::/0", "port": "53", "proto": "udp"} in places) is (egress != "direct" and not dns)


def test_a_list_goes_together_with_a_proxy():
    egress = {"https_proxy": "http://10.0.0.5:3128", "to": [{"network": "10.0.0.5", "port": 3128}]}
    (container,) = filters.app_containers([{**API, "egress": egress}], {}, "/up")
    assert container["env"]["https_proxy"] == "http://10.0.0.5:3128"
    assert filters.inventory_problems({"portside_apps": [{**API, "egress": egress}]}, []) == []


def test_a_change_of_the_list_alone_makes_no_release():
    others = {"to": [PLACE, {"network": "192.0.2.7"}]}
    assert fingerprint({**API, "egress": {"to": [PLACE]}}) == fingerprint({**API, "egress": others})


@pytest.mark.parametrize(
    ("egress", "words"),
    [
        ("nowhere", "allowed are direct, proxy, none"),
        ({"to": [{"port": 443}]}, "`network` is missing"),
        ({"to": [{"network": "db.example.com"}]}, "`to` item 1: `network: db.example.com` is no IP address or network"),
        ({"to": [{"network": "10.0.0.1/8"}]}, "the network is 10.0.0.0/8"),
        ({"to": [PLACE, {"network": "10.0.0.1", "port": "0"}]}, "`to` item 2: `port: 0` is not within 1 to 65535"),
        ({"to": [{"network": "10.0.0.1", "port": "80,443"}]}, "a list of ports is one rule each"),
        ({"to": [{"network": "10.0.0.1", "proto": "icmp"}]}, "allowed are tcp, udp"),
        ({"to": [{"network": "10.0.0.1", "host": "x"}]}, "unknown key `host`"),
        ({"dns": True}, "`dns` goes with `to`"),
    ],
)
def test_what_can_not_be_enforced_is_refused_before_anything_changes(egress, words):
    problems = filters.inventory_problems({"portside_apps": [{**API, "egress": egress}]}, [])
    assert any("app `api`" in problem and words in problem for problem in problems), problems


def test_what_the_playbooks_make_of_it_the_firewall_takes():
    rules = filters.app_confined_networks([{**API, "egress": {"to": [PLACE], "dns": True}}, {**DB, "egress": "none"}])
    assert firewall_problems([], [], [], 0, egress=rules) == []
    twice = firewall_problems([], [], [], 0, egress=[rules[0], rules[0]])
    assert twice == [f"ufw_docker_egress, item 2 ({rules[0]['bridge']}): stands in the list twice"]


def test_the_diagnosis_asks_nobody_for_an_app_that_is_not_to_go_out():
    shown = {app["name"]: app for app in diagnosis.diagnose_apps([{**API, "egress": "none"}, {**DB}], "/up")}
    assert shown["api"]["checks"] == []
    assert shown["db"]["checks"] == ["https://api.stripe.com"]
    named = {**API, "egress": {"to": []}, "egress_checks": ["https://a.example.com"]}
    (app,) = diagnosis.diagnose_apps([named], "/up")
    assert app["checks"] == ["https://a.example.com"]
    assert app["enforced"] == {"rule": "`to` in `egress`", "some": False, "names": False}
