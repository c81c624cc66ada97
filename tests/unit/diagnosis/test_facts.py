"""What the host's own words mean: nginx's dump, upstream files, access logs, Docker's description, sockets."""

from __future__ import annotations

import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import (
    containers,
    egress,
    host,
    outside,
    probe,
    route,
    trust,
)

from lab import pki
from lab.stripe import EVENT, signature

DUMP = """\
# configuration file /etc/nginx/nginx.conf:
http { include conf.d/*.conf; }

# configuration file /etc/nginx/conf.d/a.conf:
server { listen 443 ssl default_server; server_name _; }
# configuration file /etc/nginx/sites-enabled/shop:
server { listen 443 ssl; listen [::]:443 ssl; server_name api.example.com; }
"""
CAPTURED = Path(__file__).resolve().parents[1] / "engine" / "captured"


def test_the_sites_of_nginx_are_known_with_their_files():
    default, shop = host.sites(host.split_dump(DUMP))
    assert (default["file"], default["defaults"]) == ("/etc/nginx/conf.d/a.conf", ["0.0.0.0:443"])
    assert shop["names"] == ["api.example.com"]
    assert shop["addresses"] == ["0.0.0.0:443", "[::]:443"]


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("server 127.0.0.1:18000 max_fails=0;\n", ["127.0.0.1:18000"]),
        ("# The live release\n    server [::1]:18001;\n", ["[::1]:18001"]),
        ("", []),
    ],
)
def test_an_upstream_file_names_the_address(tmp_path, text, places):
    file = tmp_path / "shop.conf"
    file.write_text(text)
    assert host.upstream(str(file)) == places


def test_no_upstream_file_is_no_address(tmp_path):
    assert host.upstream(str(tmp_path / "none.conf")) == []


def entry(uri: str, **more) -> str:
    base = {"time": "t", "client": "c", "method": "POST", "uri": uri, "status": 400, "seconds": 0.01, "upstream": "u"}
    return json.dumps({**base, "stripe_signature": True, "user_agent": "Stripe/1.0", **more})


def test_the_last_webhook_requests_come_from_the_log_the_newest_first_and_without_our_own():
    log = "\n".join(
        [
            '"status":400} cut in the middle',
            *(entry(f"/webhooks/stripe?n={number}") for number in range(8)),
            entry("/webhooks/stripe/below"),
            entry("/webhooks/stripes"),
            entry("/"),
            entry("/webhooks/stripe", user_agent=probe.USER_AGENT),
        ]
    )
    found = host.attempts(log, ["/webhooks/stripe"])
    assert [one["uri"].rpartition("/")[2] for one in found][:2] == ["below", "stripe"]
    assert len(found) == host.ATTEMPTS
    assert found[0]["signed"] is True


def test_a_query_is_not_shown():
    (found,) = host.attempts(entry("/webhooks/stripe?token=secret"), ["/webhooks/stripe"])
    assert "secret" not in json.dumps(found)
    assert found["uri"] == "/webhooks/stripe"


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (entry("/webhooks/stripe/eu", status=200), True),
        (entry("/webhooks/stripe/eu?a=b", status=204), True),
        (entry("/webhooks/stripe/eu", status=400), False),
        (entry("/webhooks/stripe/eu", status=200, method="GET"), False),
        (entry("/webhooks/stripe/eu", status=200, user_agent=probe.USER_AGENT), False),
        (entry("/webhooks/stripe/", status=200), False),
        (entry("/webhooks/stripes/eu", status=200), False),
        ('"cut in the middle', False),
    ],
)
def test_the_log_tells_whether_events_are_taken_below_a_path(line, taken):
    assert host.taken_below(line, ["/webhooks/stripe", "/other"]) == (["/webhooks/stripe"] if taken else [])


@pytest.mark.parametrize(("started", "least", "most"), [(-20, 20, 25), (-7200, 7200, 7205)])
def test_how_long_a_container_is_up_comes_from_when_it_was_started(started, least, most):
    moment = datetime.now(UTC) + timedelta(seconds=started)
    assert least <= containers.up(moment.strftime("%Y-%m-%dT%H:%M:%S.123456789Z")) <= most
    assert containers.up("") == 0


