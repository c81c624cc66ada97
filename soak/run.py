"""Deploys and other changes on a server while clients of all kinds use its app, and the count of what failed."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.identity import CHECKOUT, Lab
from lab.playbook import run
from lab.services import REGISTRY

ROOT_CERTIFICATE = "/etc/ssl/acme-root.pem"
LOAD = CHECKOUT / "soak" / "load.py"
PUBLISH = CHECKOUT / "molecule" / "docker_app" / "image" / "publish.py"
VERSIONS = 3
NAME = "soak"


def ssh(lab: Lab, host: str, command: str, **options: Any) -> subprocess.Popen[str]:
    """Start a command on a host of a lab."""
    argv = ["ssh", "-F", str(lab.state / "ssh_config"), host, command]
    return subprocess.Popen(argv, text=True, stdout=subprocess.PIPE, **options)


def renewal(lineage: str) -> str:
    """The shell command by which certbot's own service renews a certificate long before its time."""
    file = f"/etc/letsencrypt/renewal/{lineage}.conf"
    serial = f"$(openssl x509 -noout -serial -in /etc/letsencrypt/live/{lineage}/cert.pem)"
    return (
        f"before={serial}; sed -i '1i renew_before_expiry = 100 days' {file}; systemctl start certbot.service; "
        f'status=$?; sed -i /^renew_before_expiry/d {file}; test $status = 0 -a "$before" != "{serial}"'
    )


class Load:
    """Clients of a site, from when this is made until `end`.

    Args:
        lab: its client is where they run.
        domain: the site.
        options: see load.py.
    """

    def __init__(self, lab: Lab, domain: str, **options: Any) -> None:
        wanted = {"host": domain, "ca": ROOT_CERTIFICATE, **options}
        with LOAD.open(encoding="utf-8") as program:
            copied = ssh(lab, "client", f"cat > /tmp/load-{domain}.py", stdin=program).wait()
        if copied != 0:
            raise StepFailed("the client can't be reached")
        command = f"python3 /tmp/load-{domain}.py {shlex.quote(json.dumps(wanted))}"
        self._process = ssh(lab, "client", command, stdin=subprocess.PIPE)

    def end(self) -> dict[str, Any]:
        """Let the clients finish what they have begun; returns what load.py counted."""
        said, _ = self._process.communicate(timeout=180)
        if self._process.returncode != 0:
            raise StepFailed(f"the load ended with {self._process.returncode}")
        return dict(json.loads(said))


class StepFailed(Exception):
    """A change could not be made; the message is the playbook's output."""


@dataclass
class Server:
    """One server of a lab, with one app that is changed again and again."""

    lab: Lab
    name: str
    settings: Path | None = None
    others: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0
    image: int = 1
    env: int = 0
    header: int = 0
    drain: float = 25

    @property
    def domain(self) -> str:
        """The app's name."""
        return f"{NAME}.{self.name}.test"

    def app(self) -> dict[str, Any]:
        """The app as it is declared now."""
        return {
            "name": NAME,
            "image": f"{REGISTRY}/probe:{self.image}",
            "port": 8000,
            "domains": [self.domain],
            "health": {"path": "/health"},
            "env": {"STEP": str(self.env)},
            "site": {"headers": {"X-Step": str(self.header)}},
            "drain": self.drain,
            "stop_timeout": 5,
        }

    def variables(self, *apps: dict[str, Any]) -> dict[str, Any]:
        """What a user would have in the inventory."""
        return {
            "portside_apps": [*self.others, *apps],
            "portside_acme_directory": "{{ lab_acme_directory }}",
            "portside_acme_ca_file": "{{ lab_acme_ca_file }}",
            "docker_daemon_options": {"insecure-registries": [REGISTRY]},
            # A WebSocket that is cut was cut by a release, and not because nginx was reloaded long before.
            "nginx_worker_shutdown_timeout": "15m",
        }

    def play(self, playbook: str, *arguments: str, apps: Iterable[dict[str, Any]] | None = None) -> float:
        """Run a playbook; returns its seconds."""
        inventories = [self.lab.state / "inventory.yml", *([self.settings] if self.settings else [])]
        wanted = self.variables(*(apps if apps is not None else [self.app()]))
        done = run(f"{playbook}.yml", inventories, "--limit", self.name, *arguments, variables=wanted)
        if done.status != 0:
            raise StepFailed(done.output)
        return done.seconds

    def root(self, command: str) -> float:
        """Run a command on the server as root; returns its seconds."""
        started = time.monotonic()
        process = ssh(self.lab, self.name, command, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        said, _ = process.communicate(timeout=300)
        if process.returncode != 0:
            raise StepFailed(f"{command}: {said}")
        return time.monotonic() - started

    # ------------------------------------------------------------------ the changes

    def new_image(self) -> float:
        """A deploy of another tag."""
        self.image = self.image % VERSIONS + 1
        # So that a declaration that was rolled back before is another one now.
        self.env += 1
        return self.play("playbooks/deploy", "-e", f"app={NAME}")

    def changed_env(self) -> float:
        """A deploy of another environment."""
        self.env += 1
        return self.play("playbooks/deploy", "-e", f"app={NAME}")

    def rollback(self) -> float:
        """Back to the release before."""
        return self.play("playbooks/rollback", "-e", f"app={NAME}")

    def site_option(self) -> float:
        """Another header, by site.yml. An app that was rolled back gets a declaration that may be deployed again."""
        self.header += 1
        self.env += 1
        return self.play("site")

    def renewal(self) -> float:
        """The certificate is renewed long before its time."""
        return self.root(renewal(NAME))

    def docker_restarted(self) -> float:
        """The daemon is restarted."""
        return self.root("systemctl reset-failed docker; systemctl restart docker")

    def nginx_reinstalled(self) -> float:
        """The package is unpacked and configured again, as in an upgrade."""
        return self.root(
            "DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --reinstall nginx nginx-common"
        )


DEPLOYS = ("new_image", "changed_env", "rollback")
OTHERS = ("site_option", "renewal", "docker_restarted", "nginx_reinstalled")


def prepare(server: Server) -> None:
    """Put the probe into the registry and the app on the server."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    subprocess.run([sys.executable, str(PUBLISH), server.lab.name], cwd=CHECKOUT, check=True, env=environment)
    server.play("site")


def under_load(server: Server, steps: Iterable[str], options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Make the changes one after the other under load.

    Args:
        server: where.
        steps: names of the methods of Server that make a change.
        options: of the load, see load.py.

    Returns:
        what load.py counted, with the seconds of each step under `steps`, and what broke it off under `broken`.
    """
    load = Load(server.lab, server.domain, **{"drain": server.drain, **(options or {})})
    taken: list[tuple[str, float, str]] = []
    broken = ""
    try:
        for step in steps:
            begun = time.strftime("%H:%M:%S", time.gmtime())
            taken.append((step, round(getattr(server, step)(), 1), begun))
            print(f"soak: {begun} {step} {taken[-1][1]} s", file=sys.stderr, flush=True)
    except StepFailed as error:
        broken = str(error)
    finally:
        counted = load.end()
    return {**counted, "steps": taken, "broken": broken}
