"""What the world sees of the declared sites, asked from outside, and what an app sees of the world."""

from __future__ import annotations

import json
import shlex
import textwrap

import pytest

FAMILIES = ["--ipv4", "--ipv6"]
EMPTY_REPLY = 52  # curl(1)
HANDSHAKE_REFUSED = 35


def seen(answer):
    """What the app says it saw; header names in lower case."""
    assert answer.status == 200, answer
    request = json.loads(answer.body)
    request["headers"] = {name.lower(): value for name, value in request["headers"]}
    return request


@pytest.fixture
def python(client):
    """Run a piece of Python on the client and return what it prints."""

    def run(program, *arguments):
        command = shlex.join(["python3", "-c", textwrap.dedent(program), *arguments])
        result = client.run(command.replace("%", "%%"))
        assert result.rc == 0, result.stderr
        return result.stdout.strip()

    return run


@pytest.fixture
def handshake(client):
    """One TLS handshake with openssl: `handshake("shop.example.com", "-tls1_1")` returns what s_client says."""

    def shake(name, *options):
        argv = ["openssl", "s_client", "-connect", f"{name}:443", "-servername", name, *options]
        # It also dumps the session ticket, as bytes that are no text.
        return client.run(f"set -o pipefail; {shlex.join(argv)} </dev/null 2>&1 | tr -cd '[:print:]\\n'")

    return shake


@pytest.mark.parametrize("family", FAMILIES)
def test_unknown_names_get_no_answer_on_80_and_no_handshake_on_443(curl, vps_vars, domain, family):
    address = vps_vars["lab_ipv4"] if family == "--ipv4" else f"[{vps_vars['lab_ipv6_address']}]"
    for name in (f"stranger.{domain}", f"gone.{domain}", "shop.example.com"):
        to = ["--resolve", f"{name}:80:{address}", "--resolve", f"{name}:443:{address}"]
        assert curl(f"http://{name}/", *to).exit_status == EMPTY_REPLY
        assert curl(f"https://{name}/", "--insecure", *to).exit_status == HANDSHAKE_REFUSED
    assert curl(f"http://{address}/").exit_status == EMPTY_REPLY
    assert curl(f"https://{address}/", "--insecure").exit_status == HANDSHAKE_REFUSED


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_a_known_name_in_the_handshake_opens_no_door_for_another_one(curl, domain, version):
    answer = curl(f"https://shop.{domain}/", "--insecure", version, "--header", "Host: stranger.example.com")
    assert answer.status == 421, "misdirected: a connection of its own would be refused"
    assert "connection" not in answer.body, "no app answered"


@pytest.mark.parametrize("family", FAMILIES)
def test_challenges_are_served_on_80_of_every_name(vps, curl, domain, family):
    vps.run_expect([0], "mkdir -p /var/www/acme/.well-known/acme-challenge")
    vps.run_expect([0], "printf the-answer > /var/www/acme/.well-known/acme-challenge/token")
    for name in ("shop", "www.shop", "one", "two", "plain", "down", "unreleased"):
        answer = curl(f"http://{name}.{domain}/.well-known/acme-challenge/token", family)
        assert (answer.status, answer.body) == (200, "the-answer"), name
        assert curl(f"http://{name}.{domain}/.well-known/acme-challenge/other", family).status == 404


@pytest.mark.parametrize("family", FAMILIES)
def test_a_site_that_is_gone_can_have_its_certificate_renewed_and_says_nothing_else(vps, curl, domain, family):
    vps.run_expect([0], "mkdir -p /var/www/acme/.well-known/acme-challenge")
    vps.run_expect([0], "printf the-answer > /var/www/acme/.well-known/acme-challenge/token")
    url = f"http://gone.{domain}/.well-known/acme-challenge"
    assert curl(f"{url}/token", family).body == "the-answer"
    for path in ("other", "", "../../", "%2e%2e/%2e%2e/"):
        assert curl(f"{url}/{path}", family, "--path-as-is").exit_status == EMPTY_REPLY, path


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_is_redirected_with_308_to_the_same_url(curl, domain, family, method):
    answer = curl(f"http://shop.{domain}/a%20b/?x=1&y=%2F", family, "--request", method)
    assert answer.status == 308
    assert answer.headers["location"] == f"https://shop.{domain}/a%20b/?x=1&y=%2F"


