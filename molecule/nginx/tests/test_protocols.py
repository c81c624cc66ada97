"""What a site lets through beside plain HTTP, from outside."""

from __future__ import annotations

import json

import pytest

HTTP = pytest.mark.parametrize("version", ["--http1.1", "--http2"])


def seen(answer):
    """The headers that the app saw, names in lower case."""
    assert answer.status == 200, answer
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


@HTTP
def test_headers_may_be_as_large_as_declared_both_ways(curl, domain, version):
    cookie = "Cookie: a=" + "x" * 40000
    answer = curl(f"https://open.{domain}/large/40000", "--insecure", version)
    assert (answer.status, len(answer.headers["set-cookie"])) == (200, 40002)
    assert len(seen(curl(f"https://open.{domain}/", "--insecure", version, "--header", cookie))["cookie"]) == 40002
    assert curl(f"https://shop.{domain}/large/40000", "--insecure", version).status == 503
    assert curl(f"https://shop.{domain}/", "--insecure", version, "--header", cookie).status in {0, 400, 431}


@HTTP
def test_headers_with_an_underscore_arrive_where_they_are_declared(curl, domain, version):
    # The first name comes before Host, with HTTP/1.1, where whom TLS was set up for still counts.
    claims = ("X_Forwarded_For: 192.0.2.1", "X-Real_IP: 192.0.2.1", "X_Forwarded-Proto: gopher", "X_API_KEY: k")
    options = ["--insecure", version, *(part for claim in claims for part in ("--header", claim))]
    headers = seen(curl(f"https://open.{domain}/", *options))
    assert headers["x_api_key"] == "k"
    assert [name for name in headers if "_" in name] == ["x_api_key"]
    assert not [name for name in seen(curl(f"https://shop.{domain}/", *options)) if "_" in name]
    # A connection for the one, a request for the other.
    crossed = curl(f"https://open.{domain}/", *options, "--header", f"Host: shop.{domain}")
    assert not [name for name in seen(crossed) if "_" in name and name != "x_api_key"]


def test_declared_upgrades_alone_are_passed_on(curl, domain):
    def asked(site, protocol):
        ask = ("--header", "Connection: Upgrade", "--header", f"Upgrade: {protocol}")
        found = seen(curl(f"https://{site}.{domain}/", "--insecure", "--http1.1", *ask))
        return found.get("upgrade"), found.get("connection")

    assert asked("open", "portside/1") == ("portside/1", "upgrade")
    assert asked("shop", "portside/1") == (None, None)
    assert asked("open", "h2c") == (None, None)


def test_an_app_that_speaks_https_alone_is_served(curl, domain, local_get, wait_until):
    wait_until(lambda: curl(f"https://secure.{domain}/", "--insecure").status == 200, "the app has its certificate")
    headers = seen(curl(f"https://secure.{domain}/", "--insecure"))
    assert (headers["host"], headers["x-forwarded-proto"]) == (f"secure.{domain}", "https")
    assert local_get("http://127.0.0.1:8082/")[0] == 200


def grpc(curl, url, *options):
    """A call with one message, as gRPC's clients make it."""
    heads = ("content-type: application/grpc", "te: trailers")
    options = [*options, *(part for head in heads for part in ("--header", head))]
    return curl(url, "--insecure", "--http2", "--data-binary", "xabcdhello", *options)


def test_grpc_calls_are_passed_on_and_other_paths_speak_http(curl, domain):
    answer = grpc(curl, f"https://calls.{domain}/test.Echo/Say")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/grpc")
    # curl writes trailers behind the body.
    assert answer.body == "xabcdhellogrpc-status: 0\n"
    for path in ("/rest/x", "/rest/hook"):
        assert json.loads(curl(f"https://calls.{domain}{path}", "--insecure", "--data", "{}").body)["path"] == path
    # Every client of gRPC takes 503 for UNAVAILABLE (doc/http-grpc-status-mapping.md).
    assert grpc(curl, f"https://silent.{domain}/test.Echo/Say").status == 503


def test_a_load_balancer_that_asks_by_address_gets_an_answer(curl, vps_vars):
    for address in (vps_vars["lab_ipv4"], f"[{vps_vars['lab_ipv6_address']}]"):
        assert (curl(f"http://{address}/healthz").status, curl(f"http://{address}/").status) == (200, 0)
