"""What an update of an app costs: its time beyond the app's own start-up, and the requests that fail under load.

Portside beside the two ways that most people use on one server, `community.docker.docker_container` and
`docker compose up -d`. All three stand behind the same nginx, on the same server, with the same image, and are updated
as often, one after the other. The app takes START seconds to start.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from bench.results import sample
from bench.runs import RELEASE
from lab import lifecycle
from lab.identity import Lab
from lab.releases import parse_hosts
from lab.services import REGISTRY, AcmeOptions
from soak.run import NAME, Load, Server, prepare

START = 3
UPDATES = 3
PORT = 18900
CLIENTS = {"kept": 5, "fresh": 2, "h2": 4, "slow": 1}
READY = (
    f"until python3 -c 'import urllib.request as u; u.urlopen(\"http://127.0.0.1:{PORT}/health\")' 2>/dev/null; "
    "do sleep 0.1; done"
)
UPSTREAM = f"/etc/nginx/upstreams/{NAME}.conf"


class Updated(Server):
    """The server of the long run, with an app that needs its time to start."""

    def app(self) -> dict[str, Any]:
        """The app as it is declared now."""
        declared = super().app()
        return {**declared, "env": {**declared["env"], "START_DELAY": str(START)}, "drain": 3}


def _image(number: int) -> str:
    """Another image than the one before."""
    return f"{REGISTRY}/probe:{number % 3 + 1}"


def docker_container(server: Server, folder: Path, number: int) -> None:
    """An update by community.docker.docker_container."""
    task = {
        "community.docker.docker_container": {
            "name": "rival",
            "image": _image(number),
            "env": {"START_DELAY": str(START)},
            "published_ports": [f"127.0.0.1:{PORT}:8000"],
            "restart_policy": "unless-stopped",
        }
    }
    playbook = folder / "docker_container.yml"
    play = {"hosts": server.name, "become": True, "gather_facts": False, "tasks": [task]}
    playbook.write_text(yaml.safe_dump([play]), encoding="utf-8")
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(server.lab.state / "inventory.yml")]
    done = subprocess.run([*argv, str(playbook)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"docker_container failed:\n{done.stdout}{done.stderr}")


def compose(server: Server, folder: Path, number: int) -> None:
    """An update by docker compose."""
    service = {
        "image": _image(number),
        "container_name": "rival",
        "environment": {"START_DELAY": str(START)},
        "ports": [f"127.0.0.1:{PORT}:8000"],
        "restart": "unless-stopped",
    }
    text = json.dumps({"services": {"rival": service}})
    server.root(f"mkdir -p /srv/rival && cat > /srv/rival/compose.yml <<'END'\n{text}\nEND\n")
    # Debian 12 and 13 have the program under its old name; that of 13 is version 2.
    server.root("cd /srv/rival && docker-compose -f compose.yml up -d")


def ours(server: Server, folder: Path, number: int) -> None:
    """An update by Portside."""
    server.new_image()


def counted(server: Server, folder: Path, update: Callable[[Server, Path, int], None]) -> dict[str, Any]:
    """So many updates under load; each is over when the new container answers."""
    load = Load(server.lab, server.domain, drain=server.drain, **CLIENTS)
    seconds = []
    try:
        for number in range(1, UPDATES + 1):
            began = time.monotonic()
            update(server, folder, number)
            seconds.append(time.monotonic() - began)
            if update is not ours:
                server.root(READY)
    finally:
        found = load.end()
    return {"seconds": seconds, "requests": found["requests"], "failed": found["failed"], "bad": found["bad"]}


def measure() -> dict[str, Any]:
    """All of it, on a server of its own."""
    with TemporaryDirectory() as folder:
        return _measured(Path(folder))


def _measured(folder: Path) -> dict[str, Any]:
    lab = Lab("bench-updates")
    lifecycle.up(lab, parse_hosts(RELEASE), AcmeOptions())
    try:
        server = Updated(lab, RELEASE, drain=3)
        prepare(server)
        for _ in range(2):  # all images are there
            server.new_image()
        overhead = [server.new_image() - START for _ in range(UPDATES)]
        rows = {"portside": counted(server, folder, ours)}
        server.root("DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes docker-compose")
        docker_container(server, folder, 0)
        server.root(f"echo 'server 127.0.0.1:{PORT} max_fails=0;' > {UPSTREAM} && systemctl reload nginx")
        rows["community.docker.docker_container"] = counted(server, folder, docker_container)
        server.root("docker rm --force rival")
        compose(server, folder, 0)
        rows["docker compose up -d"] = counted(server, folder, compose)
    finally:
        lifecycle.down(lab)
    return {
        "start_up_seconds": START,
        "updates": UPDATES,
        "overhead_seconds": sample(overhead),
        "rows": rows,
    }