def test_other_names_lead_to_the_canonical_one_in_one_hop(curl, domain):
    for scheme in ("http", "https"):
        answer = curl(f"{scheme}://www.shop.{domain}/a?b=c", "--insecure")
        assert (answer.status, answer.headers["location"]) == (308, f"https://shop.{domain}/a?b=c")


def test_names_that_are_served_alike_stay_as_they_are(curl, domain):
    for name in ("one", "two"):
        assert curl(f"http://{name}.{domain}/").headers["location"] == f"https://{name}.{domain}/"
        assert seen(curl(f"https://{name}.{domain}/", "--insecure"))["headers"]["host"] == f"{name}.{domain}"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_app_sees_name_scheme_and_address_of_the_visitor(curl, domain, lab_vars, family):
    visitor = lab_vars["lab_client_ipv4"] if family == "--ipv4" else lab_vars["lab_client_ipv6"]
    request = seen(curl(f"https://shop.{domain}/a?b=c", "--insecure", family))
    assert request["path"] == "/a?b=c"
    assert request["headers"]["host"] == f"shop.{domain}"
    assert request["headers"]["x-forwarded-host"] == f"shop.{domain}"
    assert request["headers"]["x-forwarded-for"] == visitor
    assert request["headers"]["x-real-ip"] == visitor
    assert request["headers"]["x-forwarded-proto"] == "https"
    assert request["headers"]["x-forwarded-port"] == "443"
    assert len(request["headers"]["x-request-id"]) == 32


def test_what_a_client_claims_does_not_get_through(curl, domain, lab_vars):
    lies = {
        "X-Forwarded-For": "192.0.2.1",
        "X-Real-IP": "192.0.2.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "evil.example.com",
        "X-Forwarded-Port": "80",
        "X-Forwarded-Ssl": "off",
        "X-Forwarded-Protocol": "http",
        "X-Forwarded-Prefix": "/evil",
        "X-Request-Id": "evil",
        "X_Forwarded_For": "192.0.2.1",
        "Forwarded": "for=192.0.2.1;proto=http",
        "Proxy": "http://192.0.2.1:3128",
    }
    options = [part for name, value in lies.items() for part in ("--header", f"{name}: {value}")]
    headers = seen(curl(f"https://shop.{domain}/", "--insecure", *options))["headers"]
    assert headers["x-forwarded-for"] == lab_vars["lab_client_ipv4"] or ":" in headers["x-forwarded-for"]
    assert "192.0.2.1" not in str(headers)
    assert "evil" not in str(headers)
    assert headers["x-forwarded-proto"] == "https"
    assert not {"proxy", "forwarded", "x-forwarded-ssl", "x-forwarded-protocol", "x_forwarded_for"} & set(headers)


def test_a_websocket_passes_and_its_frames_too(python, domain):
    said = python(
        """
        import socket, ssl, sys
        tls = ssl._create_unverified_context()
        link = tls.wrap_socket(socket.create_connection((sys.argv[1], 443), 10), server_hostname=sys.argv[1])
        link.sendall(f"GET /ws HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\nConnection: keep-alive, Upgrade\\r\\n"
                     "Upgrade: WebSocket\\r\\nSec-WebSocket-Version: 13\\r\\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n".encode())
        head = b""
        while b"\\r\\n\\r\\n" not in head:
            head += link.recv(1)
        link.sendall(b"frame")
        print(head.decode().splitlines()[0], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head.decode(), link.recv(5).decode())
        """,
        f"shop.{domain}",
    )
    assert said == "HTTP/1.1 101 Switching Protocols True frame"


def test_no_other_upgrade_passes(curl, domain):
    headers = seen(curl(f"https://shop.{domain}/", "--insecure", "--http1.1", "--header", "Upgrade: h2c"))["headers"]
    assert "upgrade" not in headers
    assert "connection" not in headers


def test_connections_to_the_app_are_kept_open(python, domain):
    numbers = python(
        """
        import http.client, json, ssl, sys
        link = http.client.HTTPSConnection(sys.argv[1], context=ssl._create_unverified_context())
        for number in range(5):
            link.request("GET", "/")
            print(json.loads(link.getresponse().read())["connection"])
        """,
        f"shop.{domain}",
    )
    assert len(set(numbers.split())) == 1


