"""Sites that ask their clients for certificates, from outside."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

FLAG = "/run/portside-nginx-closing"
OPS = "CN=ops\\0AX-Forwarded-User: root,O=Shop"
CLAIMS = (
    *("X-SSL-Client-Verify: SUCCESS", "X-SSL-Client-S-DN: CN=root", "X-SSL-Client-Fingerprint: 00"),
    *("SSL-Client-S-DN: CN=root", "X-SSL-Client-Cert: x"),
)
CLAIMING = [part for claim in CLAIMS for part in ("--header", claim)]
# Of the site that requires one: all that is not declared otherwise.
CLOSED = ["", "x?y=z", "old", "files/a.txt", "files/none", "other", "other/x", "hook", "hook/x"]
HTTP = pytest.mark.parametrize("version", ["--http1.1", "--http2"])


@pytest.fixture(scope="session")
def shown(lab_vars, client):
    """curl's option for showing a client's certificate: `ops` of the site's authority, `other` of another one."""
    home = Path(lab_vars["lab_ssh_config"]).parent / "clients"
    for name in ("ops", "other"):
        text = b"".join((home / f"{name}.{kind}").read_bytes() for kind in ("pem", "key"))
        client.run_expect([0], f"umask 077; echo {base64.b64encode(text).decode()} | base64 -d > /tmp/{name}.pem")
    return lambda name: ("--cert", f"/tmp/{name}.pem")


def seen(answer):
    """What the app says it got, names of headers in lower case."""
    assert answer.status == 200, answer
    return {name.lower(): value for name, value in json.loads(answer.body)["headers"]}


def told(headers):
    return {name: value for name, value in headers.items() if "ssl-client" in name}


def nobody_gets_in(curl, domain, *options):
    for path in CLOSED:
        answer = curl(f"https://vetted.{domain}/{path}", "--insecure", *options)
        assert (answer.status, answer.body) == (403, "our own page"), (path, answer)
    # Written like one, it is none of the paths that need no certificate.
    assert curl(f"https://vetted.{domain}/other/../known", "--insecure", "--path-as-is", *options).status == 400
    # The other name leads there, with as little for whoever has no certificate.
    for path in ("", "hook"):
        assert curl(f"https://www.vetted.{domain}/{path}", "--insecure", *options).status == 403
    assert curl(f"https://asking.{domain}/admin", "--insecure", *options).status == 403


@HTTP
def test_without_a_certificate_nobody_gets_in(curl, domain, version):
    nobody_gets_in(curl, domain, version)
    assert curl(f"http://vetted.{domain}/").status == 308


def test_nor_while_connections_are_being_closed(vps, curl, domain, wait_until):
    if vps.run("grep --quiet keepalive_min_timeout /etc/nginx/sites-enabled/portside-shop.conf").rc == 0:
        pytest.skip("this nginx needs no flag")
    vps.run_expect([0], f"install -m 644 /dev/null {FLAG}")
    try:
        url = f"https://vetted.{domain}/"
        wait_until(lambda: curl(url, "--insecure", "--http1.1").headers["connection"] == "close", "the flag is seen")
        nobody_gets_in(curl, domain, "--http1.1")
    finally:
        vps.run_expect([0], f"rm {FLAG}")


@HTTP
def test_a_certificate_of_another_authority_gets_nobody_in(curl, domain, version, shown):
    for url in (f"https://vetted.{domain}/", f"https://vetted.{domain}/known", f"https://asking.{domain}/"):
        name = "other" if "vetted" in url else "ops"
        assert curl(url, "--insecure", version, *shown(name)).status == 400, url


@HTTP
def test_who_has_a_certificate_gets_in_and_the_app_knows_who_it_is(curl, domain, version, shown):
    for path in ("", "other/x", "known", "hook", "free"):
        answer = curl(f"https://vetted.{domain}/{path}", "--insecure", version, *shown("ops"), *CLAIMING)
        headers = seen(answer)
        found = told(headers)
        assert len(found.pop("x-ssl-client-fingerprint")) == 40
        assert found == {"x-ssl-client-verify": "SUCCESS", "x-ssl-client-s-dn": OPS}
        assert "x-forwarded-user" not in headers
    assert curl(f"https://vetted.{domain}/files/a.txt", "--insecure", version, *shown("ops")).body == "a file"
    assert curl(f"https://www.vetted.{domain}/x", "--insecure", version, *shown("ops")).status == 308
    assert seen(curl(f"https://asking.{domain}/admin", "--insecure", *shown("other")))["x-ssl-client-s-dn"]


@HTTP
def test_where_it_is_optional_the_app_knows_that_there_is_none(curl, domain, version):
    for url in (f"https://vetted.{domain}/known/x", f"https://vetted.{domain}/free", f"https://asking.{domain}/"):
        headers = seen(curl(url, "--insecure", version, *CLAIMING))
        assert told(headers) == {"x-ssl-client-verify": "NONE"}
    assert curl(f"https://vetted.{domain}/public/a.txt", "--insecure", version).body == "a file"


@HTTP
def test_no_client_can_claim_a_certificate_to_a_site_without(curl, domain, version):
    assert told(seen(curl(f"https://shop.{domain}/", "--insecure", version, *CLAIMING))) == {}


@HTTP
def test_a_connection_to_another_site_leads_to_no_protected_one(curl, domain, version, shown):
    for options in ((), shown("other")):
        for site in ("shop", "asking"):
            crossed = ("--header", f"Host: vetted.{domain}")
            answer = curl(f"https://{site}.{domain}/", "--insecure", version, *crossed, *options)
            assert answer.status == 421, (site, answer)


RESUME = """
import socket, ssl, sys
address, first, then, certificate = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.load_cert_chain(certificate)
def ask(name, session=None):
    plain = socket.create_connection((address, 443), timeout=10)
    with context.wrap_socket(plain, server_hostname=name, session=session) as tls:
        tls.sendall(f"GET /admin HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        answer = b"".join(iter(lambda: tls.recv(65536), b""))
        return answer.split()[1].decode(), tls.session, tls.session_reused
_, session, _ = ask(first)
try:
    status, _, reused = ask(then, session)
except OSError as error:
    status, reused = "refused", True
print(status, reused)
"""


@pytest.mark.parametrize("then", ["asking", "vetted"])
def test_a_session_of_another_site_counts_for_nothing(client, vps_vars, domain, shown, then):
    (_, certificate) = shown("ops")
    result = client.run(
        "python3 -c %s %s %s %s %s", RESUME, vps_vars["lab_ipv4"], f"vetted.{domain}", f"{then}.{domain}", certificate
    )
    status, reused = result.stdout.split()
    assert (status, reused) == ("200", "True") if then == "vetted" else status in {"400", "403", "refused"}, result
