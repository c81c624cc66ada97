"""The whole site, looked at from another host on the network: what the README says, in the same words."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from pathlib import Path

import pytest

SECRET = "whsec_for_the_lab_only"
EVENT = '{"id":"evt_1","object":"event","type":"charge.succeeded","data":{"object":{"description":"Käse\\r\\n"}}}'


def signature(body: str, secret: str = SECRET) -> str:
    """The header that Stripe sends with a webhook: an HMAC over the time and the raw body."""
    now = int(time.time())
    digest = hmac.new(secret.encode(), f"{now}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request) -> str:
    """The option that makes curl use one address family."""
    return {"ipv4": "-4", "ipv6": "-6"}[request.param]


@pytest.fixture
def curl(client, lab_vars):
    """curl on the host outside, trusting the lab's certificate authority; returns status and body."""
    root = Path(lab_vars["lab_acme_root"]).read_text(encoding="utf-8")
    client.run_expect([0], f"cat > /tmp/acme-root.pem <<'PEM'\n{root}\nPEM")

    def call(*arguments: str) -> tuple[int, str]:
        quoted = " ".join("'" + argument.replace("'", "'\\''") + "'" for argument in arguments)
        done = client.run(
            "curl --silent --show-error --max-time 20 --cacert /tmp/acme-root.pem --write-out '\\n%%{http_code}' "
            + quoted.replace("%", "%%")
        )
        assert done.rc == 0, done.stderr
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    return call


def test_a_signed_webhook_reaches_the_app(curl, domain, family):
    status, body = curl(
        family, f"https://api.{domain}/webhooks/stripe", "-H", f"Stripe-Signature: {signature(EVENT)}",
        "-H", "Content-Type: application/json", "--data-binary", EVENT,
    )  # fmt: skip
    assert status == 200, body


def test_an_unsigned_webhook_is_refused_by_the_app(curl, domain, family):
    status, body = curl(family, f"https://api.{domain}/webhooks/stripe", "--data-binary", EVENT)
    assert (status, "Missing Stripe-Signature header" in body) == (400, True), body


def test_a_webhook_signed_with_another_secret_is_refused(curl, domain):
    header = f"Stripe-Signature: {signature(EVENT, 'whsec_of_somebody_else')}"
    status, _ = curl(f"https://api.{domain}/webhooks/stripe", "-H", header, "--data-binary", EVENT)
    assert status == 400


def test_every_name_of_an_app_has_a_certificate_that_the_authority_signed(curl, domain):
    for name in (f"api.{domain}", f"admin.{domain}", f"www.admin.{domain}"):
        status, _ = curl("--location", f"https://{name}/health")
        assert status == 200


def test_http_is_sent_to_https_on_the_same_url(client, domain, family):
    done = client.run(
        "curl --silent --output /dev/null --write-out '%%{http_code} %%{redirect_url}' %s http://api.%s/some/path?x=1",
        family,
        domain,
    )
    assert done.stdout == f"308 https://api.{domain}/some/path?x=1"


def test_unknown_names_are_refused(client, domain, family):
    plain = client.run("curl --silent --max-time 10 %s http://stranger.%s/", family, domain)
    assert plain.rc == 52, "the connection is closed without an answer"
    encrypted = client.run("curl --silent --insecure --max-time 10 %s https://stranger.%s/", family, domain)
    assert encrypted.rc == 35, "the TLS handshake is refused"


def test_the_app_sees_the_real_client_and_no_forged_header(curl, domain, family, lab_vars):
    status, body = curl(
        family, f"https://api.{domain}/whoami", "-H", "X-Forwarded-For: 198.51.100.7", "-H", "X-Forwarded-Proto: http",
        "-H", "Proxy: http://evil.example.com",
    )  # fmt: skip
    seen = json.loads(body)
    expected = lab_vars["lab_client_ipv4"] if family == "-4" else lab_vars["lab_client_ipv6"]
    assert status == 200
    assert (seen["client"], seen["scheme"], seen["host"]) == (expected, "https", f"api.{domain}")
    assert "198.51.100.7" not in body
    assert "evil.example.com" not in body


def test_only_ssh_80_and_443_are_open(client, lab_host):
    for option, address in (("-4", lab_host["lab_ipv4"]), ("-6", lab_host["lab_ipv6_address"])):
        scan = client.run("nmap %s -Pn -p- --open --min-rate 2000 -oG - %s", option, address).stdout
        found = [part.split("/")[0] for part in scan.replace(",", " ").split() if "/open/" in part]
        assert found == ["22", "80", "443"], scan


def test_docker_cannot_walk_past_the_firewall(vps, client, lab_host):
    image = vps.check_output("docker ps --filter label=portside.app=shop-api --format '{{.Image}}'")
    vps.run_expect(
        [0],
        "docker run --detach --rm --name decoy --publish 0.0.0.0:9999:8000 --env STRIPE_WEBHOOK_SECRET=decoydecoy %s",
        image,
    )
    try:
        answers = "curl --silent --max-time 10 --retry 5 --retry-connrefused --retry-delay 1 --retry-all-errors "
        assert vps.run(answers + "http://127.0.0.1:9999/health").rc == 0, "the decoy answers on the host"
        for option, address in (("-4", lab_host["lab_ipv4"]), ("-6", f"[{lab_host['lab_ipv6_address']}]")):
            assert client.run(f"curl --silent --max-time 3 {option} http://{address}:9999/health").rc != 0
    finally:
        vps.run("docker rm --force decoy")


def test_containers_are_published_on_loopback_only(vps):
    bound = vps.check_output("docker ps --format '{{.Ports}}'").split()
    published = [entry for entry in bound if "->" in entry]
    assert published
    assert all(entry.startswith("127.0.0.1:") for entry in published)


def test_the_local_port_leads_to_the_live_release(vps):
    assert json.loads(vps.check_output("curl --silent http://127.0.0.1:8000/health"))["version"] == "1.0"


def test_the_worker_runs_and_publishes_nothing(vps):
    line = vps.check_output("docker ps --filter label=portside.app=worker --format '{{.State}} {{.Ports}}'")
    assert line.strip() == "running"


def test_a_secret_stands_in_no_world_readable_file_and_no_process_list(vps):
    found = vps.run(
        "grep --recursive --files-with-matches --fixed-strings %s /etc /var/lib/portside /var/log /tmp /root"
        " | xargs --no-run-if-empty stat --format '%%a %%n'",
        SECRET,
    ).stdout.splitlines()
    assert all(line.startswith("600 ") for line in found), found
    assert SECRET not in vps.check_output("ps -eo args")
    assert SECRET not in vps.check_output("journalctl --no-pager --boot")
