"""The whole site, looked at from another host on the network: what the README says, in the same words."""

from __future__ import annotations

import json
import time

import pytest

from lab.stripe import EVENT, signature

SECRET = "whsec_for_the_lab_only"


def now_signed(body: str, secret: str = SECRET) -> str:
    """The header of a webhook that is sent now."""
    return f"Stripe-Signature: {signature(body, secret, int(time.time()))}"


@pytest.fixture(params=["ipv4", "ipv6"])
def family(request) -> str:
    """The option that makes curl use one address family."""
    return {"ipv4": "-4", "ipv6": "-6"}[request.param]


def post(curl, url: str, *options: str):
    """Send the event the way Stripe does."""
    return curl(url, *options, "--header", "Content-Type: application/json", "--data-binary", EVENT)


def test_a_signed_webhook_reaches_the_app(curl, domain, family):
    answer = post(curl, f"https://api.{domain}/webhooks/stripe", family, "--header", now_signed(EVENT))
    assert answer.status == 200, answer


def test_an_unsigned_webhook_is_refused_by_the_app(curl, domain, family):
    answer = post(curl, f"https://api.{domain}/webhooks/stripe", family)
    assert answer.status == 400, answer
    assert "Missing Stripe-Signature header" in answer.body


def test_a_webhook_signed_with_another_secret_is_refused(curl, domain):
    header = now_signed(EVENT, "whsec_of_somebody_else")
    assert post(curl, f"https://api.{domain}/webhooks/stripe", "--header", header).status == 400


def test_every_name_of_an_app_has_a_certificate_that_the_authority_signed(curl, domain):
    for name in (f"api.{domain}", f"admin.{domain}", f"www.admin.{domain}"):
        answer = curl(f"https://{name}/health")
        assert answer.exit_status == 0, answer.error


def test_http_is_sent_to_https_on_the_same_url(curl, domain, family):
    answer = curl(f"http://api.{domain}/some/path?x=1", family)
    assert (answer.status, answer.headers["location"]) == (308, f"https://api.{domain}/some/path?x=1")


def test_unknown_names_are_refused(curl, domain, family):
    assert curl(f"http://stranger.{domain}/", family).exit_status == 52, "closed without an answer"
    assert curl(f"https://stranger.{domain}/", family, "--insecure").exit_status == 35, "no TLS handshake"


def test_the_app_sees_the_real_client_and_no_forged_header(curl, domain, family, lab_vars):
    forged = ["X-Forwarded-For: 198.51.100.7", "X-Forwarded-Proto: http", "Proxy: http://evil.example.com"]
    headers = [part for header in forged for part in ("--header", header)]
    answer = curl(f"https://api.{domain}/whoami", family, *headers)
    seen = json.loads(answer.body)
    expected = lab_vars["lab_client_ipv4"] if family == "-4" else lab_vars["lab_client_ipv6"]
    assert answer.status == 200
    assert (seen["client"], seen["scheme"], seen["host"]) == (expected, "https", f"api.{domain}")
    assert "198.51.100.7" not in answer.body
    assert "evil.example.com" not in answer.body


def test_a_path_of_another_app_and_its_webhook_with_a_body_size_of_its_own(client, curl, domain):
    url = f"https://admin.{domain}/shop/webhooks/stripe"
    answer = post(curl, url, "--header", now_signed(EVENT))
    assert (answer.status, answer.headers["x-frame-options"]) == (200, "DENY"), answer
    assert json.loads(curl(f"https://admin.{domain}/shop/health").body)["version"] == "1.0"
    client.run_expect([0], "head -c 150000 /dev/zero > /tmp/large")
    assert curl(url, "--data-binary", "@/tmp/large").status == 413


def test_http3_passes_the_firewall_where_nginx_has_it(curl, domain, family, vps, wait_until):
    url = f"https://api.{domain}/health"
    has_it = vps.run("nginx -V 2>&1 | grep --quiet http_v3").rc == 0
    assert ("alt-svc" in curl(url, family).headers) is has_it
    if has_it:
        wait_until(lambda: curl(url, family, "--http3-only", "--max-time", "3").status == 200, "an answer over HTTP/3")
    else:
        assert "443/udp" not in vps.check_output("ufw status")


def test_only_ssh_80_and_443_are_open(open_ports, vps_vars):
    for address in (vps_vars["lab_ipv4"], vps_vars["lab_ipv6_address"]):
        assert open_ports(address) == {22, 80, 443}


def test_docker_cannot_walk_past_the_firewall(vps, client, vps_vars, local_get, wait_until):
    image = vps.check_output("docker ps --filter label=portside.app=shop-api --format '{{.Image}}'")
    vps.run_expect(
        [0],
        "docker run --detach --rm --name decoy --publish 0.0.0.0:9999:8000 --env STRIPE_WEBHOOK_SECRET=decoydecoy %s",
        image,
    )
    try:
        wait_until(lambda: local_get("http://127.0.0.1:9999/health")[0] == 200, "the decoy answers on the host")
        for option, address in (("-4", vps_vars["lab_ipv4"]), ("-6", f"[{vps_vars['lab_ipv6_address']}]")):
            assert client.run(f"curl --silent --max-time 3 {option} http://{address}:9999/health").rc != 0
    finally:
        vps.run("docker rm --force decoy")


def test_containers_are_published_on_loopback_only(vps):
    bound = vps.check_output("docker ps --format '{{.Ports}}'").split()
    published = [entry for entry in bound if "->" in entry]
    assert published
    assert all(entry.startswith("127.0.0.1:") for entry in published)


def test_the_local_port_leads_to_the_live_release(local_get):
    status, body = local_get("http://127.0.0.1:8000/health")
    assert (status, json.loads(body)["version"]) == (200, "1.0")


def test_the_worker_runs_and_publishes_nothing(vps):
    state, _, ports = vps.check_output(
        "docker ps --filter label=portside.app=worker --format '{{.State}} {{.Ports}}'"
    ).partition(" ")
    assert state == "running"
    assert "->" not in ports


def test_a_secret_stands_in_no_world_readable_file_and_no_process_list(vps):
    found = vps.run(
        "grep --recursive --files-with-matches --fixed-strings %s /etc /var/lib/portside /var/log /tmp /root"
        " | xargs --no-run-if-empty stat --format '%%a %%n'",
        SECRET,
    ).stdout.splitlines()
    assert all(line.startswith("600 ") for line in found), found
    assert SECRET not in vps.check_output("ps -eo args")
    assert SECRET not in vps.check_output("journalctl --no-pager --boot")
