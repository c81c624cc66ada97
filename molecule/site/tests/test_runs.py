"""Running the playbooks again, as another user, with mistakes, and with a certificate that can't be had."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from lab.playbook import ROOT, run

SETTINGS = ROOT / "molecule" / "site" / "inventory"
# At most so many modules may be executed on a host by a run that changes nothing, however many apps there are.
MOST_CALLS = 20


@pytest.fixture
def inventories(lab_vars) -> list[Path]:
    return [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SETTINGS]


def apps() -> list[dict]:
    """The scenario's apps, to be changed and given as extra variables."""
    return yaml.safe_load((SETTINGS / "group_vars" / "vps.yml").read_text(encoding="utf-8"))["portside_apps"]


def test_a_second_run_changes_nothing_in_few_calls(inventories):
    done = run("site.yml", inventories)
    assert done.status == 0, done.output
    assert set(done.changed.values()) == {0}, done.output
    for host in done.changed:
        assert 0 < done.calls_on(host) <= MOST_CALLS, done.calls[host]


def test_the_summary_says_what_runs_where(inventories):
    done = run("site.yml", inventories, "--limit", "debian13")
    assert "PORTSIDE debian13: nothing changed" in done.output
    row = next(line for line in done.output.splitlines() if line.startswith("shop-api "))
    assert "https://api.debian13.test/" in row
    assert "webhook-app:1.0" in row
    assert "127.0.0.1:18" in row
    assert "days left" in row


def test_check_mode_with_diff_predicts_nothing_on_a_finished_host(inventories):
    done = run("site.yml", inventories, "--check", "--diff")
    assert done.status == 0, done.output
    assert set(done.changed.values()) == {0}, done.output


def test_a_user_with_sudo_gets_the_same(inventories):
    done = run("site.yml", inventories, variables={"ansible_user": "deploy"})
    assert done.status == 0, done.output
    assert set(done.changed.values()) == {0}, done.output


BAD = {
    "unknown key": ({"imagee": "x"}, ["app `shop-api`", "unknown key `imagee`", "`image`"]),
    "public bind": ({"bind": "0.0.0.0"}, ["app `shop-api`", "`bind: 0.0.0.0`", "loopback"]),
    "port out of range": ({"port": 70000}, ["app `shop-api`", "`port: 70000`", "1 to 65535"]),
    "no domain": ({"domains": ["localhost"]}, ["app `shop-api`", "`localhost`", "api.example.com"]),
    "webhook path twice": ({"webhooks": [{"path": "/a"}, {"path": "/a"}]}, ["`shop-api`", "/a"]),
    "local port of nginx itself": ({"local_port": 443}, ["`shop-api`", "local_port", "443"]),
    "no tag": ({"image": "acme/shop"}, ["app `shop-api`", "needs a tag of its own"]),
    "proxy that nobody declared": ({"egress": "proxy"}, ["app `shop-api`", "`portside_egress`"]),
    "domain twice": ({"domains": ["admin.{{ lab_domain }}"]}, ["declared more than once", "shop-api", "admin"]),
}


@pytest.mark.parametrize("mistake", BAD)
def test_a_mistake_is_refused_before_the_first_change(inventories, mistake):
    keys, words = BAD[mistake]
    first, *others = apps()
    done = run("site.yml", inventories, variables={"portside_apps": [{**first, **keys}, *others]})
    assert done.status != 0
    assert all(word in done.output for word in words), done.output
    assert not done.calls, done.calls


def test_a_misspelt_variable_is_refused_before_the_first_change(inventories):
    for variables, hint in (
        ({"portside_app": []}, "did you mean `portside_apps`?"),
        ({"docker_deamon_options": {}}, "did you mean `docker_daemon_options`?"),
    ):
        done = run("site.yml", inventories, variables=variables)
        assert done.status != 0
        assert hint in done.output, done.output
        assert not done.calls, done.calls


def test_a_firewall_rule_that_cannot_be_is_refused_before_the_first_change(inventories):
    done = run("site.yml", inventories, variables={"portside_firewall_rules": [{"port": "9000:8000", "proto": "tcp"}]})
    assert done.status != 0
    assert "9000:8000" in done.output, done.output
    assert not done.calls, done.calls


