"""Deploys under load from outside: HTTP/1.1 and HTTP/2, new and kept connections, GET and POST, a WebSocket, slow POSTs
of which one is on its way at every switch, and no request that fails. On both servers at a time, since most of it is
waiting. `make soak` does fifty deploys.
"""

from __future__ import annotations

import copy
import json
import subprocess

import pytest
import yaml

from lab import outside
from lab.identity import Lab
from lab.playbook import ROOT, run
from soak.run import Load, renewal, ssh

SETTINGS = ROOT / "molecule" / "site" / "inventory"
APPS = yaml.safe_load((SETTINGS / "group_vars" / "vps.yml").read_text(encoding="utf-8"))["portside_apps"]
NAME = "load"
CLIENTS = {"kept": 5, "fresh": 2, "h2": 4}
# The same app for a hundred clients, each with an address of its own, asked twice.
CLIENTS_OF_CANARY = """
import http.client, json
def ask(address):
    connection = http.client.HTTPConnection("127.0.0.1", 8001, timeout=10, source_address=(address, 0))
    connection.request("GET", "/")
    return json.loads(connection.getresponse().read())["version"]
addresses = [f"127.0.{part}.{number}" for part in (1, 2) for number in range(1, 51)]
print(json.dumps([[ask(address) for address in addresses] for _ in range(2)]))
"""
# What goes wrong -> what is changed, and what the message says.
FAILURES = {
    "broken image": ({"env": {"EXIT_STATUS": "3"}}, "it ended with exit status 3"),
    "failing health": ({"env": {"HEALTH_STATUS": "503"}, "health": {"path": "/health", "timeout": 10}}, "answered 503"),
    "failing migration": ({"before": ["false"], "env": {"MIGRATE": "1"}}, "`before: false` ended with exit status 1"),
    "no such image": ({"image": "{{ lab_registry }}/probe:9.9"}, "the registry has no such tag"),
    "registry that refuses": ({"image": "{{ lab_registry_login }}/probe:2"}, "docker_app_registries"),
}


class Fleet:
    """All servers of the lab, and the app as it is declared now."""

    def __init__(self, lab_vars, servers, on_each):
        self.on_each = on_each
        self.lab = Lab(lab_vars["lab_name"])
        self.servers = servers
        self.app = copy.deepcopy(next(app for app in APPS if app["name"] == NAME))
        self.said = {}
        self.counted = {name: [] for name in servers}
        self.shares = {}
        self.headers = {}

    def play(self, what, playbook, *arguments, **changes):
        """Run a playbook with the app changed; keeps what it said."""
        apps = [{**self.app, **changes} if app["name"] == NAME else app for app in APPS]
        inventories = [self.lab.state / "inventory.yml", SETTINGS]
        variables = {"portside_apps": apps, "portside_by": "ann"}
        self.said[what] = run(playbook, inventories, *arguments, variables=variables)
        return self.said[what]

    def deploy(self, what, **changes):
        """Run deploy.yml for the app."""
        return self.play(what, "playbooks/deploy.yml", "-e", f"app={NAME}", **changes)

    def see_headers(self, when):
        """Keep the headers of an answer that each site gives."""
        for name in self.servers:
            command = outside.curl(f"https://{NAME}.{name}.test/")
            said, _ = ssh(self.lab, "client", command, stdin=subprocess.DEVNULL).communicate(timeout=60)
            answer = outside.parse_answer(0, said, "")
            self.headers[when, name] = {key.lower(): value for key, value in answer.headers.items()}

    def under_load(self, work, **options):
        """Do something under load; keeps what became of the requests."""
        loads = {name: Load(self.lab, f"{NAME}.{name}.test", **CLIENTS, **options) for name in self.servers}
        try:
            work()
        finally:
            for name, load in loads.items():
                self.counted[name].append(load.end())


