"""Releases on the scenario's lab, in two ways: by running the roles as a user does, and, for the many small tests, by
running the module on the server itself, with the same arguments, in a tenth of the time."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from lab.app_release import Releases
from lab.playbook import ROOT, run

SCENARIO = ROOT / "molecule" / "docker_app"


class Server:
    """A test's server, by what a user would look at: the apps' state, their containers, what they answer."""

    def __init__(self, name, vps, lab_vars, local_get):
        self.name = name
        self.vps = vps
        self._lab = lab_vars
        self._inventories = [ROOT / ".lab" / lab_vars["lab_name"] / "inventory.yml", SCENARIO / "inventory"]
        self._local_get = local_get
        self._releases = Releases(lab_vars["lab_ssh_config"], name)

    def declared(self):
        """The scenario's apps by name."""
        text = Path(SCENARIO / "inventory" / "group_vars" / "vps.yml").read_text(encoding="utf-8")
        text = text.replace("{{ lab_registry }}", self._lab["lab_registry"])
        return {app["name"]: app for app in yaml.safe_load(text)["docker_app_list"]}

    def image(self, version, registry="lab_registry"):
        """Reference of a version of the probe."""
        return f"{self._lab[registry]}/probe:{version}"

    def redis(self, **changes):
        """An accessory: a Redis that the apps on its network reach, and nobody else."""
        wanted = {"name": "store", "image": f"{self._lab['lab_registry']}/redis:1", "port": 6379, "expose": "private"}
        return {
            **wanted,
            "networks": ["backend"],
            "volumes": ["store-data:/data"],
            "health": {"timeout": 30},
            **changes,
        }

    def login(self, **changes):
        """The login of the lab's other registry, as `docker_app_registries` has it."""
        return {
            "registry": self._lab["lab_registry_login"],
            "username": self._lab["lab_registry_user"],
            "password": self._lab["lab_registry_password"],
            **changes,
        }

    def role(self, apps=None, *arguments, **settings):
        """Run the roles: `role(apps, "--check", docker_app_purge=True)`."""
        variables = {**settings, **({} if apps is None else {"docker_app_list": list(apps.values())})}
        playbook = "molecule/docker_app/converge.yml"
        return run(playbook, self._inventories, "--limit", self.name, *arguments, variables=variables)

    def release(self, apps, kill_at=None, **arguments):
        """Run the module on the server; cut off after so many effects where `kill_at` says so."""
        listed = list(apps.values()) if isinstance(apps, dict) else apps
        # Tests may declare again what failed in another one.
        arguments.setdefault("retry", [app["name"] for app in listed])
        return self._releases.run(listed, at=kill_at, **arguments)

    def deploy(self, apps, **arguments):
        """Release; it has to work."""
        done = self.release(apps, **arguments)
        assert done.status == 0, done.message
        return done

    def refused(self, apps, **arguments):
        """Release; it has to fail. Returns what was said."""
        done = self.release(apps, **arguments)
        assert done.status == 1, done.said
        return done.message

    def state(self, app):
        """What the server remembers of an app."""
        return json.loads(self.vps.check_output("cat /var/lib/portside/apps/%s/state.json", app))

    def live(self, app):
        """The live release of an app."""
        return next(release for release in self.state(app)["releases"] if release["state"] == "live")

    def running(self, app):
        """Names of an app's running containers."""
        listed = self.vps.check_output("docker ps --filter label=portside.app=%s --format '{{.Names}}'", app)
        return sorted(listed.split())

    def all_running(self):
        """Names of all containers that run."""
        return {*self.vps.check_output("docker ps --format '{{.Names}}'").split()}

    def ask(self, app, path="/"):
        """Status and answer of the app's live release on its loopback port."""
        status, body = self._local_get(f"http://127.0.0.1:{self.live(app)['host_port']}{path}")
        return status, json.loads(body) if status else body


@pytest.fixture(scope="session")
def server(vps_name, vps, lab_vars, local_get):
    """This test's server."""
    return Server(vps_name, vps, lab_vars, local_get)


@pytest.fixture
def apps(server):
    """The scenario's apps by name, to be changed and handed to `server`; afterwards it has them again."""
    yield copy.deepcopy(server.declared())
    server.deploy(server.declared(), purge=True)


@pytest.fixture
def squatter(vps):
    """Somebody else's program listens on a port of the server's loopback: `squatter(8123)`."""

    def listen(port):
        vps.run_expect([0], f"systemd-run --unit squatter python3 -m http.server {port} --bind 127.0.0.1")
        vps.run_expect([0], f"timeout 60 sh -c 'until ss -Hltn sport = :{port} | grep -q .; do sleep 0.1; done'")

    yield listen
    vps.run_expect([0], "systemctl stop squatter")