@pytest.mark.parametrize("size", [1, 3646, 262144, 10 * 1024 * 1024])
def test_a_body_reaches_the_app_byte_for_byte(client, curl, domain, size):
    client.run_expect([0], "head -c %s /dev/urandom > /tmp/body", str(size))
    expected = client.check_output("sha256sum /tmp/body").split()[0]
    for place in ("shop.{}/webhooks/stripe", "www.shop.{}/webhooks/stripe", "shop.{}/orders"):
        url = f"https://{place.format(domain)}"
        request = seen(curl(url, "--insecure", "--data-binary", "@/tmp/body"))
        assert (request["length"], request["sha256"]) == (size, expected)
        chunked = ["--http1.1", "--header", "Transfer-Encoding: chunked"]
        assert seen(curl(url, "--insecure", "--data-binary", "@/tmp/body", *chunked))["sha256"] == expected


def test_a_body_that_is_too_large_is_refused(client, curl, domain):
    client.run_expect([0], "head -c 2000 /dev/zero > /tmp/body")
    assert curl(f"https://one.{domain}/", "--insecure", "--data-binary", "@/tmp/body").status == 413
    assert curl(f"https://shop.{domain}/", "--insecure", "--data-binary", "@/tmp/body").status == 200


@pytest.mark.parametrize("path", ["/webhooks/stripe", "/webhooks/stripe/", "/webhooks/stripe/connect?a=b"])
def test_a_webhook_is_never_redirected_on_https(curl, domain, path):
    for name in ("shop", "www.shop"):
        request = seen(curl(f"https://{name}.{domain}{path}", "--insecure", "--data", "{}"))
        assert (request["method"], request["path"]) == ("POST", path)


@pytest.mark.parametrize("name", ["down", "www.down", "unreleased"])
def test_without_the_app_the_answer_is_503_with_retry_after(curl, domain, name):
    path = "webhooks/stripe" if name == "www.down" else ""
    answer = curl(f"https://{name}.{domain}/{path}", "--insecure", "--data", "{}")
    assert answer.status == 503
    assert answer.headers["retry-after"].isdigit()
    assert "not available" in answer.body


def test_the_version_of_nginx_is_not_told(curl, domain):
    for url in (f"http://shop.{domain}/", f"https://shop.{domain}/", f"https://down.{domain}/"):
        assert curl(url, "--insecure").headers["server"] == "nginx"


def test_a_site_without_tls_is_served_on_80(curl, domain):
    assert seen(curl(f"http://plain.{domain}/"))["headers"]["x-forwarded-proto"] == "http"
    assert curl(f"https://plain.{domain}/", "--insecure").exit_status == HANDSHAKE_REFUSED


def test_the_local_port_is_the_same_app_for_the_server_alone(vps, client, vps_vars):
    program = (
        "import urllib.request as u; "
        "r = u.Request('http://127.0.0.1:8080/a?b=c', headers={'Host': 'any.example.com'}); "
        "print(u.urlopen(r).read().decode())"
    )
    request = json.loads(vps.check_output("python3 -c %s", program))
    headers = {name.lower(): value for name, value in request["headers"]}
    assert (headers["host"], headers["x-forwarded-for"], request["path"]) == ("any.example.com", "127.0.0.1", "/a?b=c")
    for address in (vps_vars["lab_ipv4"], f"[{vps_vars['lab_ipv6_address']}]"):
        assert client.run(f"curl --silent --max-time 5 http://{address}:8080/").rc == 7


@pytest.mark.parametrize("option", ["-tls1", "-tls1_1"])
def test_old_versions_of_tls_are_refused(handshake, domain, option):
    assert handshake(f"shop.{domain}", option, "-cipher", "DEFAULT:@SECLEVEL=0").rc != 0


@pytest.mark.parametrize(
    "cipher",
    ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
)
def test_ciphers_of_mozillas_intermediate_guideline_are_taken(handshake, domain, cipher):
    assert handshake(f"shop.{domain}", "-tls1_2", "-cipher", cipher).rc == 0


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES128-GCM-SHA256"])
def test_other_ciphers_are_refused(handshake, domain, cipher):
    assert handshake(f"shop.{domain}", "-tls1_2", "-cipher", cipher).rc != 0


def test_tls_1_3_with_http2_and_the_hybrid_key_exchange_where_openssl_has_it(handshake, vps, domain):
    said = handshake(f"shop.{domain}", "-tls1_3", "-alpn", "h2,http/1.1").stdout
    assert "ALPN protocol: h2" in said
    hybrid = handshake(f"shop.{domain}", "-tls1_3", "-groups", "X25519MLKEM768").rc == 0
    assert hybrid is (vps.check_output("openssl version").split()[1] >= "3.5")
    assert handshake(f"shop.{domain}", "-groups", "secp521r1").rc != 0
