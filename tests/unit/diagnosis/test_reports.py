"""The report for people: terminal, HTML, and the words of the table."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.portside.vps.plugins.filter import diagnosis as filters
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import causes, page, report
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.verdict import verdict

from tests.unit.diagnosis.observations import ADDRESSES, HOOK, World


def diagnosis(world: World) -> dict:
    return verdict(world.declared, world.host, world.outside, world.egress, ADDRESSES)


def expired() -> World:
    world = World()
    world.certificate["days"] = -3
    world.untrusted(10, "certificate has expired")
    return world


def text(world: World) -> list[str]:
    return [line for line, _ in report.lines(diagnosis(world))]


def test_a_healthy_path_is_drawn_from_the_internet_to_the_app_with_marks_and_times():
    lines = text(World())
    assert lines[0] == "shop-api: nothing is broken"
    drawn = [line for line in lines if "✔" in line]
    titles = ["internet, DNS", "firewall", "nginx", "certificate", "loopback port", "container", "app", "way out"]
    assert [next(title for title in titles if f"✔ {title} " in line) for line in drawn] == titles
    assert sum(" ms " in line for line in drawn) == 7, "all but the container are timed"
    assert sum(line == "  │" for line in lines) == 6, "joined down to the app, and the way out apart"


def test_the_line_breaks_at_the_first_broken_hop_and_the_cure_follows():
    lines = text(expired())
    at = next(number for number, line in enumerate(lines) if "✘ certificate" in line)
    assert "  ┊" not in lines[:at]
    assert "  ┊" in lines[at:]
    whole = " ".join(" ".join(lines).split())
    assert "FIRST certificate: the certificate of api.example.com expired" in whole
    assert "mend `ansible-playbook site.yml` renews it." in whole
    assert max(map(len, lines)) <= report.WIDTH


def test_the_message_of_the_run_is_the_first_cause_and_its_cure():
    message = report.message("web1", [diagnosis(expired()), diagnosis(World())])
    assert message.startswith("web1: shop-api: broken at certificate: the certificate of api.example.com expired")
    assert "To mend it: `ansible-playbook site.yml`" in message
    assert report.message("web1", [diagnosis(World())]) == ""


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_shows_what_the_app_wrote_as_text():
    world = World()
    world.container["status"] = "exited"
    world.container["log"] = ["<script>alert(1)</script>"]
    world.app["attempts"] = [
        {"time": "t", "status": 400, "seconds": 1, "method": "POST", "uri": "/<b>", "client": "c", "signed": True}
    ]
    html = page.page({"web1": [diagnosis(world)]}, "html", "now")
    checker = Checker()
    checker.feed(html)
    assert checker.open == []
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html


def test_the_json_says_whether_all_is_well_and_why_not():
    whole = json.loads(page.page({"web1": [diagnosis(expired())]}, "json", "now"))
    assert whole["ok"] is False
    (first,) = whole["hosts"]["web1"][0]["findings"]
    assert (first["cause"], first["hop"]) == ("certificate-expired", "certificate")


def test_every_cause_says_what_is_seen_why_it_matters_and_what_mends_it():
    for cause in causes.CAUSES:
        assert min(len(part) for part in (cause.seen, cause.why, cause.cure)) > 10, cause.id


RAW = [
    {
        "name": "shop",
        "image": "acme/shop:1",
        "port": 8000,
        "domains": ["api.example.com"],
        "webhooks": [{"path": HOOK}],
    },
    {"name": "mailer", "image": "acme/mailer:1", "egress_checks": []},
    {"name": "crawler", "image": "acme/crawler:1", "egress": "proxy"},
    {"name": "old", "state": "absent"},
]


def test_the_modules_are_told_of_each_app_that_is_present():
    shop, mailer, _ = filters.diagnose_apps(RAW, "/up")
    assert (shop["upstream_file"], shop["webhooks"], shop["health"]["host"]) == (
        "/up/shop.conf",
        [HOOK],
        "api.example.com",
    )
    assert shop["checks"] == ["https://api.stripe.com"]
    assert (mailer["upstream_file"], mailer["checks"], mailer["port"]) == ("", [], None)
    assert [app["name"] for app in filters.diagnose_apps(RAW, "/up", ["mailer"])] == ["mailer"]
    with pytest.raises(AnsibleFilterError, match="no app is called sho; there are shop, mailer, crawler"):
        filters.diagnose_apps(RAW, "/up", ["sho"])


def test_an_app_of_another_host_is_no_mistake_and_one_of_no_host_is():
    everywhere = [RAW, [{"name": "blog"}], [], "nonsense", [{"name": "gone", "state": "absent"}]]
    assert filters.diagnose_apps(RAW, "/up", ["blog"], everywhere) == []
    assert [app["name"] for app in filters.diagnose_apps(RAW, "/up", ["blog", "shop"], everywhere)] == ["shop"]
    assert filters.diagnose_apps([], "/up", [], everywhere) == []
    with pytest.raises(AnsibleFilterError, match="no app is called gone; there are shop, mailer, crawler, blog"):
        filters.diagnose_apps(RAW, "/up", ["gone", "blog"], everywhere)


def test_a_webhook_below_another_apps_path_is_that_apps():
    site = {
        "locations": [
            {"path": "/api", "app": "api"},
            {"path": "/blog/", "app": "api", "strip_prefix": True},
            {"path": "/tool", "upstream": {"servers": ["127.0.0.1:9100"]}},
        ]
    }
    hooks = ["/own", "/api/stripe/", "/blog/stripe", "/tool/stripe"]
    web = {**RAW[0], "webhooks": [{"path": path} for path in hooks], "site": site}
    api = {"name": "api", "image": "acme/api:1", "port": 8000}
    found, other = filters.diagnose_apps([web, api], "/up")
    assert found["webhooks"] == hooks
    file = {"app": "api", "file": "/up/api.conf", "servers": [], "scheme": "http"}
    tool = {"app": "", "file": "", "servers": ["127.0.0.1:9100"], "scheme": "http"}
    assert found["targets"] == {
        "/api/stripe/": {**file, "path": "/api/stripe/", "prefix": ""},
        "/blog/stripe": {**file, "path": "/stripe", "prefix": "/blog"},
        "/tool/stripe": {**tool, "path": "/tool/stripe", "prefix": ""},
    }
    assert other["targets"] == {}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {}),
        ({"egress": "proxy"}, {"https_proxy": "portside_egress"}),
        ({"egress": {"https_proxy": "http://p:1"}}, {"https_proxy": "egress"}),
        ({"egress": "proxy", "env": {"HTTPS_PROXY": "http://u:hunter2@p:1", "A": "b"}}, {"https_proxy": "env"}),
        ({"secrets": {"all_proxy": "http://u:hunter2@p:1"}}, {"all_proxy": "secrets"}),
    ],
)
def test_the_verdict_is_told_where_each_proxy_is_declared_and_no_value(keys, expected):
    raw = [{"name": "mailer", "image": "acme/mailer:1", **keys}]
    (app,) = filters.diagnose_apps(raw, "/up", shared={"https_proxy": "http://u:hunter2@shared:1", "no_proxy": ["a"]})
    assert app["egress"] == expected
    assert "hunter2" not in str(app)
