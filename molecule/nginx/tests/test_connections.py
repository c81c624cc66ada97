"""Connections that live longer than a request, and the protocols they speak."""

from __future__ import annotations

import json
import shlex
import textwrap

import pytest

# Opens WebSockets, has each echo a frame, and again once a file says that the time has come; prints how many did.
WEBSOCKETS = """
import pathlib, socket, ssl, sys, time
name, number = sys.argv[1], int(sys.argv[2])
tls = ssl._create_unverified_context()

def opened():
    link = tls.wrap_socket(socket.create_connection((name, 443), 20), server_hostname=name)
    link.sendall(f"GET /ws HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
                 "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n".encode())
    head = b""
    while not head.endswith(b"\\r\\n\\r\\n"):
        head += link.recv(1)
    return link

def echoes(link, frame):
    try:
        link.sendall(frame)
        return link.recv(len(frame)) == frame
    except OSError:
        return False

links = [opened() for _ in range(number)]
print("before", sum(echoes(link, b"before") for link in links), flush=True)
while not pathlib.Path("/tmp/websockets.go").exists():
    time.sleep(0.1)
print("after", sum(echoes(link, b"after!") for link in links), flush=True)
"""


@pytest.fixture
def websockets(client, domain):
    """A program on the client that holds WebSockets open, and what it has said so far."""

    def said():
        return client.file("/tmp/websockets.out").content_string.splitlines()

    client.run_expect([0], "rm -f /tmp/websockets.go /tmp/websockets.out")
    argv = shlex.join(["python3", "-c", textwrap.dedent(WEBSOCKETS), f"shop.{domain}", "200"])
    client.run_expect(
        [0], f"nohup {argv} > /tmp/websockets.out 2>&1 & echo $! > /tmp/websockets.pid".replace("%", "%%")
    )
    yield said
    client.run("kill $(cat /tmp/websockets.pid)")


def test_200_websockets_outlive_a_reload_and_none_is_lost(websockets, client, vps, wait_until):
    wait_until(lambda: websockets() == ["before 200"], "200 WebSockets are open", 60)
    vps.run_expect([0], "systemctl reload nginx")
    wait_until(lambda: vps.run("pgrep --full 'nginx: worker process is shutting down'").rc == 0, "old workers go")
    wait_until(lambda: vps.run("pgrep --full '^nginx: worker process *$'").rc == 0, "new workers are there")
    client.run_expect([0], "touch /tmp/websockets.go")
    wait_until(lambda: websockets() == ["before 200", "after 200"], f"all of them echo again: {websockets()}")


@pytest.fixture
def has_http3(vps):
    """Whether the distribution's nginx can speak HTTP/3."""
    return vps.run("nginx -V 2>&1 | grep --quiet http_v3").rc == 0


@pytest.fixture(params=["--ipv4", "--ipv6"])
def over_quic(curl, wait_until, request):
    """Ask over HTTP/3 alone. While workers of before a reload live nginx drops some attempts (nginx/nginx#425)."""

    def ask(url, *options, patient=True):
        answers = []

        def answered():
            answers.append(curl(url, "--insecure", "--http3-only", "--max-time", "3", request.param, *options))
            return answers[-1].status or not patient

        wait_until(answered, "an answer over HTTP/3")
        return answers[-1]

    return ask


def test_http3_is_offered_where_nginx_has_it(curl, domain, has_http3):
    for name in ("shop", "www.shop", "down"):
        offered = curl(f"https://{name}.{domain}/", "--insecure").headers.get("alt-svc")
        assert offered == ('h3=":443"; ma=3600' if has_http3 else None)
    assert "alt-svc" not in curl(f"http://shop.{domain}/").headers


def test_http3_is_answered_like_https_and_nowhere_else(over_quic, vps, domain, has_http3, lab_vars):
    if not has_http3:
        assert vps.check_output("ss -Huln 'sport = :443'") == ""
        refused = over_quic(f"https://shop.{domain}/", patient=False)
        # curl(1): no connection, a timeout, nothing sent or received; not a name it does not find or a wrong option.
        assert (refused.status, refused.exit_status in {7, 28, 55, 56}) == (0, True), refused
        return
    answer = over_quic(f"https://shop.{domain}/a?b=c", "--data", "x", "--header", "X-Forwarded-For: 192.0.2.1")
    seen = {name.lower(): value for name, value in json.loads(answer.body)["headers"]}
    assert (seen["host"], seen["x-forwarded-proto"], seen["x-forwarded-port"]) == (f"shop.{domain}", "https", "443")
    assert seen["x-forwarded-for"] in (lab_vars["lab_client_ipv4"], lab_vars["lab_client_ipv6"])
    assert over_quic(f"https://stranger.{domain}/", patient=False).status == 0
