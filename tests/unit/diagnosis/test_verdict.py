"""Given these observations, this cause is named first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import causes, hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.verdict import verdict

from tests.unit.diagnosis.observations import ADDRESSES, HOOK, NAME, World

PROXY = "http://proxy.example.com:3128"


def diagnose(world: World) -> dict:
    return verdict(world.declared, world.host, world.outside, world.egress, world.addresses)


def causes_of(world: World) -> list[str]:
    return [one["cause"] for one in diagnose(world)["findings"]]


def enforced(world: World, **lets: bool) -> None:
    world.declared["enforced"] = {"rule": "`to` in `egress`", **lets}


def no_site(world: World, handshake: bool) -> None:
    world.host["nginx"]["sites"] = world.host["nginx"]["sites"][1:]
    for one in world.name["tls"]:
        one.update(
            {"ok": False, "code": 62, "error": "Hostname mismatch"}
            if handshake
            else {"ok": False, "error": "TLSV1_UNRECOGNIZED_NAME"}
        )
    world.outside["apps"]["shop-api"] = {"webhooks": {HOOK: None}, "health": None}


def told(world: World, kind: str, what: str) -> None:
    """A line in nginx's log."""
    world.host["told"] = {"complaints": [{"kind": kind, "server": NAME, "what": what}]}


def speaks(world: World, language: str, status: int) -> None:
    """The app answers in another language than it was asked in."""
    world.app["answers"]["health"].update(status=status)
    world.app["answers"]["speaks"] = language


def stopped(world: World) -> None:
    world.host["nginx"] |= {"active": False, "state": "inactive"}
    world.host["listening"] = {"80": [], "443": []}
    world.closed(80, "refused")
    world.closed(443, "refused")


def gone(world: World, status: str, **more: object) -> None:
    world.container.update({"status": status, "listening": [], "published": {}, "exit_code": 3, **more})
    world.app["owner"] = ""
    world.away()


def listens(world: World, *places: str) -> None:
    world.container["listening"] = [*places]
    world.away()


def elsewhere(world: World) -> None:
    world.container["published"] = {"8000": ["127.0.0.1:18999"]}
    world.app["owner"] = ""
    world.away()


def closed_by_ufw(world: World) -> None:
    world.closed(443)
    world.host["firewall"]["open"] |= {"443/4": [], "443/6": []}


def slow(world: World, seconds: float, status: int) -> None:
    for one in (world.direct, world.posted):
        one |= {"ms": int(seconds * 1000), "status": status, "error": "" if status else "no answer within 15 s"}


def handed_on(world: World, **more: object) -> None:
    """The webhook lies below a path that belongs to another app, which answers 400."""
    world.app["answers"]["webhooks"] = {}
    by = {"app": "api", "place": "127.0.0.1:18009", "container": "api-r1", "log": []}
    world.app["elsewhere"] = {HOOK: {"status": 400, "location": "", "error": "", "ms": 3, "by": by, **more}}


def unhealthy(world: World) -> None:
    world.app["answers"]["health"]["status"] = 500


