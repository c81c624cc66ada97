"""What the host's own words mean: nginx's dump, upstream files, access logs, Docker's description, sockets."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import (
    containers,
    egress,
    host,
    outside,
    probe,
    route,
)

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
    assert [one["uri"].rpartition("/")[2] for one in found][:2] == ["below", "stripe?n=7"]
    assert len(found) == host.ATTEMPTS
    assert found[0]["signed"] is True


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
    ({"HTTPS_PROXY": PROXY}, "http://user:***@proxy.example.com:3128", "HTTPS_PROXY"),
    ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2", "https_proxy"),
    ({"HTTP_PROXY": "http://a:1"}, "", ""),
    ({"ALL_PROXY": "a:1"}, "http://a:1", "ALL_PROXY"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "localhost, stripe.com"}, "", "NO_PROXY has stripe.com"),
    ({"HTTPS_PROXY": "http://a:1", "no_proxy": ".stripe.com"}, "", "no_proxy has .stripe.com"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, "", "NO_PROXY has *"),
    ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "tripe.com,10.0.0.0/8"}, "http://a:1", "HTTPS_PROXY"),
    ({"https_proxy": "", "HTTPS_PROXY": "http://a:1"}, "http://a:1", "HTTPS_PROXY"),
]


@pytest.mark.parametrize(("variables", "proxy", "why"), ROUTES)
def test_the_variable_that_decides_the_route_is_named_and_no_password_shown(variables, proxy, why):
    assert route.route("https://api.stripe.com/v1", variables) == {"proxy": proxy, "variable": why}


def test_the_password_is_kept_for_the_proxy_itself():
    assert route.proxy_of("https://api.stripe.com", {"HTTPS_PROXY": PROXY}) == PROXY
    assert route.environment(["A=b=c", "HTTPS_PROXY=", "PATH=/bin"]) == {"A": "b=c", "HTTPS_PROXY": "", "PATH": "/bin"}


def test_the_certificates_an_app_trusts_are_those_its_environment_names_else_its_images(tmp_path):
    assert egress.ca_file({}, tmp_path) == ""
    image = tmp_path / "etc/ssl/certs/ca-certificates.crt"
    own = tmp_path / "own.pem"
    image.parent.mkdir(parents=True)
    image.touch()
    own.touch()
    assert egress.ca_file({}, tmp_path) == str(image)
    assert egress.ca_file({"SSL_CERT_FILE": "/own.pem"}, tmp_path) == str(own)
    assert egress.ca_file({"SSL_CERT_FILE": "/gone.pem"}, tmp_path) == str(image)


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
