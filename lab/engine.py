"""The Docker engine: use the one that answers, start one where none does, stop it again when the lab started it."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import docker
import docker.errors

from lab.errors import LabError
from lab.identity import STATE
from lab.locks import machine_directory, machine_lock
from lab.machine import ENGINE, PROGRAMS, default_mtu, ensure_inotify, ensure_programs, is_debian_root, say

LOG = STATE / "dockerd.log"
START_SECONDS = 60


def connect(timeout: int = 120) -> Any | None:
    """A client of the engine that DOCKER_HOST or the default socket names; None when none answers."""
    try:
        client = docker.from_env(timeout=timeout)
        client.ping()
    except docker.errors.DockerException:
        return None
    return client


def client() -> Any:
    """A client of the running engine. Raises LabError when there is none."""
    found = connect()
    if found is None:
        raise LabError("no Docker engine answers; `python -m lab up` starts one")
    return found


def ensure_engine() -> Any:
    """A client of an engine, which is installed and started where that is needed and allowed.

    Raises LabError with what to do where it is not.
    """
    ensure_programs(PROGRAMS)
    ensure_inotify()
    found = connect()
    if found is not None:
        return found
    if not is_debian_root():
        raise LabError(
            "no Docker engine answers. Install and start one (Debian: apt-get install docker.io), and let this user"
            " use it (member of group docker), or run the lab as root"
        )
    with machine_lock("engine"):
        found = connect()
        if found is None:
            ensure_programs(ENGINE)
            found = connect() or _start()
    return found


def stop_if_ours() -> bool:
    """Stop the engine if a lab started it in the background and no container is left. Returns whether it did."""
    with machine_lock("engine"):
        record = _record()
        if not record.exists():
            return False
        started = json.loads(record.read_text())
        if _start_time(started["pid"]) != started["start_time"]:
            record.unlink()
            return False
        running = connect()
        if running is not None and running.api.containers(all=True):
            return False
        say("stopping the Docker engine that a lab started")
        os.kill(started["pid"], signal.SIGTERM)
        _wait_until_gone(started["pid"])
        record.unlink()
        LOG.unlink(missing_ok=True)
        return True


def _record() -> Path:
    return machine_directory() / "engine.json"


def _start() -> Any:
    """Start an engine: by systemd where that runs the machine, else in the background."""
    if Path("/run/systemd/system").is_dir():
        say("starting docker.service")
        subprocess.run(["systemctl", "start", "docker"], check=True)
        return _wait_for_engine(None)
    say(f"starting dockerd in the background, log in {LOG}")
    LOG.parent.mkdir(exist_ok=True)
    dockerd = shutil.which("dockerd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "dockerd"
    with LOG.open("ab") as log:
        process = subprocess.Popen(
            [dockerd, "--mtu", str(default_mtu())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    _record().write_text(json.dumps({"pid": process.pid, "start_time": _start_time(process.pid)}))
    return _wait_for_engine(process)


def _wait_for_engine(process: subprocess.Popen[bytes] | None) -> Any:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process and process.poll() is not None:
            break
        found = connect()
        if found is not None:
            return found
        time.sleep(0.3)
    tail = LOG.read_text(errors="replace")[-1500:] if process and LOG.exists() else "see: journalctl -u docker"
    raise LabError(f"the Docker engine did not start within {START_SECONDS} s:\n{tail}")


def _start_time(pid: int) -> str | None:
    """When a process started, in clock ticks since boot (field 22 of proc_pid_stat(5)); None when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except FileNotFoundError:
        return None


def _wait_until_gone(pid: int) -> None:
    began = _start_time(pid)
    deadline = time.monotonic() + 30
    while _start_time(pid) == began and time.monotonic() < deadline:
        time.sleep(0.1)