# Fault -> the one cause that is named, and nothing beside it.
FAULTS: dict[str, tuple[str, Callable[[World], object]]] = {
    "no record": ("dns-missing", lambda w: w.name["dns"].update({"4": [], "6": []})),
    "resolver fails": ("dns-failed", lambda w: w.name["dns"].update({"4": [], "6": [], "error": "Temporary failure"})),
    "wrong A": ("dns-wrong-a", lambda w: w.name["dns"].update({"4": ["198.51.100.1"]})),
    "stale AAAA": ("dns-wrong-aaaa", lambda w: w.name["dns"].update({"6": ["2001:db8::dead"]})),
    "AAAA without IPv6": ("dns-extra-aaaa", lambda w: w.own(*ADDRESSES[:1])),
    "A without IPv4": ("dns-extra-a", lambda w: w.own(*ADDRESSES[1:])),
    "behind NAT": ("dns-behind-nat", lambda w: (w.own("10.0.0.5"), w.name["dns"].update({"4": ["8.8.8.8"], "6": []}))),
    "443 closed by ufw": ("firewall-closed", closed_by_ufw),
    "443 closed in front of the server": ("firewall-provider", lambda w: w.closed(443)),
    "80 closed in front of the server": ("firewall-provider", lambda w: w.closed(80)),
    "nginx stopped": ("nginx-stopped", stopped),
    "nginx not installed": ("nginx-missing", lambda w: (stopped(w), w.host["nginx"].update(installed=False, sites=[]))),
    "nginx file invalid": ("nginx-invalid", lambda w: w.host["nginx"].update(valid=False, said="unknown directive")),
    "another program on 443": ("nginx-not-listening", lambda w: w.host["listening"].update({"443": ["apache2"]})),
    "site missing": ("site-missing", lambda w: no_site(w, handshake=False)),
    "default server answers": ("site-default", lambda w: no_site(w, handshake=True)),
    "webhook redirected": (
        "webhook-redirected",
        lambda w: w.posted.update(status=301, location="https://www.example.com/"),
    ),
    "webhook behind a password": ("webhook-password", lambda w: w.posted.update(status=401)),
    "webhook forbidden": ("webhook-forbidden", lambda w: w.posted.update(status=403)),
    "webhook for its senders alone": (
        "webhook-guarded",
        lambda w: (w.declared.update(allowed={HOOK: ["192.0.2.1"]}), w.posted.update(status=403)),
    ),
    "webhook without the site's client certificate": (
        "webhook-certificate",
        lambda w: (w.declared.update(certified={HOOK: "site"}), w.posted.update(status=403)),
    ),
    "webhook too large": ("webhook-too-large", lambda w: w.posted.update(status=413)),
    "maintenance": ("webhook-stopped", lambda w: w.posted.update(status=503)),
    "signature lost on the way": (
        "webhook-altered",
        lambda w: (w.posted.update(signed=400), w.direct.update(signed=200)),
    ),
    "slow in nginx": ("webhook-slow", lambda w: w.posted.update(ms=12000)),
    "silent in nginx": ("webhook-slow", lambda w: w.posted.update(ms=15000, status=0, error="no answer within 15 s")),
    "page unavailable": ("nginx-unavailable", lambda w: w.outside["apps"]["shop-api"]["health"].update(status=503)),
    "placeholder": (
        "certificate-placeholder",
        lambda w: (w.certificate.update(self_signed=True), w.untrusted(18, "self-signed")),
    ),
    "expired": ("certificate-expired", lambda w: (w.certificate.update(days=-1), w.untrusted(10, "expired"))),
    "not valid yet": (
        "certificate-future",
        lambda w: (w.certificate.update(begun=False), w.untrusted(9, "not yet valid")),
    ),
    "another's certificate": (
        "certificate-name",
        lambda w: (w.certificate.update(names=["x.org"]), w.untrusted(62, "mismatch")),
    ),
    "chain incomplete": ("certificate-chain", lambda w: (w.certificate.update(chain=1), w.untrusted(20, "no issuer"))),
    "staging": (
        "certificate-staging",
        lambda w: (w.certificate.update(issuer="CN=(STAGING) X"), w.untrusted(20, "no issuer")),
    ),
    "private authority": ("certificate-untrusted", lambda w: w.untrusted(19, "self-signed in chain")),
    "handshake fails": ("certificate-handshake", lambda w: w.untrusted(0, "TLSV1_ALERT_PROTOCOL_VERSION")),
    "not renewed": ("certificate-soon", lambda w: w.certificate.update(days=5, late=True)),
    "nginx was not told of a renewal": ("certificate-stale", lambda w: w.certificate.update(on_disk="0B")),
    "no upstream": (
        "upstream-missing",
        lambda w: (w.app.update(upstream="", owner="", answers=None), w.posted.update(status=503)),
    ),
    "published elsewhere": ("upstream-elsewhere", elsewhere),
    "another container's port": ("upstream-stranger", lambda w: w.app.update(owner="other")),
    "published for everybody": (
        "published-publicly",
        lambda w: w.container.update(published={"8000": ["0.0.0.0:18000"]}),
    ),
    "forwarding lost": ("upstream-closed", lambda w: w.away()),
    "docker down": (
        "docker-down",
        lambda w: (w.app.update(container=None), w.host.update(docker="no daemon"), w.away()),
    ),
    "no container": ("container-missing", lambda w: (w.app.update(container=None, owner=""), w.away())),
    "container dead": ("container-dead", lambda w: gone(w, "exited")),
    "restart loop, between two starts": ("container-restarting", lambda w: gone(w, "restarting", restarts=7)),
    "restart loop, just running": (
        "container-restarting",
        lambda w: gone(w, "running", restarts=7, up=20, published={"8000": ["127.0.0.1:18000"]}),
    ),
    "paused": ("container-paused", lambda w: gone(w, "paused")),
    "unhealthy by its image": ("container-unhealthy", lambda w: w.container.update(health="unhealthy")),
    "listens on its own loopback": ("app-on-loopback", lambda w: listens(w, "127.0.0.1:8000", "127.0.0.11:40000")),
    "listens on another port": ("app-other-port", lambda w: listens(w, "0.0.0.0:3000")),
    "listens on no port": ("app-not-listening", lambda w: listens(w, "127.0.0.11:40000")),
    "health answers 500": ("app-unhealthy", unhealthy),
    "health hangs": (
        "app-silent",
        lambda w: w.app["answers"]["health"].update(status=0, error="no answer within 15 s"),
    ),
    "no such route": ("webhook-unknown", lambda w: (w.direct.update(status=404), w.posted.update(status=404))),
    "the app that a path belongs to is away": (
        "webhook-nobody",
        lambda w: (handed_on(w, status=0, error="Connection refused"), w.posted.update(status=503)),
    ),
    "route only below": (
        "webhook-prefix",
        lambda w: (w.direct.update(status=404), w.posted.update(status=404), w.app.update(below=[HOOK])),
    ),
    "no such route in the app that a path belongs to": (
        "webhook-unknown",
        lambda w: (handed_on(w, status=404), w.posted.update(status=404)),
    ),
    "app fails": ("app-error", lambda w: (w.direct.update(status=500), w.posted.update(status=500))),
    "slow": ("app-slow", lambda w: slow(w, 12, 400)),
    "slower than we wait": ("app-slow", lambda w: slow(w, 15, 0)),
    "other signing secret": ("webhook-secret", lambda w: (w.direct.update(signed=400), w.posted.update(signed=400))),
    "signature not checked": (
        "webhook-unchecked",
        lambda w: (w.direct.update(status=200), w.posted.update(status=200)),
    ),
    "redirected to itself": (
        "redirect-loop",
        lambda w: w.outside["apps"]["shop-api"]["health"].update(status=308, location=f"https://{NAME}/health"),
    ),
    "a login's cookies": ("header-too-large", lambda w: told(w, "header", "/callback")),
    "a name with an underscore": ("header-underscore", lambda w: told(w, "underscore", "X_API_KEY")),
    "an upgrade to something else": ("upgrade-dropped", lambda w: w.app.update(upgrades=["SPDY/3.1"])),
    "no PROXY protocol": ("proxy-protocol-missing", lambda w: w.host.update(told={"no_proxy_line": 3})),
    "a load balancer that asks by address": (
        "balancer-unanswered",
        lambda w: w.host.update(told={"checks": [{"path": "/up", "agent": "ELB-HealthChecker/2.0"}]}),
    ),
    "https alone": ("app-speaks-https", lambda w: speaks(w, "https", 400)),
    "gRPC": ("app-speaks-grpc", lambda w: speaks(w, "h2", 0)),
    "http after all": (
        "app-speaks-http",
        lambda w: (w.declared.update(health={**w.declared["health"], "scheme": "https"}), speaks(w, "http", 0)),
    ),
    "no name out": ("egress-dns", lambda w: w.out("dns", error="Name or service not known")),
    "no way out": ("egress-closed", lambda w: w.out("tcp", error="no answer within 4 s")),
    "no way out declared": (
        "egress-enforced",
        lambda w: (enforced(w, some=False, names=False), w.out("dns", error="Temporary failure in name resolution")),
    ),
    "not on the list": (
        "egress-enforced",
        lambda w: (enforced(w, some=True, names=True), w.out("tcp", error="No route to host")),
    ),
    "on the list, but down": (
        "egress-closed",
        lambda w: (enforced(w, some=True, names=True), w.out("tcp", error="Connection refused")),
    ),
    "proxy's name unknown": ("proxy-unknown", lambda w: w.out("proxy-dns", proxy=PROXY, direct="ok")),
    "proxy unreachable": ("proxy-unreachable", lambda w: w.out("proxy-tcp", proxy=PROXY, direct="ok")),
    "proxy's URL unreadable": ("proxy-url", lambda w: w.out("proxy-url", proxy="(not shown)", direct="ok")),
    "proxy is SOCKS": ("proxy-socks", lambda w: w.out("proxy-socks", proxy="(SOCKS)", direct="tcp")),
    "proxy not trusted": ("proxy-certificate", lambda w: w.out("proxy-certificate", proxy=PROXY, direct="ok")),
    "no handshake with the proxy": ("proxy-tls", lambda w: w.out("proxy-tls", proxy=PROXY, direct="ok")),
    "proxy refuses": ("proxy-refused", lambda w: w.out("connect", 403, "Filtered", proxy=PROXY, direct="ok")),
    "proxy wants a login": ("proxy-login", lambda w: w.out("connect", 407, proxy=PROXY, direct="tcp")),
    "proxy refuses the login": ("proxy-login", lambda w: w.out("connect", 401, proxy=PROXY, direct="tcp")),
    "certificate not trusted": ("egress-certificate", lambda w: w.out("certificate", error="self-signed")),
    "no handshake": ("egress-tls", lambda w: w.out("tls", error="EOF")),
    "error outside": ("egress-answer", lambda w: w.out("http", 503)),
    "silence outside": ("egress-silent", lambda w: w.out("silent", error="no answer within 15 s")),
    "not to be tried": ("egress-untried", lambda w: w.out("untried", error="FileNotFoundError: /proc/1/ns/net")),
    "CA file missing": ("egress-ca-file", lambda w: w.egress["trust"].update(stage="file", error="`A` names /a, no")),
    "no CA certificates": ("egress-ca-none", lambda w: w.egress["trust"].update(stage="none")),
}


