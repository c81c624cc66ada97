"""What nginx's logs tell of requests that it did not pass on as they came; the lines are its own."""

from __future__ import annotations

import time

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import told_by_nginx

NAME = "shop.example.com"
LARGE = (
    "2026/12/01 00:09:42 [error] 780#780: *27 upstream sent too big header while reading response header from "
    f'upstream, client: 192.0.2.9, server: {NAME}, request: "GET /callback?code=secret HTTP/2.0", '
    'upstream: "http://127.0.0.1:8000/callback?code=secret", host: "shop.example.com"'
)
UNDERSCORE = (
    '2026/12/01 00:09:43 [info] 780#780: *28 client sent invalid header line: "X_API_KEY: topsecret" while reading '
    f'client request headers, client: 192.0.2.9, server: {NAME}, request: "GET / HTTP/1.1", host: "shop.example.com"'
)
NO_LINE = (
    '2026/12/01 00:09:44 [error] 780#780: *29 broken header: "GET / HTTP/1.1" while reading PROXY protocol, client: '
    "192.0.2.9, server: 0.0.0.0:80"
)
CHECK = '192.0.2.9 - - [01/Dec/2026:00:09:45 +0000] "GET /up?x=1 HTTP/1.1" 444 0 "-" "ELB-HealthChecker/2.0"'
SCAN = '192.0.2.8 - - [01/Dec/2026:00:09:45 +0000] "GET /.env HTTP/1.1" 444 0 "-" "python-requests/2.31"'
ERRORS = "\n".join([LARGE, LARGE, UNDERSCORE, NO_LINE])
LATER = time.mktime(time.strptime("2026-12-01 12:00", "%Y-%m-%d %H:%M"))


def test_a_site_learns_what_its_configuration_was_in_the_way_of():
    found = list(told_by_nginx.complaints(ERRORS, {NAME: 0.0}))
    assert found == [
        {"kind": "header", "server": NAME, "what": "/callback"},
        {"kind": "underscore", "server": NAME, "what": "X_API_KEY"},
    ]
    assert "secret" not in str(found)


def test_what_was_before_the_configuration_changed_is_not_told():
    assert list(told_by_nginx.complaints(ERRORS, {NAME: LATER, "other.example.com": 0.0})) == []
    assert told_by_nginx.without_proxy_line(ERRORS, LATER) == 0
    assert told_by_nginx.unanswered_checks(CHECK, LATER) == []


def test_connections_without_the_proxy_protocol_are_counted():
    assert told_by_nginx.without_proxy_line(ERRORS, 0) == 1


def test_load_balancers_are_told_from_scanners():
    log = "\n".join([CHECK, SCAN, CHECK])
    assert told_by_nginx.unanswered_checks(log, 0) == [{"path": "/up", "agent": "ELB-HealthChecker/2.0"}]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"upgrade": "SPDY/3.1", "status": 200}, ["SPDY/3.1"]),
        ({"upgrade": "SPDY/3.1", "status": 101}, []),
        ({"upgrade": "WebSocket", "status": 400}, []),
        ({"upgrade": "h2c", "status": 200}, []),
        ({"upgrade": "", "status": 200}, []),
        ({"status": 200}, []),
    ],
)
def test_upgrades_that_were_not_passed_on(entry, told):
    assert told_by_nginx.dropped_upgrades(iter([entry, entry]), ["websocket"]) == told
