"""Which hosts the playbook asks: those that have the app. Nobody can log in to any of them, and nothing is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
NOBODY = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_timeout": 3}


def app(name: str) -> dict[str, object]:
    return {"name": name, "image": "acme/it:1", "egress_checks": []}


def diagnose(tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The run, and the hosts of its report."""
    hosts = {
        "empty": {**NOBODY, "portside_apps": []},
        "one": {**NOBODY, "portside_apps": [app("worker")]},
        "other": {**NOBODY, "portside_apps": [app("mailer")]},
    }
    inventory, report = tmp_path / "hosts.json", tmp_path / "report.json"
    inventory.write_text(json.dumps({"all": {"children": {"vps": {"hosts": hosts}}}}), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [program, "-i", inventory, "playbooks/diagnose.yml", "-e", f"report={report}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done, list(json.loads(report.read_text(encoding="utf-8"))["hosts"]) if report.exists() else []


def test_a_host_without_the_app_is_passed_over_with_a_line(tmp_path):
    done, hosts = diagnose(tmp_path, "-e", "app=worker")
    assert hosts == ["one"], done.stdout
    assert "empty has no app called worker: passed over" in done.stdout
    assert "other has no app called worker: passed over" in done.stdout
    assert "is empty" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-e", "app=worker,wroker"], "no app is called wroker; there are "),
        (["--limit", "empty"], "portside_apps is empty on every host"),
    ],
)
def test_what_no_host_has_is_refused(tmp_path, arguments, words):
    done, hosts = diagnose(tmp_path, *arguments)
    assert (done.returncode, hosts) == (2, [])
    assert words in " ".join(done.stdout.split() + done.stderr.split())
