"""Running the roles again on the scenario's lab, with apps changed."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import yaml

from lab.playbook import ROOT, run

SCENARIO = ROOT / "molecule" / "docker_app"


class Server:
    """A test's server, by what a user would look at: the apps' state, their containers, what they answer."""

    def __init__(self, name, vps, lab, local_get):
        self.name = name
        self.vps = vps
        self._inventories = [ROOT / ".lab" / lab / "inventory.yml", SCENARIO / "inventory"]
        self._local_get = local_get

    def role(self, apps=None, *arguments, **settings):
        """Run the roles: `role(apps, "--check", docker_app_purge=True)`."""
        listed = list(apps.values()) if isinstance(apps, dict) else apps
        variables = {**settings, **({} if apps is None else {"docker_app_list": listed})}
        playbook = "molecule/docker_app/converge.yml"
        return run(playbook, self._inventories, "--limit", self.name, *arguments, variables=variables)

    def deploy(self, apps, *arguments, **settings):
        """Run the roles; it has to work."""
        done = self.role(apps, *arguments, **settings)
        assert done.status == 0, done.output
        return done

    def refuse(self, apps, *arguments, **settings):
        """Run the roles; it has to fail. Returns what was said, without Ansible's line breaks."""
        done = self.role(apps, *arguments, **settings)
        assert done.status == 2, done.output
        return " ".join(done.output.split())

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

    def ask(self, app, path="/"):
        """Status and answer of the app's live release on its loopback port."""
        status, body = self._local_get(f"http://127.0.0.1:{self.live(app)['host_port']}{path}")
        return status, json.loads(body) if status else body


@pytest.fixture(scope="session")
def server(vps_name, vps, lab_vars, local_get):
    """This test's server."""
    return Server(vps_name, vps, lab_vars["lab_name"], local_get)


@pytest.fixture
def apps(server):
    """The scenario's apps by name, to be changed and handed to `server`; afterwards it has them again."""
    text = Path(SCENARIO / "inventory" / "group_vars" / "vps.yml").read_text(encoding="utf-8")
    declared = {app["name"]: app for app in yaml.safe_load(text)["docker_app_list"]}
    yield copy.deepcopy(declared)
    server.deploy(None, docker_app_purge=True)
