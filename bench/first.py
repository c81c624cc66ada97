"""The first run on a bare server, beside the least that anybody could do there: apt-get and docker run."""

from __future__ import annotations

import json
import shlex
import sys
import time
from typing import Any

import yaml

from bench.results import sample, versions
from bench.runs import Bed, declared, settings
from lab import ssh
from lab.playbook import ROOT
from lab.services import REGISTRY

# Even: each goes first as often as the other.
ROUNDS = 4


def measure() -> dict[str, Any]:
    """On fresh servers, taking turns."""
    times: dict[str, list[float]] = {"ours": [], "bare": []}
    plays = {"ours": _ours, "bare": _bare}
    found: dict[str, str] = {}
    for turn in range(ROUNDS):
        with Bed("first", list(times)) as bed:
            for host in sorted(times, reverse=bool(turn % 2)):
                times[host].append(plays[host](bed))
            found = versions(bed.lab, "ours", "nginx", "certbot", "docker.io", "ufw")
    return {
        "portside_seconds": sample(times["ours"]),
        "least_seconds": sample(times["bare"]),
        "versions": found,
    }


def _ours(bed: Bed) -> float:
    return bed.play("site.yml", "ours", settings(declared(1, "ours")), changes=True).run.seconds


def _bare(bed: Bed) -> float:
    """What a person would type, over ssh: no firewall, no site, no certificate, no Ansible."""
    daemon = json.dumps({"insecure-registries": [REGISTRY]})
    script = "\n".join(
        [
            "set -e",
            "export DEBIAN_FRONTEND=noninteractive",
            "mkdir -p /etc/docker",
            f"echo {shlex.quote(daemon)} > /etc/docker/daemon.json",
            "apt-get update -qq",
            f"apt-get install -y -qq --no-install-recommends {' '.join(_packages())}",
            "docker run --detach --publish 127.0.0.1:8000:8000 --env STRIPE_WEBHOOK_SECRET=whsec_for_the_lab_only"
            f" {REGISTRY}/webhook-app:1.0",
        ]
    )
    started = time.monotonic()
    done = ssh.run(bed.lab, "bare", script, timeout=900)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        sys.exit(f"apt-get and docker run failed:\n{done.stdout}{done.stderr}")
    return seconds


def _packages() -> list[str]:
    """What the roles install on Debian 13, as they say it themselves."""
    found: set[str] = set()
    for path in ROOT.glob("roles/*/vars/Debian_13.yml"):
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
        found.update(said[f"__{path.parents[1].name}_packages"])
    return sorted(found)
