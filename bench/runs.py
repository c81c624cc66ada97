"""Runs of the project's playbooks on lab hosts, timed, each with the memory that the controller needed for it."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from lab import app, lifecycle, ssh
from lab.identity import Lab
from lab.playbook import CALLBACKS, COUNTING, ROOT, Run, run
from lab.releases import parse_hosts
from lab.services import REGISTRY, AcmeOptions

RELEASE = "debian13"
JOURNAL = ROOT / ".build" / "bench.jsonl"
T = TypeVar("T")
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Timed:
    """A run, and what the controller needed for it.

    `kilobytes` is the memory of its largest process, `processor` the seconds of all of them.
    """

    run: Run
    kilobytes: int
    processor: float


def note(**found: Any) -> None:
    """Keep a figure at once, in .build/bench.jsonl: what comes after it may fail."""
    JOURNAL.parent.mkdir(exist_ok=True)
    with JOURNAL.open("a", encoding="utf-8") as journal:
        journal.write(json.dumps({"time": round(time.time()), **found}) + "\n")


class Bed:
    """A lab of bare Debian 13 servers to measure on."""

    def __init__(self, name: str, hosts: Sequence[str]) -> None:
        self.lab = Lab(f"bench-{name}")
        self._wanted = parse_hosts(",".join(f"{host}={RELEASE}" for host in hosts))

    def __enter__(self) -> Bed:
        # A nonce that is refused costs a second or not, as it happens: that is for the tests of certbot.
        switches = (*AcmeOptions().environment, ("PEBBLE_WFE_NONCEREJECT", "0"))
        lifecycle.up(self.lab, self._wanted, AcmeOptions(environment=switches))
        app.publish(self.lab)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            lifecycle.down(self.lab)
        except Exception as error:  # what was measured is worth more than a clean machine
            print(
                f"bench: left: {self.lab.name} (`python -m lab down --lab {self.lab.name}`): {error}", file=sys.stderr
            )

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
        changes: bool | None = None,
        environment: Mapping[str, str] = _NONE,
        summary: bool = True,
    ) -> Timed:
        """Run a playbook as somebody who comes to it does, without an open connection; a failure ends the benchmark.

        Args:
            playbook: its path in the checkout.
            host: a host, or a pattern.
            variables: extra variables.
            arguments: of ansible-playbook.
            changes: whether something has to change, or nothing may; None where that doesn't matter.
            environment: of ansible-playbook.
            summary: whether our callback is there, which does some work for every run.
        """
        ssh.forget_connections(self.lab)
        path = self.lab.state / "bench.yml"
        path.write_text(yaml.safe_dump(dict(variables or {})), encoding="utf-8")
        fresh = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        with fresh as process:
            whole = ("--limit", host, "-e", f"@{path}", *arguments)
            timed = process.submit(_timed, playbook, self.inventory, whole, dict(environment), summary).result()
        note(
            lab=self.lab.name,
            playbook=playbook,
            host=host,
            environment=dict(environment),
            status=timed.run.status,
            seconds=timed.run.seconds,
            processor=timed.processor,
            kilobytes=timed.kilobytes,
            changed=timed.run.changed,
            calls=timed.run.calls,
        )
        if timed.run.status != 0:
            sys.exit(f"{playbook} on {host} failed:\n{timed.run.output}")
        if changes is not None and any(timed.run.changed.values()) is not changes:
            sys.exit(f"{playbook} on {host}: {'nothing' if changes else 'something'} changed:\n{timed.run.output}")
        return timed


def in_turns(kinds: Mapping[str, Callable[[], T]], rounds: int) -> list[dict[str, T]]:
    """What each kind gave in each round, in another order in each, after one round that doesn't count."""
    names = list(kinds)
    found = []
    for turn in range(rounds + 1):
        start = turn % len(names)
        found.append({name: kinds[name]() for name in (*names[start:], *names[:start])})
    return found[1:]


def _timed(
    playbook: str, inventory: Path, arguments: Sequence[str], environment: Mapping[str, str], summary: bool
) -> Timed:
    """In a process of its own, so that the resources used by its children are those of this run."""
    os.environ.update(environment)
    done = run(playbook, [inventory], *arguments, limit=1200, callbacks=CALLBACKS if summary else COUNTING)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Timed(done, used.ru_maxrss, used.ru_utime + used.ru_stime)


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