def test_a_healthy_app_gives_no_alarm():
    diagnosis = diagnose(World())
    assert (diagnosis["ok"], diagnosis["findings"]) == (True, [])
    assert {hop["mark"] for hop in diagnosis["path"]} == {"ok"}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_one_name_and_no_other(fault):
    cause, happen = FAULTS[fault]
    world = World()
    happen(world)
    diagnosis = diagnose(world)
    assert [one["cause"] for one in diagnosis["findings"]] == [cause]
    assert diagnosis["ok"] == (causes.BY_ID[cause].level == causes.WARNING)
    (hop,) = [hop for hop in diagnosis["path"] if hop["mark"] in ("broken", "warning")]
    assert hop["hop"] == causes.BY_ID[cause].hop


def test_every_cause_of_the_table_but_one_comes_from_a_fault():
    # The one needs a server that nobody can log in to: below.
    assert {cause.id for cause in causes.CAUSES} - {cause for cause, _ in FAULTS.values()} == {"firewall-or-down"}


def test_a_webhook_of_another_apps_path_is_held_against_that_apps_answer():
    world = World()
    handed_on(world)
    assert diagnose(world)["findings"] == []
    world.posted["status"] = 413
    assert causes_of(world) == ["webhook-too-large"]


def test_the_table_is_in_the_order_of_the_path():
    order = [hops.ORDER.index(cause.hop) for cause in causes.CAUSES]
    assert order == sorted(order)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("wrong A", "expired"),
        ("443 closed by ufw", "container dead"),
        ("webhook behind a password", "expired"),
        ("expired", "listens on its own loopback"),
        ("container dead", "no way out"),
        ("nginx stopped", "container dead"),
        ("stale AAAA", "proxy refuses"),
    ],
)
def test_of_two_faults_the_one_nearer_to_the_internet_comes_first(first, second):
    world = World()
    FAULTS[second][1](world)
    FAULTS[first][1](world)
    assert causes_of(world) == [FAULTS[first][0], FAULTS[second][0]]