def test_an_app_that_does_not_exist_cannot_be_deployed(inventories):
    done = run("playbooks/deploy.yml", inventories, "-e", "app=shop-apo")
    assert done.status != 0
    assert "shop-apo" in done.output
    assert "shop-api" in done.output
    assert not done.calls, done.calls


def test_an_unsupported_system_is_refused_before_the_first_change(inventories, vps, vps_name):
    vps.run_expect([0], "printf 'ID=fedora\\nNAME=Fedora\\nVERSION_ID=43\\n' > /tmp/os-release")
    vps.run_expect([0], "mount --bind /tmp/os-release /etc/os-release && mount --bind /dev/null /etc/debian_version")
    try:
        done = run("site.yml", inventories, "--limit", vps_name)
    finally:
        vps.run_expect([0], "umount /etc/os-release /etc/debian_version")
    assert done.status != 0
    assert "which Portside does not support" in " ".join(done.output.split())
    assert "Debian 13" in done.output


def test_a_certificate_that_cannot_be_had_fails_by_name_and_every_site_goes_on(inventories, vps_name, client, domain):
    lost = {
        "name": "lost",
        "image": apps()[0]["image"],
        "port": 8000,
        "domains": ["lost.nowhere.test"],
        "health": {"path": "/health"},
        "secrets": {"STRIPE_WEBHOOK_SECRET": "whsec_of_the_lost_app"},
    }
    try:
        done = run("site.yml", inventories, "--limit", vps_name, variables={"portside_apps": [*apps(), lost]})
        assert done.status != 0
        assert "lost.nowhere.test" in done.output
        assert client.run("curl --silent --insecure --fail https://api.%s/health", domain).rc == 0
    finally:
        without = {"portside_apps": [*apps(), {**lost, "state": "absent"}]}
        gone = run("site.yml", inventories, "--limit", vps_name, variables=without)
    assert gone.status == 0, gone.output


def test_an_app_that_cannot_run_keeps_no_other_from_its_certificate(inventories, vps_name, curl, domain):
    secret = {"STRIPE_WEBHOOK_SECRET": "whsec_of_another_app"}
    image = apps()[0]["image"]
    base = {"port": 8000, "health": {"path": "/health"}, "secrets": secret}
    fresh = {**base, "name": "fresh", "image": image, "domains": [f"fresh.{domain}"]}
    sick = {**base, "name": "sick", "image": image.replace(":1.0", ":9.9"), "domains": [f"sick.{domain}"]}
    try:
        wanted = {"portside_apps": [*apps(), sick, fresh]}
        done = run("site.yml", inventories, "--limit", vps_name, variables=wanted)
        assert done.status != 0
        assert "webhook-app:9.9" in done.output
        assert curl(f"https://fresh.{domain}/health").status == 200
    finally:
        gone = [{"name": app["name"], "state": "absent"} for app in (sick, fresh)]
        back = run("site.yml", inventories, "--limit", vps_name, variables={"portside_apps": [*apps(), *gone]})
    assert back.status == 0, back.output
    assert curl(f"https://fresh.{domain}/health").exit_status == 35, "the name is nobody's again"


def test_a_new_tag_is_the_deploy_and_only_that_app_is_touched(inventories, vps, vps_name, client, domain):
    others = vps.check_output("docker ps --quiet --filter label=portside.app=admin")
    first, *rest = apps()
    newer = [{**first, "image": first["image"].replace(":1.0", ":1.1")}, *rest]
    try:
        only = ["--limit", vps_name, "-e", "app=shop-api"]
        done = run("playbooks/deploy.yml", inventories, *only, variables={"portside_apps": newer})
        assert done.status == 0, done.output
        assert '"1.1"' in client.check_output("curl --silent --insecure https://api.%s/health", domain)
        assert vps.check_output("docker ps --quiet --filter label=portside.app=admin") == others
    finally:
        back = run("playbooks/deploy.yml", inventories, "--limit", vps_name)
    assert back.status == 0, back.output
    assert '"1.0"' in client.check_output("curl --silent --insecure https://api.%s/health", domain)
