"""What modules are told goes to them through a pipe. Without pipelining it would be a file, secrets included."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# Both names, because a connection by ssh lets the second one win (ansible-doc -t connection ssh).
PIPED = {"ansible_pipelining": True, "ansible_ssh_pipelining": True}
# The modules that roles hand secrets to, and where not every call does, the option that holds them.
TOLD = {
    "app_release": "apps",
    "certbot_certificates": "dns",
    "certbot_venv": "environment",
    "docker_daemon": "environment",
    "nginx_sites": "password_files",
    "apt_packages": "proxy_conf",
}


def tasks(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "block" in item:
            yield from tasks([*item["block"], *item.get("rescue", []), *item.get("always", [])])
        else:
            yield item


def told_secrets() -> Iterator[tuple[str, dict[str, Any]]]:
    """The tasks of roles that hand a secret to a module of ours, each with its file."""
    for path in sorted((ROOT / "roles").glob("*/tasks/*.yml")):
        for task in tasks(yaml.safe_load(path.read_text(encoding="utf-8")) or []):
            if any(option in (task.get(f"portside.vps.{name}") or {}) for name, option in TOLD.items()):
                yield str(path.relative_to(ROOT)), task


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_play_sends_what_modules_are_told_through_a_pipe(path: Path) -> None:
    for play in yaml.safe_load(path.read_text(encoding="utf-8")):
        assert PIPED.items() <= play.get("vars", {}).items()


def test_a_role_alone_sends_secrets_through_a_pipe() -> None:
    found = list(told_secrets())
    assert {path.split("/")[1] for path, _ in found} >= {"certbot", "docker", "docker_app", "nginx"}
    lacking = [path for path, task in found if not PIPED.items() <= task.get("vars", {}).items()]
    assert lacking == []


def test_no_file_is_written_where_pipelining_is_switched_off(tmp_path: Path) -> None:
    """Files of arguments go below ANSIBLE_REMOTE_TEMP, where none can be: the run has to do without."""
    host = {"ansible_connection": "local", "ansible_become": False, "ansible_ssh_pipelining": False}
    host |= {"ansible_python_interpreter": sys.executable, "docker_app_state_dir": str(tmp_path)}
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"vps": {"hosts": {"here": {**host, "ansible_pipelining": False}}}}))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, "playbooks/releases.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PIPELINING": "false", "ANSIBLE_REMOTE_TEMP": "/proc/portside"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no releases" in done.stdout


def test_the_ci_example_has_pipelining_too() -> None:
    (job,) = yaml.safe_load((ROOT / "examples/ci/github-deploy.yml").read_text(encoding="utf-8"))["jobs"].values()
    (run,) = [step for step in job["steps"] if "ansible-playbook" in step.get("run", "")]
    assert run["env"]["ANSIBLE_PIPELINING"] == "true"
