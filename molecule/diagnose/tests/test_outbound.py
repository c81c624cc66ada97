"""The way out of a container: a real proxy that refuses CONNECT, a TLS server that plays Stripe, what an app sees."""

from __future__ import annotations

from importlib import import_module

import browser
import pytest
import yaml

from lab.playbook import run

STRIPE = "https://api.stripe.com"
ASK = "import requests; print(requests.get('https://api.stripe.com/v1/charges', timeout=10).status_code)"


def worker(name: str, image: str, address: str, **keys) -> dict:
    """An app that only waits, for which api.stripe.com is the stand-in."""
    return {
        "name": name,
        "image": image,
        "command": ["python", "-c", "import time; time.sleep(86400)"],
        "health": {"grace": 0.1},
        "extra_hosts": {"api.stripe.com": address},
        "volumes": ["/etc/stripe-ca.pem:/etc/stripe-ca.pem:ro"],
        "env": {"SSL_CERT_FILE": "/etc/stripe-ca.pem", "REQUESTS_CA_BUNDLE": "/etc/stripe-ca.pem"},
        **keys,
    }


@pytest.fixture(scope="module")
def apps(inventories, lab_vars, vps_name) -> dict:
    """Variables with one app for each way out, which are then released."""
    address, image = lab_vars["lab_client_ipv4"], f"{lab_vars['lab_registry']}/webhook-app:1.0"
    proxy = f"http://{address}:8888"

    def app(name: str, **keys) -> dict:
        return worker(name, image, address, **keys)

    found = [
        app("direct"),
        app("refused", egress="proxy"),
        app("exempt", egress={"https_proxy": proxy, "no_proxy": ["api.stripe.com"]}),
        app("no-name", egress_checks=["https://no-such-name.lab.test"]),
        app("no-way", egress_checks=[f"{STRIPE}:9"]),
        app("no-proxy-there", egress={"https_proxy": f"http://{address}:9"}),
        app("no-such-proxy", egress={"https_proxy": "http://no-such-proxy.lab.test:3128"}),
        app("no-trust", env={}),
        # Nobody listens there either, so that going direct is no way out.
        app("refused-no-way", egress="proxy", egress_checks=[f"{STRIPE}:9"]),
        app("trouble", egress_checks=[f"{STRIPE}/broken"]),
    ]
    variables = {"portside_apps": found, "portside_egress": {"https_proxy": proxy}}
    # An app that has a site and is not declared any more would stop the run.
    served = yaml.safe_load((inventories[-1] / "group_vars" / "vps.yml").read_text(encoding="utf-8"))
    all_apps = [*found, *(one for one in served["portside_apps"] if one.get("domains"))]
    released = {**variables, "portside_apps": all_apps}
    done = run("playbooks/deploy.yml", inventories, "--limit", vps_name, variables=released)
    assert done.status == 0, done.output
    return variables


@pytest.fixture(scope="module")
def seen(inventories, apps, vps_name, tmp_path_factory) -> dict:
    """One diagnosis of all of them, by app; with the run's output."""
    file = tmp_path_factory.mktemp("report") / "report.json"
    done = run("playbooks/diagnose.yml", inventories, "--limit", vps_name, "-e", f"report={file}", variables=apps)
    assert done.status == 1, done.output
    assert done.calls[vps_name]["The way out of the containers has been tried"] == 1, "one call for all apps"
    found = yaml.safe_load(file.read_text(encoding="utf-8"))["hosts"][vps_name]
    return {one["app"]: one for one in found}


CAUSES = {
    "direct": [],
    "refused": ["proxy-refused"],
    "exempt": [],
    "no-name": ["egress-dns"],
    "no-way": ["egress-closed"],
    "no-proxy-there": ["proxy-unreachable"],
    "no-such-proxy": ["proxy-unknown"],
    "no-trust": ["egress-certificate"],
    "refused-no-way": ["proxy-refused"],
    "trouble": ["egress-answer"],
}


def test_each_outbound_fault_is_named_and_what_works_gives_no_alarm(seen):
    assert {name: [one["cause"] for one in app["findings"]] for name, app in seen.items()} == CAUSES


def test_the_refusal_of_the_proxy_is_told_with_its_status_the_variable_and_what_works_instead(seen, lab_vars):
    (found,) = seen["refused"]["findings"]
    assert (
        f"the proxy http://{lab_vars['lab_client_ipv4']}:8888 (https_proxy) refuses api.stripe.com: 403"
        in found["seen"]
    )
    assert "without the proxy was tried and works (404)" in found["why"]
    assert "`portside_egress.no_proxy: [api.stripe.com]`, or `egress: direct`" in found["cure"]


def test_the_variable_that_decided_the_route_is_shown(seen):
    assert "404 direct (no_proxy has api.stripe.com)" in seen["exempt"]["path"][-1]["seen"]
    assert "404 direct (no proxy variable)" in seen["direct"]["path"][-1]["seen"]


def test_going_direct_is_advised_where_it_was_tried_and_works_alone(seen):
    advised = {name for name, app in seen.items() for one in app["findings"] if "egress: direct" in one["cure"]}
    assert advised == {"refused", "no-proxy-there", "no-such-proxy"}
    assert "it doesn't work either" in seen["refused-no-way"]["findings"][0]["why"]


def test_the_library_of_the_app_gets_the_error_that_the_report_explains(vps, apps, seen):
    names = vps.check_output("docker ps --format '{{.Names}}'").split()

    def ask(app: str):
        return vps.run("docker exec %s python -c %s", next(n for n in names if n.startswith(f"{app}-r")), ASK)

    refused = ask("refused")
    assert refused.rc != 0
    assert "ProxyError" in refused.stderr
    assert "Tunnel connection failed: 403" in refused.stderr
    assert "Tunnel connection failed: 403" in seen["refused"]["findings"][0]["why"]
    for works in ("direct", "exempt"):
        assert ask(works).stdout.strip() == "404", works


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_can_be_read_at_a_desk_and_on_a_phone(seen, tmp_path, dark):
    import_module("tests.conftest")  # makes the collection known
    page = import_module("ansible_collections.portside.vps.plugins.module_utils.diagnosis.page")
    looks = browser.measure(page.page({"web1": list(seen.values())}, "html", "now"), tmp_path, dark=dark)
    assert set(looks) == {browser.DESKTOP, browser.PHONE}
    for width, look in looks.items():
        assert look["needed"] <= width, "nobody has to scroll sideways"
        assert look["titles"] == [hop["title"] for app in seen.values() for hop in app["path"]], "every hop is in sight"
        assert look["outside"] == look["narrow"] == []
        assert look["faint"] == []
        assert look["dark"] is dark
        assert (look["back"] < 0.1) is dark
