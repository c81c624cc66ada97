"""The module app_release run on the site's servers with what site.yml gives it, and what a visitor then sees."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.portside.vps.plugins.module_utils.inventory import apps as portside_apps
from ansible_collections.portside.vps.plugins.module_utils.inventory import wiring

from lab import outside
from lab.app_release import Releases, Result, orders
from lab.identity import Lab
from lab.outside import Answer
from lab.playbook import ROOT
from soak.run import ssh

SETTINGS = ROOT / "molecule" / "site" / "inventory" / "group_vars" / "vps.yml"
UPSTREAMS = "/etc/nginx/upstreams"


class Host:
    """A server of the lab.

    Args:
        lab: the lab.
        name: the server in it.
        variables: what all of the lab's hosts share, lab_registry and the like.
    """

    def __init__(self, lab: Lab, name: str, variables: dict[str, Any]) -> None:
        self.name = name
        self.lab = lab
        self._variables = {**variables, "lab_domain": f"{name}.test"}
        self._releases = Releases(variables["lab_ssh_config"], name)
        # A declaration that was rejected in an earlier run of the tests is another one.
        self._steps = int(time.time())

    def declared(self, app: str, **changes: Any) -> list[Any]:
        """`docker_app_list` as the playbooks have it, with one app changed."""
        text = Path(SETTINGS).read_text(encoding="utf-8")
        for key in ("lab_registry_login", "lab_registry", "lab_domain"):
            text = text.replace(f"{{{{ {key} }}}}", self._variables[key])
        listed = yaml.safe_load(text)["portside_apps"]
        wanted = [{**item, **changes} if item["name"] == app else item for item in listed]
        return wiring.releases(portside_apps.complete(wanted), {}, UPSTREAMS, [self.name])

    def fresh(self, **changes: Any) -> dict[str, Any]:
        """Changes that nothing was released with yet."""
        self._steps += 1
        return {**changes, "env": {**changes.get("env", {}), f"STEP_{self._steps}": "1"}}

    @staticmethod
    def _arguments(app: str) -> dict[str, Any]:
        return {
            "only": [app],
            "keep": 2,
            "state_dir": "/var/lib/portside/state",
            "check_command": ["nginx", "-t"],
            "reload_command": ["systemctl", "reload", "nginx.service"],
        }

    def release(
        self,
        app: str,
        changes: dict[str, Any],
        at: int | None = None,
        happens: Sequence[Sequence[str]] = (),
        **arguments: Any,
    ) -> Result:
        """Run the module for an app, see lab.app_release."""
        wanted = {**self._arguments(app), **arguments}
        return self._releases.run(self.declared(app, **changes), at, happens, **wanted)

    def lose_connection(self, app: str, changes: dict[str, Any], after: str) -> None:
        """Begin a release, and cut the ssh connection after an effect."""
        process = self._releases.begin()
        assert process.stdin
        assert process.stderr
        process.stdin.write(orders(self.declared(app, **changes), **self._arguments(app)))
        process.stdin.close()
        assert any(line.decode().strip() == after for line in process.stderr), f"it never came to {after}"
        process.kill()
        process.wait()

    def root(self, command: str) -> str:
        """What a command writes that root runs on the server; it has to work."""
        process = ssh(self.lab, self.name, command, stdin=subprocess.DEVNULL)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0, f"{command}: {said}"
        return said

    def running(self, app: str) -> list[str]:
        """Names of the app's containers that run."""
        return self.root(f"docker ps --filter label=portside.app={app} --format '{{{{.Names}}}}'").split()

    def visit(self, app: str) -> Answer:
        """What the client outside gets from the app's site."""
        command = outside.curl(f"https://{app}.{self.name}.test/")
        process = ssh(self.lab, "client", command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said, error = process.communicate(timeout=60)
        return outside.parse_answer(process.returncode, said, error)

    def as_it_was(self, app: str) -> dict[str, Any]:
        """No changes, with the environment spelled out as declared."""
        declared = next(item for item in self.declared(app) if item["name"] == app)
        return {"env": declared["env"]}
