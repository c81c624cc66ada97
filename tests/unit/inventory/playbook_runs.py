"""Runs a playbook against a host that nobody can log in to: all that can be refused without it is refused before."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HOSTS = "all: {children: {vps: {hosts: {web1: {ansible_host: 127.0.0.1, ansible_port: 1, ansible_timeout: 3}}}}}\n"
# ansible-playbook's exit status when a host could not be reached, here: when nothing was refused before.
UNREACHABLE = 4


@dataclass(frozen=True)
class Done:
    """Exit status and output, with every run of white space as one blank."""

    status: int
    output: str


def run(folder: Path, playbook: str, *arguments: str, hosts: str = HOSTS, variables: str = "") -> Done:
    """Run a playbook of this checkout.

    Args:
        folder: an empty one, for the inventory.
        playbook: its path in the checkout.
        arguments: further ones of ansible-playbook.
        hosts: text of the inventory's file of hosts.
        variables: text of group_vars/vps/main.yml.
    """
    (folder / "group_vars" / "vps").mkdir(parents=True, exist_ok=True)
    (folder / "hosts.yml").write_text(hosts, encoding="utf-8")
    (folder / "group_vars" / "vps" / "main.yml").write_text(variables or "{}\n", encoding="utf-8")
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", folder / "hosts.yml", playbook, *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, " ".join((done.stdout + done.stderr).split()))
