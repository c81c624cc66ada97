"""Mitogen, for those who want it: fetched beside the environment, never into it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.playbook import ROOT

REQUIREMENTS = ROOT / "bench" / "mitogen.txt"
TARGET = ROOT / ".build" / "mitogen"


def strategy() -> dict[str, str]:
    """The environment in which ansible-playbook uses it; installs it unless that was done before."""
    plugins = TARGET / "ansible_mitogen" / "plugins" / "strategy"
    if not plugins.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        subprocess.run([*pip, "--require-hashes", "--target", TARGET, "--requirement", REQUIREMENTS], check=True)
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(Path(plugins))}