def test_container_that_started_by_a_clock_ahead_has_no_negative_age() -> None:
    assert containers.up("2999-01-01T00:00:00.1Z") == 0


def test_a_container_is_described_with_its_ports_and_its_environment():
    inspected = json.loads((CAPTURED / "inspect_run_20.10.json").read_text(encoding="utf-8"))
    inspected = inspected[0] if isinstance(inspected, list) else inspected
    found = containers.described(inspected)
    assert found["status"] == "running"
    assert all(place.count(":") == 1 for places in found["published"].values() for place in places)


def test_what_listens_in_a_container_is_read_from_its_namespace(tmp_path):
    (tmp_path / "7" / "net").mkdir(parents=True)
    head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    row = "   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0 0 1 1 0 100 0 0 10 0\n"
    (tmp_path / "7" / "net" / "tcp").write_text(head + row)
    assert containers.listening(7, tmp_path) == ["127.0.0.1:8000"]


def container(name: str, app: str, release: str) -> dict:
    return {"name": name, "app": app, "release": release}


def test_an_apps_container_is_the_live_releases_else_the_newest_of_its_own():
    all_ = [container("shop-r1", "shop", "1"), container("shop-r10", "shop", "10"), container("x", "other", "99")]
    assert containers.own("shop", "shop-r1", all_)["name"] == "shop-r1"
    assert containers.own("shop", "", all_)["name"] == "shop-r10"
    assert containers.own("gone", "", all_) is None


PROXY = "http://user:secret@proxy.example.com:3128"
ROUTES = [
    ({}, "", ""),
    ({"HTTPS_PROXY": PROXY}, "http://***@proxy.example.com:3128", "HTTPS_PROXY"),
    ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2", "https_proxy"),
    ({"HTTP_PROXY": "http://a:1"}, "", ""),
    ({"ALL_PROXY": "a:1"}, "http://a:1", "ALL_PROXY"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "localhost, stripe.com"}, "", "NO_PROXY has stripe.com"),
    ({"HTTPS_PROXY": "http://a:1", "no_proxy": ".stripe.com"}, "", "no_proxy has .stripe.com"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, "", "NO_PROXY has *"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "tripe.com,10.0.0.0/8"}, "http://a:1", "HTTPS_PROXY"),
    ({"https_proxy": "", "HTTPS_PROXY": "http://a:1"}, "http://a:1", "HTTPS_PROXY"),
    ({"HTTPS_PROXY": "http://hunter2@proxy:1"}, "http://***@proxy:1", "HTTPS_PROXY"),
    ({"HTTPS_PROXY": "http://[::1]:9"}, "http://[::1]:9", "HTTPS_PROXY"),
    ({"ALL_PROXY": "socks5://u:hunter2@proxy:1080"}, "(SOCKS)", "ALL_PROXY"),
]
# What no check has seen: an app's `env`, an image's ENV.
LEAKY = [
    "http://u:hunter2#w@proxy:3128",
    "http://u:1#hunter2@proxy",
    "http://u:hunter2?w@proxy:3128",
    "http://u:hunter2/w@proxy:3128",
    "http://u:hunter2@w@proxy:3128",
    'http://u:hunter2"@proxy:3128',
    "http://hunter2 w@proxy:3128",
    "http://u:p@proxy:hunter2",
    "http://u:p@[hunter2]:1",
    "hunter2#w@proxy:3128",
    "https://u:hunter2%zz@proxy",
]


@pytest.mark.parametrize("proxy", LEAKY)
@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_nothing_of_a_proxys_url_that_cannot_be_read_is_shown(url, proxy):
    (found,) = egress.checks([url], {"http_proxy": proxy, "https_proxy": proxy}, trust.Trust())
    assert found["attempt"]["stage"] == "proxy-url"
    assert found["direct"]["stage"] == "tcp", "the same request without it was tried"
    for word in ("hunter2", "u:", "w@"):
        assert word not in json.dumps([found["route"]["proxy"], found["attempt"], found["direct"]])