def test_what_is_broken_comes_before_what_is_only_to_be_looked_at_wherever_on_the_path():
    world = World()
    FAULTS["not renewed"][1](world)
    FAULTS["published for everybody"][1](world)
    assert causes_of(world) == ["published-publicly", "certificate-soon"]


def test_a_host_that_cannot_be_asked_is_judged_from_outside():
    world = World()
    world.closed(443)
    found = verdict(world.declared, None, world.outside, None, ADDRESSES)
    assert [one["cause"] for one in found["findings"]] == ["firewall-or-down"]
    assert [hop["mark"] for hop in found["path"]][-4:] == ["unseen"] * 4


def test_a_server_of_which_no_address_is_known_is_not_held_against_dns():
    world = World()
    world.closed(443)
    found = verdict(world.declared, None, world.outside, None, [])
    assert [one["cause"] for one in found["findings"]] == ["firewall-or-down"]
    world.name["dns"].update({"4": [], "6": []})
    first = verdict(world.declared, None, world.outside, None, [])["findings"][0]
    assert first["cause"] == "dns-missing"
    assert "with the server's address" in first["cure"]


def test_a_private_address_beside_a_public_one_is_no_reason_to_take_a_record_away():
    world = World()
    world.host["addresses"] = ["10.0.0.5", "2a00:1::1"]
    world.addresses = ["2a00:1::1"]
    world.name["dns"].update({"4": ["8.8.8.8"], "6": ["2a00:1::1"]})
    assert causes_of(world) == ["dns-behind-nat"]
    world.name["dns"].update({"4": ["10.0.0.5"]})
    assert causes_of(world) == []


