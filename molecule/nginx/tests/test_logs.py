"""What is logged of a request, and what nginx says of itself."""

from __future__ import annotations

import json
import uuid

import pytest

STATUS = "import urllib.request as u; print(u.urlopen('http://127.0.0.1/nginx_status').read().decode())"


@pytest.fixture
def mark():
    """Part of a path that no earlier request had."""
    return uuid.uuid4().hex


@pytest.fixture
def logged(vps, wait_until):
    """The log's entry for a path: `logged("shop", "/a")`; it is written out within five seconds."""

    def entry(site, path):
        found = []

        def look():
            lines = vps.file(f"/var/log/nginx/{site}.access.log").content_string.splitlines()
            found[:] = [line for line in map(json.loads, lines) if line["uri"] == path]
            return found

        wait_until(look, f"{path} is logged", 15)
        return found[-1]

    return entry


def test_a_log_line_has_the_request_id_that_the_app_saw_and_times(curl, logged, mark, domain, lab_vars):
    answer = curl(f"https://shop.{domain}/{mark}?a=b%22c", "--insecure", "--ipv4", "--user-agent", 'q"uote')
    seen = {name.lower(): value for name, value in json.loads(answer.body)["headers"]}
    entry = logged("shop", f"/{mark}?a=b%22c")
    assert entry["request_id"] == seen["x-request-id"]
    assert entry["client"] == lab_vars["lab_client_ipv4"]
    assert (entry["status"], entry["host"], entry["tls"]) == (200, f"shop.{domain}", "TLSv1.3")
    assert (entry["upstream"], entry["upstream_status"]) == ("127.0.0.1:8000", "200")
    assert float(entry["upstream_seconds"]) <= entry["seconds"] + 0.01
    assert entry["user_agent"] == 'q"uote'


def test_of_a_signature_only_its_presence_is_logged(curl, logged, mark, vps, domain):
    signature = "t=1700000000,v1=5257a869e7ecebeda32affa62cdca3fa"
    url = f"https://shop.{domain}/webhooks/stripe/{mark}"
    curl(f"{url}/signed", "--insecure", "--data", "{}", "--header", f"Stripe-Signature: {signature}")
    curl(f"{url}/unsigned", "--insecure", "--data", "{}")
    assert logged("shop", f"/webhooks/stripe/{mark}/signed")["stripe_signature"] is True
    assert logged("shop", f"/webhooks/stripe/{mark}/unsigned")["stripe_signature"] is False
    assert vps.run("grep -r 5257a869 /var/log/nginx").rc == 1


def test_logs_are_rotated(curl, mark, vps, domain, wait_until):
    curl(f"https://shop.{domain}/{mark}/before", "--insecure")
    log = vps.file("/var/log/nginx/shop.access.log")
    wait_until(lambda: f"/{mark}/before" in log.content_string, "the request is in the log", 30)
    vps.run_expect([0], "logrotate --force /etc/logrotate.d/nginx")

    def goes_to_the_new_file():
        # A worker that has not opened it yet writes to the old one.
        curl(f"https://shop.{domain}/{mark}/after", "--insecure")
        return f"/{mark}/after" in log.content_string

    wait_until(goes_to_the_new_file, "the new file has the requests that come after", 30)
    assert f"/{mark}/before" not in log.content_string
    assert f"/{mark}/before" in vps.file("/var/log/nginx/shop.access.log.1").content_string


def test_the_status_page_is_for_the_server_itself(curl, vps, domain, vps_vars):
    assert "Active connections" in vps.check_output("python3 -c %s", STATUS)
    for host in (vps_vars["lab_ipv4"], f"[{vps_vars['lab_ipv6_address']}]", f"stranger.{domain}"):
        assert curl(f"http://{host}/nginx_status").status == 0
