"""The way out of a server whose proxy refuses what an app needs, as the first users met it, and each cure."""

from __future__ import annotations

import pytest

PASSWORD = "word-that-no-log-may-hold"
# What the shop has after the test of NO_PROXY, spelled out.
STAYS = "{{ shop_exempt }}"
LOG = "/run/lab-tinyproxy.log"
# As the app calls it: Stripe's own library, with the transport and the variables that the container has.
CALL = """
import stripe
stripe.api_key, stripe.max_network_retries = "sk_test_for_the_lab", 0
stripe.ca_bundle_path = "/etc/stripe-ca.pem"  # the library brings its own, which can't know the stand-in
try:
    stripe.Charge.list()
except stripe.APIConnectionError as error:
    print("NOT REACHED", error)
except stripe.StripeError as error:
    print("REACHED", error.http_status)
"""


@pytest.fixture
def stripe_says(vps):
    """What the shop's call of Stripe's API comes to."""

    def call() -> str:
        name = vps.check_output("docker ps --filter label=portside.app=shop-api --format '{{.Names}}'")
        return vps.check_output("docker exec %s python -c %s", name, CALL)

    return call


@pytest.fixture
def proxied(client):
    """What the proxy was asked since the call before."""
    seen = [len(client.check_output(f"cat {LOG}").splitlines())]

    def lines() -> str:
        found = client.check_output(f"cat {LOG}").splitlines()
        fresh, seen[0] = found[seen[0] :], len(found)
        return "\n".join(fresh)

    return lines


def test_through_the_proxy_the_call_of_stripe_fails_with_the_error_of_the_first_users(stripe_says, proxied):
    said = stripe_says()
    assert "NOT REACHED" in said
    assert "Tunnel connection failed: 403" in said
    assert "api.stripe.com:443" in proxied(), "it was asked of the proxy"


def test_the_diagnosis_on_debian_12_names_the_proxy_and_the_way_around_it(play):
    done = play("diagnose")
    assert done.status == 1, done.output
    words = " ".join(done.output.split())
    assert "shop-api: broken at way out" in words
    assert "refuses api.stripe.com: 403" in words
    assert "`portside_egress.no_proxy: [api.stripe.com]`, or `egress: direct`" in words
    assert "reports: nothing is broken" in words
    assert "worker: broken at way out" in words
    assert "(https_proxy) wants another login (40" in words
    assert PASSWORD not in done.output
    assert "nobody-knows-this" not in done.output


def test_pulls_go_through_the_proxy(vps, proxied, lab_vars):
    vps.run_expect([0], "docker pull %s/webhook-app:1.1", lab_vars["lab_registry"])
    assert "registry.lab.test:5000" in proxied()


@pytest.mark.parametrize("way", ["direct", STAYS], ids=["direct", "with api.stripe.com in NO_PROXY"])
def test_stripe_is_reached_and_that_made_a_release_of_this_app_alone(play, running, stripe_says, proxied, way):
    before = running()
    done = play("deploy", "--diff", "-v", shop_egress=way)
    assert done.status == 0, done.output
    after = running()
    assert {name for name in after if after[name] != before[name]} == {"shop-api"}
    assert stripe_says().strip() == "REACHED 404"
    assert "api.stripe.com" not in proxied()
    assert PASSWORD not in done.output


def test_another_proxy_for_docker_stops_no_app_and_changes_the_way_of_pulls(play, vps, running, proxied, lab_vars):
    image = f"{lab_vars['lab_registry']}/webhook-app:1.1"
    before = running()
    daemon = vps.check_output("systemctl show --property MainPID docker.service")
    proxy = {"http_proxy": f"http://shop:{PASSWORD}@{lab_vars['lab_client_ipv4']}:8888", "apt": "direct"}
    done = play(
        "site", "--diff", "-v", portside_egress={**proxy, "https_proxy": proxy["http_proxy"]}, shop_egress=STAYS
    )
    assert done.status == 0, done.output
    assert running() == before, "live-restore"
    assert vps.check_output("systemctl show --property MainPID docker.service") != daemon, "the daemon is another one"
    proxied()
    vps.run_expect([0], f"docker rmi {image} && docker pull {image}")
    assert "registry.lab.test" not in proxied(), "pulls are direct by default"
    done = play("site", "--diff", "-v")
    assert done.status == 0, done.output
    assert {name for name, at in running().items() if at != before[name]} == {"shop-api"}, "back to `egress: proxy`"
    assert PASSWORD not in done.output


def test_the_password_of_the_proxy_is_in_no_log_and_no_file_that_others_can_read(vps):
    assert PASSWORD not in vps.check_output("journalctl --no-pager --output cat")
    readable = vps.run(f"find /etc /var/lib/portside /var/log -type f -perm /044 -exec grep -l {PASSWORD} {{}} +")
    assert readable.stdout == ""
    assert PASSWORD not in vps.check_output("ps -eo args")
