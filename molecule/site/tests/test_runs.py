"""Running the playbooks again, as another user, with mistakes, and with a certificate that can't be had."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lab import outside
from lab.playbook import ROOT, run

SETTINGS = ROOT / "molecule" / "site" / "inventory"
# At most so many modules may be executed on a host by a run that changes nothing, however many apps there are.
MOST_CALLS = 12


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


def test_a_misspelt_setting_is_refused_before_the_first_change(inventories):
    done = run("site.yml", inventories, variables={"portside_app": []})
    assert done.status != 0
    assert "did you mean `portside_apps`?" in done.output, done.output
    assert not done.calls, done.calls


@pytest.mark.parametrize("kept", [0, 1], ids=["an empty list", "a shorter list"])
def test_a_list_that_got_lost_takes_no_site_away(inventories, client, servers, kept):
    done = run("site.yml", inventories, variables={"portside_apps": apps()[:kept]})
    assert done.status != 0
    assert "no longer in `portside_apps`" in " ".join(done.output.split()), done.output
    assert not any(done.changed.values()), done.output
    for server in servers.values():
        url = "https://admin.%s/health"
        code = "curl --silent --insecure --output /dev/null --write-out '%%{http_code}' " + url
        assert client.check_output(code, server["lab_domain"]) == "200"


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


def test_an_unsupported_system_is_refused_before_the_first_change(inventories, on_each, servers):
    on_each(
        "printf 'ID=fedora\\nNAME=Fedora\\nVERSION_ID=43\\n' > /tmp/os-release; "
        "mount --bind /tmp/os-release /etc/os-release && mount --bind /dev/null /etc/debian_version"
    )
    try:
        done = run("site.yml", inventories)
    finally:
        on_each("umount /etc/os-release /etc/debian_version")
    assert done.status != 0
    said = " ".join(done.output.split())
    assert said.count("which Portside does not support") >= len(servers), done.output
    assert "Debian 13" in said


@pytest.fixture(scope="module")
def three(lab_vars, client, servers):
    """Three apps more: one whose certificate can't be had, one whose image isn't there, and one with nothing wrong.

    What was said, and what the client then gets from the last one and from one that was there before.
    """
    inventories = [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SETTINGS]
    image = apps()[0]["image"]
    base = {"port": 8000, "image": image, "health": {"path": "/health"}}
    base |= {"secrets": {"STRIPE_WEBHOOK_SECRET": "whsec_of_another_app"}}
    lost = {**base, "name": "lost", "domains": ["lost.nowhere.test"]}
    sick = {**base, "name": "sick", "image": image.replace(":1.0", ":9.9"), "domains": ["sick.{{ lab_domain }}"]}
    fresh = {**base, "name": "fresh", "domains": ["fresh.{{ lab_domain }}"]}

    def seen():
        command = f"curl --silent --cacert {outside.ROOT_CERTIFICATE} --fail https://%s.%s/health"
        names = [(app, server["lab_domain"]) for server in servers.values() for app in ("api", "fresh")]
        return {(app, domain): client.run(command, app, domain).rc for app, domain in names}

    try:
        said = run("site.yml", inventories, variables={"portside_apps": [*apps(), lost, sick, fresh]})
        during = seen()
    finally:
        gone = [{"name": app["name"], "state": "absent"} for app in (lost, sick, fresh)]
        back = run("site.yml", inventories, variables={"portside_apps": [*apps(), *gone]})
    assert back.status == 0, back.output
    return said, during, seen()


# A test sees both servers: one for each would have Pytest make the runs again.
def test_a_certificate_that_cannot_be_had_fails_by_name_and_every_site_goes_on(three, servers):
    said, during, _ = three
    assert said.status != 0
    assert "lost.nowhere.test" in said.output
    assert [during["api", server["lab_domain"]] for server in servers.values()] == [0] * len(servers)


def test_an_app_that_cannot_run_keeps_no_other_from_its_certificate(three, servers):
    said, during, after = three
    assert said.status != 0
    assert "webhook-app:9.9" in said.output
    for server in servers.values():
        assert during["fresh", server["lab_domain"]] == 0
        assert after["fresh", server["lab_domain"]] == 35, "the name is nobody's again"


def test_a_new_tag_is_the_deploy_and_only_that_app_is_touched(inventories, on_each, client, servers):
    def versions():
        health = "curl --silent --insecure https://api.%s/health"
        return [json.loads(client.check_output(health, server["lab_domain"]))["version"] for server in servers.values()]

    others = on_each("docker ps --quiet --filter label=portside.app=admin")
    first, *rest = apps()
    newer = [{**first, "image": first["image"].replace(":1.0", ":1.1")}, *rest]
    try:
        done = run("playbooks/deploy.yml", inventories, "-e", "app=shop-api", variables={"portside_apps": newer})
        assert done.status == 0, done.output
        assert {*versions()} == {"1.1"}
        assert on_each("docker ps --quiet --filter label=portside.app=admin") == others
    finally:
        back = run("playbooks/deploy.yml", inventories)
    assert back.status == 0, back.output
    assert {*versions()} == {"1.0"}
