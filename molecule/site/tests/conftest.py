"""What the site's tests share."""

from __future__ import annotations

import subprocess

import pytest

from lab.identity import Lab
from soak.run import ssh


@pytest.fixture(scope="session")
def on_each(lab_vars, servers):
    """Run a command as root on every server at once: `on_each("date")` is what it wrote, by server."""
    lab = Lab(lab_vars["lab_name"])

    def run(command):
        options = {"stdin": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        running = {name: ssh(lab, name, command, **options) for name in servers}
        done = {name: process.communicate(timeout=300) for name, process in running.items()}
        assert not any(process.returncode for process in running.values()), done
        return {name: said for name, (said, _) in done.items()}

    return run