def test_a_socks_proxy_is_not_taken_for_an_http_one():
    (found,) = egress.checks(["http://127.0.0.1:1"], {"ALL_PROXY": "socks5h://u:hunter2@127.0.0.1:1"}, trust.Trust())
    assert found["attempt"]["stage"] == "proxy-socks"
    assert "hunter2" not in str(found)


def test_an_ipv6_address_is_asked_of_the_proxy_in_brackets():
    asked = []

    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            asked.append(connection.recv(4096).decode().splitlines())
            connection.sendall(b"HTTP/1.1 403 No\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, args=(server,)).start()
        proxy = f"http://u%40:p%23@127.0.0.1:{server.getsockname()[1]}"
        found = egress.attempt("https://[2001:db8::1]/x", proxy, trust.Trust())
    assert (found["stage"], found["status"]) == ("connect", 403)
    assert asked[0][:2] == ["CONNECT [2001:db8::1]:443 HTTP/1.1", "Host: [2001:db8::1]:443"]
    assert "Proxy-Authorization: Basic dUA6cCM=" in asked[0]


@pytest.mark.parametrize(("variables", "proxy", "why"), ROUTES)
def test_the_variable_that_decides_the_route_is_named_and_no_password_shown(variables, proxy, why):
    assert route.route("https://api.stripe.com/v1", variables) == {"proxy": proxy, "variable": why}


def test_the_password_is_kept_for_the_proxy_itself():
    assert route.proxy_of("https://api.stripe.com", {"HTTPS_PROXY": PROXY}) == PROXY
    assert route.environment(["A=b=c", "HTTPS_PROXY=", "PATH=/bin"]) == {"A": "b=c", "HTTPS_PROXY": "", "PATH": "/bin"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Path:
    """The certificate of a CA."""
    folder = tmp_path_factory.mktemp("authority")
    pki.ensure_endpoint(folder, "ca.example.com", ["192.0.2.1"])
    return folder / pki.CA


def image(root: Path, *places: str, authority: Path | None = None) -> None:
    """Files of a container: the CA's certificate, or, without one, an empty file."""
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(authority.read_text() if authority else "")


BUNDLE = "etc/ssl/certs/ca-certificates.crt"
# What the variables name, and which bundle, which file beside it, and what is said.
TRUSTED = [
    ({}, BUNDLE, "", ""),
    ({"SSL_CERT_FILE": "/own.pem"}, "own.pem", "", ""),
    ({"SSL_CERT_FILE": "/own.pem", "REQUESTS_CA_BUNDLE": "/folder"}, "folder", "", ""),
    ({"NODE_EXTRA_CA_CERTS": "/own.pem"}, BUNDLE, "own.pem", ""),
    ({"SSL_CERT_FILE": "/gone.pem"}, BUNDLE, "", "`SSL_CERT_FILE` names /gone.pem, and there is no such file"),
    ({"REQUESTS_CA_BUNDLE": "/empty.pem"}, BUNDLE, "", "`REQUESTS_CA_BUNDLE` names /empty.pem, and there is no cert"),
    ({"NODE_EXTRA_CA_CERTS": "/gone.pem"}, BUNDLE, "", "`NODE_EXTRA_CA_CERTS` names /gone.pem"),
]


@pytest.mark.parametrize("case", TRUSTED)
def test_the_certificates_an_app_trusts_are_those_its_environment_names_else_its_images(tmp_path, authority, case):
    variables, bundle, added, said = case
    image(tmp_path, BUNDLE, "own.pem", authority=authority)
    image(tmp_path, "empty.pem", "folder/x")
    found = trust.trust(variables, tmp_path)
    assert found.bundle == str(tmp_path / bundle)
    assert found.added == ((str(tmp_path / added),) if added else ())
    assert found.stage == (trust.FILE if said else "")
    assert said in found.error


@pytest.mark.parametrize(("variables", "stage"), [({}, trust.NONE), ({"NODE_VERSION": "22.1.0"}, "")])
def test_an_image_without_certificates_is_not_taken_for_the_host(tmp_path, variables, stage):
    image(tmp_path, BUNDLE)
    assert trust.trust(variables, tmp_path) == trust.Trust(stage=stage)


def test_directories_of_certificates_count_beside_a_bundle_and_in_place_of_one(tmp_path, authority):
    image(tmp_path, "usr/ca.crt", authority=authority)
    image(tmp_path, "certs/README", "empty/README")
    (tmp_path / "certs/0a1b2c3d.0").symlink_to("ca.pem")
    (tmp_path / "certs/ca.pem").symlink_to("/usr/ca.crt")
    only = trust.trust({"SSL_CERT_DIR": "/gone:/certs"}, tmp_path)
    assert (only.bundle, only.stage) == (str(tmp_path / "usr/ca.crt"), "")
    nothing = trust.trust({"SSL_CERT_DIR": "/gone:/empty"}, tmp_path)
    assert nothing.stage == trust.FILE
    assert "`SSL_CERT_DIR` names /gone:/empty, and there is no certificate in it" in nothing.error
    image(tmp_path, BUNDLE, authority=authority)
    beside = trust.trust({"SSL_CERT_DIR": "/certs"}, tmp_path)
    assert (beside.bundle, beside.added) == (str(tmp_path / BUNDLE), (str(tmp_path / "usr/ca.crt"),))
    assert trust.trust({"SSL_CERT_DIR": "/gone"}, tmp_path).stage == "", "OpenSSL goes on with the bundle"


def test_links_are_followed_as_the_container_does(tmp_path, authority):
    image(tmp_path, "etc/pki/extracted/bundle.pem", authority=authority)
    link = tmp_path / "etc/pki/tls/certs/ca-bundle.crt"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/pki/../pki/extracted/bundle.pem")
    (tmp_path / "etc/ssl").symlink_to("pki/tls")
    assert trust.trust({}, tmp_path).bundle == str(tmp_path / "etc/pki/extracted/bundle.pem")
    assert trust.inside(tmp_path, "/etc/ssl/certs/x") == tmp_path / "etc/pki/tls/certs/x"


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert trust.trust({"SSL_CERT_FILE": "/a"}, tmp_path).stage == trust.FILE


def test_what_is_added_is_trusted_beside_the_bundle(tmp_path, authority):
    pki.ensure_endpoint(tmp_path, "other.example.com", ["192.0.2.2"])
    one = probe.trusting(bundle=str(authority)).get_ca_certs()
    both = probe.trusting(bundle=str(authority), added=[str(tmp_path / pki.CA)]).get_ca_certs()
    assert (len(one), len(both)) == (1, 2)
    assert probe.trusting(bundle=str(tmp_path)).get_ca_certs() == [], "a directory is read when it is needed"


def attempts(monkeypatch, proxied: dict, direct: dict) -> None:
    monkeypatch.setattr(egress, "attempt", lambda _url, proxy, _trusted: {"ms": 1, **(proxied if proxy else direct)})


@pytest.mark.parametrize(
    ("url", "direct", "stage"),
    [
        ("http://a.example.com", 403, "ok"),
        ("http://a.example.com", 200, "connect"),
        ("https://a.example.com", 403, "connect"),
    ],
)
def test_a_403_of_the_host_itself_is_not_the_proxys(monkeypatch, url, direct, stage):
    refused = {"stage": "connect", "status": 403, "error": ""}
    attempts(monkeypatch, refused, {"stage": "ok", "status": direct, "error": ""})
    variables = {"http_proxy": "http://p:1", "https_proxy": "http://p:1"}
    assert egress.check(url, variables, trust.Trust())["attempt"]["stage"] == stage


@pytest.mark.parametrize(
    ("headers", "stage"),
    [
        ("Server: tinyproxy/1.11.1", "connect"),
        ("Via: 1.1 tinyproxy (tinyproxy/1.11.1)", "ok"),
        ("Via: 1.1 squid (squid/5.7)\r\nX-Squid-Error: ERR_ACCESS_DENIED 0", "connect"),
    ],
)
def test_a_403_over_http_is_the_proxys_unless_it_says_that_it_passed_it_on(headers, stage):
    def answer(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(f"HTTP/1.1 403 Forbidden\r\n{headers}\r\nContent-Length: 0\r\n\r\n".encode())

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, args=(server,)).start()
        found = egress.attempt("http://a.example.com", f"http://127.0.0.1:{server.getsockname()[1]}", trust.Trust())
    assert (found["stage"], found["status"]) == (stage, 403)


def test_a_url_that_cannot_be_asked_for_leaves_the_others_alone(monkeypatch):
    good = {"stage": "ok", "status": 200, "error": ""}
    attempts(monkeypatch, good, good)
    found = egress.checks(["http://h:notaport", "http://h"], {"http_proxy": "http://p:1"}, trust.Trust())
    assert [one["attempt"]["stage"] for one in found] == ["untried", "ok"]
    assert "notaport" in found[0]["attempt"]["error"]


def test_a_container_that_ends_meanwhile_is_reported_alone(monkeypatch, tmp_path):
    def running(name: str, pid: int) -> dict:
        return {"name": f"{name}-r1", "app": name, "release": "1", "status": "running", "pid": pid, "env": []}

    class Task:
        def __init__(self, pid: int, work) -> None:
            self.pid, self.work = pid, work

        def result(self) -> dict:
            if self.pid == 1:
                raise RuntimeError("FileNotFoundError: /proc/1/ns/net")
            return self.work()

    monkeypatch.setattr(egress, "everything", lambda: ([running("gone", 1), running("shop", os.getpid())], ""))
    monkeypatch.setattr(egress.namespace, "Task", Task)
    found = egress.look([{"name": name, "checks": ["http://h:notaport"]} for name in ("gone", "shop")], tmp_path)
    said = {name: one["checks"][0]["attempt"]["error"] for name, one in found.items()}
    assert "FileNotFoundError" in said["gone"]
    assert "notaport" in said["shop"]
    assert {one["container"] for one in found.values()} == {"gone-r1", "shop-r1"}


def test_a_host_that_takes_the_connection_and_says_nothing_is_silent(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(probe.ask, "__kwdefaults__", {**probe.ask.__kwdefaults__, "timeout": 0.2})
        found = egress.attempt(f"http://127.0.0.1:{server.getsockname()[1]}", "", trust.Trust())
    assert (found["stage"], found["error"]) == ("silent", "no answer within 0.2 s")


def test_the_test_event_is_large_and_signed_as_stripe_signs():
    body = probe.event()
    assert len(body) == probe.BODY_BYTES
    assert json.loads(body)["type"] == "portside.diagnose"
    assert probe.signature(EVENT.encode(), "whsec_x", 1700000000) == signature(EVENT, "whsec_x", 1700000000)


@pytest.mark.parametrize(
    ("number", "error"), [(socket.EAI_NONAME, ""), (socket.EAI_NODATA, ""), (socket.EAI_AGAIN, "words")]
)
def test_a_name_without_an_address_is_told_from_a_resolver_that_fails(monkeypatch, number, error):
    def refuse(*_):
        raise socket.gaierror(number, "words")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    seen = outside.look_up("api.example.com")
    assert (seen["4"], seen["6"], seen["error"]) == ([], [], error)


@pytest.mark.parametrize(("addresses", "tried"), [([], "8.8.8.8"), (["10.0.0.5"], "8.8.8.8"), (["9.9.9.9"], "9.9.9.9")])
def test_where_no_public_address_is_known_the_ports_of_the_names_are_tried(monkeypatch, addresses, tried):
    monkeypatch.setattr(outside, "look_up", lambda _: {"4": ["8.8.8.8"], "6": [], "error": "", "ms": 1})
    monkeypatch.setattr(probe, "connect", lambda *_: (None, {"answer": "silent", "error": "", "ms": 1}))
    app = {"name": "shop", "domains": ["api.example.com"], "webhooks": [], "health": {"path": "/"}}
    assert {one["address"] for one in outside.look([app], addresses)["ports"]} == {tried}
