"""What a client can claim about itself, and what keeps one of them from being all that a server has time for."""

from __future__ import annotations

import json
import shlex
import textwrap

import pytest

# Everything by which libraries let a client say who it is, and what nginx_real_ip_header names, from somebody else.
CLAIMS = (
    *("True-Client-IP", "X-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Cluster-Client-IP", "Client-IP"),
    *("X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "X-Original-For", "X-Original-Proto", "X-Script-Name"),
    *("X-Forwarded-User", "X-Remote-User", "Remote-User", "X-Auth-Request-Email", "X-WebAuth-User", "X-Client-Cert"),
)
# Asks nginx over https from an address of the server itself; prints status, headers and body.
ASK = """
import http.client, json, socket, ssl, sys
source, name, path, headers = sys.argv[1], sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
tls = ssl._create_unverified_context()
link = http.client.HTTPConnection(name)
plain = socket.create_connection(("127.0.0.1", 443), 10, source_address=(source, 0))
link.sock = tls.wrap_socket(plain, server_hostname=name)
link.request("GET", path, headers=headers)
answer = link.getresponse()
print(json.dumps([answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read().decode()]))
"""

# Begins requests to port 80 and never ends them; then asks as a visitor does.
HALF_ASKED = """
import resource, socket, ssl, sys, urllib.request
name, number = sys.argv[1], int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (number + 100,) * 2)
links = []
for _ in range(number):
    links.append(socket.create_connection((name, 80), 10))
    links[-1].sendall(b"GET / HTTP/1.1\\r\\nX-Slow: ")
tls = ssl._create_unverified_context()
print([urllib.request.urlopen(f"https://{name}/", context=tls, timeout=5).status for _ in range(5)])
links[-1].settimeout(30)
try:
    print(links[-1].recv(10))
except ConnectionResetError:
    print(b"")
"""
# Begins to send bodies in the name of a visitor, and asks again in that one's name, and in another's.
HALF_SENT = """
import socket, ssl, sys
name, number, visitor, other = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
tls = ssl._create_unverified_context()

def asked(visitor, length):
    link = socket.create_connection(("127.0.0.1", 443), 10, source_address=("127.0.0.2", 0))
    link = tls.wrap_socket(link, server_hostname=name)
    link.sendall(f"POST / HTTP/1.1\\r\\nHost: {name}\\r\\nContent-Length: {length}\\r\\n"
                 f"CF-Connecting-IP: {visitor}\\r\\n\\r\\n".encode())
    return link

links = [asked(visitor, 5) for _ in range(number)]
print(*[asked(one, 0).recv(12).decode().split()[1] for one in (visitor, other)])
"""


@pytest.fixture
def locally(vps, domain):
    """Ask a site from an address of the server: status, headers, and what the app saw."""

    def ask(name, source="127.0.0.1", path="/", **headers):
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        argv = ["python3", "-c", textwrap.dedent(ASK), source, f"{name}.{domain}", path, json.dumps(sent)]
        status, answered, body = json.loads(vps.check_output(shlex.join(argv).replace("%", "%%")))
        seen = dict(json.loads(body)["headers"]) if status == 200 else {}
        return status, answered, {name.lower(): value for name, value in seen.items()}

    return ask


def test_a_client_cannot_claim_to_be_somebody_else(curl, domain):
    options = [part for name in CLAIMS for part in ("--header", f"{name}: 192.0.2.66")]
    answer = curl(f"https://shop.{domain}/", "--insecure", *options)
    assert answer.status == 200
    assert "192.0.2.66" not in answer.body


def test_a_program_on_the_servers_local_port_can_not_either(vps):
    program = (
        "import json, sys, urllib.request as u; "
        "headers = dict.fromkeys(json.loads(sys.argv[1]), '192.0.2.66'); "
        "print(u.urlopen(u.Request('http://127.0.0.1:8080/', headers=headers)).read().decode())"
    )
    assert "192.0.2.66" not in vps.check_output("python3 -c %s %s", program, json.dumps(CLAIMS))


def test_what_a_declared_front_says_gets_through(locally):
    said = {"CF_Connecting_IP": "192.0.2.7", "X_Forwarded_User": "kim", "True_Client_IP": "192.0.2.66"}
    _, _, seen = locally("shop", "127.0.0.2", **said)
    assert (seen["x-forwarded-for"], seen["cf-connecting-ip"], seen["x-forwarded-user"]) == (*("192.0.2.7",) * 2, "kim")
    assert "true-client-ip" not in seen
    _, _, seen = locally("shop", "127.0.0.1", **said)
    assert not {"cf-connecting-ip", "x-forwarded-user", "true-client-ip"} & set(seen)


def test_an_app_cannot_forge_nginxs_word_about_itself(curl, locally, domain):
    assert "x-portside-upstream" not in curl(f"https://shop.{domain}/own-headers", "--insecure").headers
    _, answered, _ = locally("shop", path="/own-headers", X_Portside_Proof="1")
    assert answered["x-portside-upstream"] == "127.0.0.1:8000;200"


@pytest.mark.parametrize("header", ["CF_Connecting_IP", "X_Forwarded_For", "Forwarded"])
def test_a_tunnel_on_the_server_does_not_make_visitors_local(vps, locally, header):
    through = {header: "203.0.113.9"}
    assert locally("fenced")[0] == 200
    assert locally("fenced", **through)[0] == 403
    assert "x-portside-upstream" in locally("shop", X_Portside_Proof="1")[1]
    assert "x-portside-upstream" not in locally("shop", X_Portside_Proof="1", **through)[1]
    status = "import sys, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1/nginx_status', headers={%s}))"
    assert vps.run("python3 -c %s", status % "").rc == 0
    assert vps.run("python3 -c %s", status % f"'{header.replace('_', '-')}': '203.0.113.9'").rc != 0


def test_security_headers_are_sent_and_the_apps_own_win(curl, domain):
    names = ("x-content-type-options", "referrer-policy", "x-frame-options")

    def sent(path):
        return [curl(f"https://{path.format(domain)}", "--insecure").headers.get(name) for name in names]

    default = ["nosniff", "strict-origin-when-cross-origin", None]
    assert sent("shop.{}/") == sent("www.shop.{}/") == sent("down.{}/") == default
    assert sent("shop.{}/own-headers") == ["own", "no-referrer", None]
    assert sent("one.{}/") == ["nosniff", None, "SAMEORIGIN"]
    assert sent("shown.{}/") == ["nosniff", "strict-origin-when-cross-origin", "DENY"]


def test_a_client_that_never_ends_its_requests_does_not_keep_others_out(client, domain):
    argv = ["python3", "-c", textwrap.dedent(HALF_ASKED), f"shop.{domain}", "2500"]
    result = client.run(shlex.join(argv).replace("%", "%%"))
    # The visitors' statuses; then the slow one is cut off, before its 60 seconds are over.
    assert result.stdout.splitlines() == ["[200, 200, 200, 200, 200]", "b''"], result.stderr


def test_one_client_has_so_many_requests_at_once_and_another_its_own(vps, domain):
    for visitor, other in (("192.0.2.21", "192.0.2.22"), ("2001:db8:0:1::1", "2001:db8:0:2::1")):
        argv = ["python3", "-c", textwrap.dedent(HALF_SENT), f"shop.{domain}", "250", visitor, other]
        assert vps.check_output(shlex.join(argv).replace("%", "%%")) == "429 200"


def test_a_rate_limit_takes_an_ipv6_network_for_one_client(locally):
    def statuses(*visitors):
        return [locally("limited", "127.0.0.2", CF_Connecting_IP=visitor)[0] for visitor in visitors]

    assert statuses(*(f"2001:db8:1:2::{number:x}" for number in range(1, 6)))[-1] == 429
    assert statuses("2001:db8:1:3::1", "192.0.2.31", "192.0.2.32") == [200, 200, 200]


def test_wrong_passwords_cost_the_client_and_not_the_server(vps, domain):
    wrong = """
import base64, http.client, socket, ssl, sys
tls = ssl._create_unverified_context()
link = tls.wrap_socket(
    socket.create_connection(("127.0.0.1", 443), 10, source_address=("127.0.0.2", 0)), server_hostname=sys.argv[1]
)
asking = http.client.HTTPConnection(sys.argv[1])
asking.sock = link

def status(visitor, password):
    login = base64.b64encode(f"ops:{password}".encode()).decode()
    asking.request("GET", "/", headers={"CF-Connecting-IP": visitor, "Authorization": f"Basic {login}"})
    answer = asking.getresponse()
    answer.read()
    return answer.status

print(sorted({status("192.0.2.41", "wrong") for _ in range(40)}))
print(status("192.0.2.42", "correct horse battery"))
"""
    said = vps.check_output("python3 -c %s %s", wrong, f"guarded.{domain}")
    assert said.splitlines() == ["[401, 429]", "200"]