def test_ipv6_that_this_machine_does_not_have_is_nobodys_fault():
    world = World()
    for one in world.outside["ports"]:
        if ":" in one["address"]:
            one |= {"answer": "unreachable", "error": "Network is unreachable"}
    assert causes_of(world) == []


def test_going_without_the_proxy_is_advised_only_when_it_was_tried_and_works():
    for direct, advised in (("ok", True), ("tcp", False)):
        world = World()
        world.out("connect", 403, "Filtered", proxy=PROXY, direct=direct)
        (found,) = diagnose(world)["findings"]
        assert ("egress: direct" in found["cure"]) is advised
        assert ("tried and works" in found["why"]) is advised
        assert "Tunnel connection failed: 403" in found["why"]
        assert "HTTPS_PROXY" in found["seen"]


PLACES = {
    "portside_egress": ("`portside_egress`", "`portside_egress.no_proxy: [api.stripe.com]`, or `egress: direct`"),
    "egress": ("`egress` of app shop-api", "`no_proxy: [api.stripe.com]` in `egress` of app shop-api, or `egress: dir"),
    "env": ("`https_proxy` and `HTTPS_PROXY` in `env` of app shop-api", "api.stripe.com in `no_proxy` and `NO_PROXY` "),
    "secrets": ("`HTTPS_PROXY` in `secrets` of app shop-api", "or without the variable"),
    "image": ("in `env` of app shop-api (what is there now comes from the image)", "both variables empty in `env` of"),
}


@pytest.mark.parametrize("stage", ["proxy-dns", "proxy-tcp", "proxy-url", "proxy-socks", "proxy-tls", "connect"])
@pytest.mark.parametrize("source", PLACES)
def test_the_cure_names_the_place_where_the_proxy_is_declared_and_no_other(source, stage):
    place, without = PLACES[source]
    world = World()
    world.declared["egress"] = {} if source == "image" else {"https_proxy": source}
    world.out(stage, 407 if stage == "connect" else 0, proxy=PROXY, direct="ok")
    (found,) = diagnose(world)["findings"]
    assert place in found["cure"]
    assert without in found["cure"]
    assert ("portside_egress" in found["cure"]) is (source == "portside_egress")
    assert ("egress: direct" in found["cure"]) is (source in ("portside_egress", "egress"))


