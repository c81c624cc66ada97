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
