"""The way back, as a user takes it: image and site options together, and what the next run of site.yml makes of it. On
both servers at a time."""

from __future__ import annotations

import json

import pytest
import testinfra
import yaml

from lab.playbook import ROOT, run

SETTINGS = ROOT / "molecule" / "site" / "inventory"
APPS = yaml.safe_load((SETTINGS / "group_vars" / "vps.yml").read_text(encoding="utf-8"))["portside_apps"]
ROTATED = "whsec_that_is_rotated_away"
# What an app of the next release is, whose secret is known to nobody afterwards.
LATER = {"webhooks": [{"path": "/hook"}], "secrets": {"STRIPE_WEBHOOK_SECRET": ROTATED}}
NEXT = [
    {**app, "image": app["image"].replace(":1.0", ":1.1"), **LATER} if app["name"] == "admin" else app for app in APPS
]


def forgotten(again):
    """No file of arguments can be written: where Ansible writes such, there is nothing to write to."""
    with pytest.MonkeyPatch.context() as settings:
        settings.setenv("ANSIBLE_PIPELINING", "false")
        settings.setenv("ANSIBLE_REMOTE_TEMP", "/proc/portside")
        return again("playbooks/forget.yml", "-e", "app=admin", apps=APPS)


@pytest.fixture(scope="module")
def runs(lab_vars):
    """A release that is rolled back, site.yml again with the same inventory, and the list of releases."""
    inventories = [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SETTINGS]

    def again(playbook, *arguments, apps=NEXT):
        variables = {"portside_apps": apps, "portside_by": "ann"}
        return run(playbook, inventories, *arguments, variables=variables)

    yield {
        "site": again("site.yml"),
        "rollback": again("playbooks/rollback.yml", "-e", "app=admin"),
        "again": again("site.yml"),
        "forget": forgotten(again),
        "list": again("playbooks/releases.yml", "-e", "app=admin"),
        "nowhere": again("playbooks/rollback.yml", "-e", "app=admin"),
    }
    back = run("site.yml", inventories)
    assert back.status == 0, back.output
    assert set(back.changed.values()) == {0}, back.output


# A test sees both servers: one for each would have Pytest make the runs again.
def test_rollback_restores_image_and_site_options(runs, servers, curl):
    for name in ("site", "rollback"):
        assert runs[name].status == 0, runs[name].output
        assert 0 not in runs[name].changed.values(), runs[name].output
    for server in servers.values():
        domain = server["lab_domain"]
        assert json.loads(curl(f"https://admin.{domain}/health").body)["version"] == "1.0"
        assert curl(f"https://www.admin.{domain}/hook").status == 308, "the webhook path of the later release is gone"


def test_site_does_not_put_back_what_was_rolled_back_but_says_so(runs, servers):
    assert runs["again"].status == 0, runs["again"].output
    assert runs["again"].changed == dict.fromkeys(servers, 0), runs["again"].output
    said = " ".join(runs["again"].output.split())
    assert said.count("ATTENTION app `admin` stays on release") == len(servers)
    assert "rolled back on" in said
    assert "-e portside_retry=admin" in said


def test_the_releases_are_listed_with_number_time_image_author_and_state(runs, servers):
    said = " ".join(runs["list"].output.split())
    for word in ("release", "rejected", "live", "retired", "webhook-app:1.1", "sha256:", "ann", "rollback to release"):
        assert said.count(word) >= len(servers), runs["list"].output


def test_a_rollback_to_nowhere_names_what_there_is(runs, servers, curl):
    assert runs["nowhere"].status == 2
    assert runs["nowhere"].output.count("no earlier release to go back to") >= len(servers)
    for server in servers.values():
        assert curl(f"https://admin.{server['lab_domain']}/health").status == 200


def test_a_rotated_secret_is_forgotten_everywhere_on_the_server(runs, servers, lab_vars):
    assert runs["forget"].status == 0, runs["forget"].output
    assert runs["forget"].changed == dict.fromkeys(servers, 1), runs["forget"].output
    said = " ".join(runs["forget"].output.split())
    assert said.count("were forgotten, and there is no rollback to it any more") == len(servers)
    assert said.count("secrets forgotten on") == 0
    assert " ".join(runs["list"].output.split()).count("secrets forgotten on") == len(servers)
    for name in servers:
        server = testinfra.get_host(f"ssh://{name}", ssh_config=lab_vars["lab_ssh_config"])
        places = "/var/lib/portside /var/lib/docker/containers /etc /run /tmp /root"
        assert server.run(f"grep -rlF {ROTATED} {places} 2>/dev/null").stdout == ""