@pytest.mark.parametrize(
    ("stage", "url", "attempt", "expected"),
    [
        ("file", "https://api.stripe.com", "certificate", ["egress-ca-file"]),
        ("none", "https://api.stripe.com", "certificate", ["egress-certificate"]),
        ("none", "http://example.com", "proxy-certificate", ["proxy-certificate"]),
        ("file", "http://example.com", "proxy-certificate", ["egress-ca-file"]),
        ("file", "http://example.com", "ok", []),
        ("none", "http://example.com", "ok", []),
        ("file", "https://api.stripe.com", "dns", ["egress-ca-file", "egress-dns"]),
    ],
)
def test_one_want_of_certificates_is_said_once_and_only_where_it_matters(stage, url, attempt, expected):
    world = World()
    world.egress["trust"]["stage"] = stage
    world.out(attempt)
    world.egress["checks"][0]["url"] = url
    assert causes_of(world) == expected


def test_a_worker_has_no_way_in_and_is_judged_by_its_container_and_its_way_out():
    world = World()
    world.declared |= {"port": None, "domains": [], "webhooks": [], "upstream_file": ""}
    world.app.update(answers=None, upstream="", certificates={})
    world.container.update({"published": {}, "listening": []})
    diagnosis = diagnose(world)
    assert diagnosis["findings"] == []
    assert [hop["hop"] for hop in diagnosis["path"]] == ["container", "egress"]


def test_restarts_of_long_ago_are_no_loop():
    world = World()
    world.declared |= {"port": None, "domains": [], "webhooks": [], "upstream_file": "", "checks": []}
    world.app.update(answers=None, upstream="", certificates={})
    world.container.update({"published": {}, "listening": [], "restarts": 7})
    assert causes_of(world) == []
    world.container["up"] = 20
    assert causes_of(world) == ["container-restarting"]
    served = World()
    listens(served, "127.0.0.11:40000")
    served.container["restarts"] = 7
    assert causes_of(served) == ["app-not-listening"]


def test_a_webhooks_own_list_of_senders_is_no_fault_and_one_that_nobody_declared_is():
    world = World()
    world.declared["allowed"] = {"/other": ["192.0.2.0/24"]}
    world.posted["status"] = 403
    assert causes_of(world) == ["webhook-forbidden"]
    world.declared["allowed"] = {HOOK: ["192.0.2.0/24"]}
    diagnosis = diagnose(world)
    (found,) = diagnosis["findings"]
    assert (found["cause"], diagnosis["ok"]) == ("webhook-guarded", True)
    assert "192.0.2.0/24" in found["seen"]


def test_a_webhook_that_wants_a_client_certificate_itself_is_as_declared():
    world = World()
    world.declared["certified"] = {HOOK: "webhook"}
    world.posted["status"] = 403
    assert causes_of(world) == []
    world.posted["status"] = 401
    assert causes_of(world) == ["webhook-password"]


def test_a_path_below_which_events_arrive_is_only_to_be_looked_at():
    world = World()
    world.direct["status"] = world.posted["status"] = 404
    world.app["below"] = ["/other"]
    assert causes_of(world) == ["webhook-unknown"]
    world.app["below"] = [HOOK]
    diagnosis = diagnose(world)
    assert ([one["cause"] for one in diagnosis["findings"]], diagnosis["ok"]) == (["webhook-prefix"], True)


def test_the_case_of_a_name_plays_no_part():
    world = World()
    world.certificate["names"] = ["*.EXAMPLE.com"]
    world.host["nginx"]["sites"][0]["names"] = ["API.example.com"]
    assert causes_of(world) == []


def test_a_second_name_is_looked_at_too():
    world = World()
    world.declared["domains"] = [NAME, "www.example.com"]
    world.outside["names"]["www.example.com"] = {
        "dns": {"4": ["198.51.100.9"], "6": [], "error": "", "ms": 1},
        "tls": world.name["tls"],
    }
    world.host["nginx"]["sites"][0]["names"].append("www.example.com")
    world.app["certificates"]["www.example.com"] = {**world.certificate, "names": [NAME, "www.example.com"]}
    (found,) = diagnose(world)["findings"]
    assert "www.example.com" in found["seen"]


def test_what_the_last_lines_are_known_to_mean_comes_first() -> None:
    world = World()
    gone(world, "restarting", restarts=7, log=["s6-overlay-suexec: fatal: can only run as pid 1"])
    (found,) = diagnose(world)["findings"]
    assert found["cure"].startswith("The image has an init of its own")
    assert "`init: false`" in found["cure"]
