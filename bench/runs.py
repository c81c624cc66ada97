"""Runs of the project's playbooks on lab hosts, timed, each with the memory that the controller needed for it."""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab import app, lifecycle
from lab.identity import Lab
from lab.playbook import Run, run
from lab.releases import parse_hosts
from lab.services import REGISTRY, AcmeOptions

RELEASE = "debian13"
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Timed:
    """A run, and the memory in kB of the largest process that the controller had for it."""

    run: Run
    kilobytes: int


class Bed:
    """A lab of bare Debian 13 servers to measure on."""

    def __init__(self, name: str, hosts: Sequence[str]) -> None:
        self.lab = Lab(f"bench-{name}")
        self._wanted = parse_hosts(",".join(f"{host}={RELEASE}" for host in hosts))

    def __enter__(self) -> Bed:
        lifecycle.up(self.lab, self._wanted, AcmeOptions())
        app.publish(self.lab)
        return self

    def __exit__(self, *_: object) -> None:
        lifecycle.down(self.lab)

    @property
    def inventory(self) -> Path:
        """The inventory of all hosts."""
        return self.lab.state / lifecycle.INVENTORY

    def play(
        self,
        playbook: str,
        host: str,
        variables: Mapping[str, Any] | None = None,
        *arguments: str,
        environment: Mapping[str, str] = _NONE,
    ) -> Timed:
        """Run a playbook on a host or several (a pattern); ends the benchmark when it fails."""
        path = self.lab.state / "bench.yml"
        path.write_text(yaml.safe_dump(dict(variables or {})), encoding="utf-8")
        fresh = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        with fresh as process:
            whole = ("--limit", host, "-e", f"@{path}", *arguments)
            timed = process.submit(_timed, playbook, self.inventory, whole, dict(environment)).result()
        if timed.run.status != 0:
            sys.exit(f"{playbook} on {host} failed:\n{timed.run.output}")
        return timed


def _timed(playbook: str, inventory: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Timed:
    """In a process of its own, so that the resources used by its children are those of this run."""
    os.environ.update(environment)
    done = run(playbook, [inventory], *arguments, limit=3600)
    return Timed(done, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def declared(count: int, host: str, **more: Any) -> list[dict[str, Any]]:
    """So many apps, alike but for name and domain."""
    return [
        {
            "name": f"app{number}",
            "image": f"{REGISTRY}/webhook-app:1.0",
            "port": 8000,
            "domains": [f"app{number}.{host}.test"],
            "health": {"path": "/health"},
            "secrets": {"STRIPE_WEBHOOK_SECRET": "whsec_for_the_lab_only"},
            "webhooks": [{"path": "/webhooks/stripe"}],
            **more,
        }
        for number in range(1, count + 1)
    ]


def settings(apps: Any) -> dict[str, Any]:
    """The inventory's variables for these apps."""
    return {
        "portside_apps": apps,
        "portside_acme_directory": "{{ lab_acme_directory }}",
        "portside_acme_ca_file": "{{ lab_acme_ca_file }}",
        "docker_daemon_options": {"insecure-registries": [REGISTRY]},
    }