def everything(fleet):
    """Deploys of all kinds, canaries promoted and aborted, what else happens to a server, and what goes wrong."""
    fleet.deploy("new image", image="{{ lab_registry }}/probe:2")
    trial = {"image": "{{ lab_registry }}/probe:3", "canary": 20}
    fleet.deploy("canary", **trial)
    fleet.shares = {name: json.loads(said) for name, said in fleet.on_each(f"python3 -c '{CLIENTS_OF_CANARY}'").items()}
    fleet.play("promote", "playbooks/promote.yml", "-e", f"app={NAME}", **trial)
    another = {**trial, "env": {"STEP": "1"}, "site": {"headers": {"X-Step": "1"}}}
    fleet.play("changed env and site option", "site.yml", **another)
    fleet.see_headers("before the abort")
    fleet.play("abort", "playbooks/abort.yml", "-e", f"app={NAME}", **another)
    fleet.see_headers("after the abort")
    fleet.on_each(renewal(NAME))
    fleet.on_each("systemctl reset-failed docker; systemctl restart docker")
    # As in an upgrade: both packages are unpacked and configured anew.
    fleet.on_each("DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --reinstall nginx nginx-common")
    fleet.on_each("test ! -e /usr/sbin/policy-rc.d")
    for what, (changes, _) in FAILURES.items():
        fleet.deploy(what, **changes)
    fleet.play("rollback", "playbooks/rollback.yml", "-e", f"app={NAME}", **trial)


def slow_post(fleet):
    """A deploy while a POST that takes 20 seconds is on its way."""
    fleet.deploy("during a slow POST", env={"STEP": "2"}, drain=25)


@pytest.fixture(scope="module")
def fleet(lab_vars, servers, on_each):
    """The servers after all of it."""
    found = Fleet(lab_vars, servers, on_each)
    found.under_load(lambda: everything(found), slow=2, drain=found.app["drain"])
    # A WebSocket would use up all of the longer drain.
    found.under_load(lambda: slow_post(found), slow=20, websockets=0)
    yield found
    # As it was: the tests of other files run site.yml and expect no change.
    assert found.deploy("back").status == 0


def test_no_request_fails(fleet):
    for name, runs in fleet.counted.items():
        for counted in runs:
            assert counted["failed"] == 0, f"{name}: {json.dumps(counted, indent=2)}"
            kinds = {"h1 kept GET", "h1 kept POST", "h1 fresh GET", "h1 fresh POST", "h2 GET", "h2 POST", "slow POST"}
            assert kinds <= {*counted["good"]}, f"{name}: {json.dumps(counted, indent=2)}"
        assert runs[0]["notes"]["websocket echoes"] > 0, f"{name}: {json.dumps(runs[0], indent=2)}"
        assert runs[0]["notes"]["websocket closed at the end of the drain"] > 0, (
            f"{name}: {json.dumps(runs[0], indent=2)}"
        )


def test_a_slow_post_is_on_its_way_at_every_switch_and_comes_back_whole(fleet):
    for name, (runs, longest) in fleet.counted.items():
        # Two containers each; of the canaries the client may be no part.
        assert runs["crossed"] == runs["switches"] >= 6, f"{name}: {json.dumps(runs, indent=2)}"
        assert longest["crossed"] == longest["switches"] == 2, f"{name}: {json.dumps(longest, indent=2)}"


@pytest.mark.parametrize(
    "what",
    ["new image", "canary", "promote", "changed env and site option", "abort", "rollback", "during a slow POST"],
)
def test_what_is_to_work_works(fleet, what):
    done = fleet.said[what]
    assert done.status == 0, done.output
    assert 0 not in done.changed.values(), done.output


@pytest.mark.parametrize("what", FAILURES)
def test_a_failure_is_explained_and_the_old_release_serves(fleet, what):
    done = fleet.said[what]
    assert done.status == 2, done.output
    assert FAILURES[what][1] in " ".join(done.output.split()), done.output
    assert f"app `{NAME}`:" in done.output


def test_a_canary_has_its_share_of_the_clients_and_each_stays_where_it_is(fleet):
    for name, (first, second) in fleet.shares.items():
        assert first == second, f"{name}: a client changed sides"
        assert 10 <= first.count("3") <= 30, f"{name}: {first.count('3')} of 100 clients, for 20 %"
        assert first.count("2") == 100 - first.count("3")
    assert "is a canary with 20 % of the clients" in " ".join(fleet.said["canary"].output.split())


def test_an_aborted_canary_leaves_the_options_of_the_site_as_they_were(fleet):
    for name in fleet.servers:
        assert fleet.headers["before the abort", name]["x-step"] == "1"
        assert fleet.headers["after the abort", name]
        assert "x-step" not in fleet.headers["after the abort", name]
