"""An app's container as Docker has it, and what listens inside its network namespace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import parse_proc_net

LOG_LINES = 12
SECONDS = 30


def listening(pid: int, proc: Path = Path("/proc")) -> list[str]:
    """`address:port` of each TCP socket that waits in the network namespace of a process."""
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            text = (proc / str(pid) / "net" / table).read_text(encoding="ascii")
        except OSError:
            continue
        found |= {f"{address}:{port}" for address, port in parse_proc_net(text, "tcp").values()}
    return sorted(found)


def up(started: str) -> int:
    """Whole seconds since a moment in Docker's words, `2026-09-01T10:00:00.123456789Z`; 0 for one that is none."""
    try:
        begin = datetime.strptime(started[:19], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return 0
    # A clock that was ahead then, and is right now, makes no container younger than new.
    return max(int((datetime.now(UTC) - begin).total_seconds()), 0)


def described(inspected: Mapping[str, Any]) -> dict[str, Any]:
    """The parts of GET /containers/{id}/json that tell how a container is doing, and where it is published."""
    state = inspected["State"]
    settings = inspected.get("NetworkSettings") or {}
    ports = {
        inside.partition("/")[0]: sorted({f"{one.get('HostIp') or '0.0.0.0'}:{one['HostPort']}" for one in bound or ()})  # noqa: S104  # what Docker says
        for inside, bound in (settings.get("Ports") or {}).items()
    }
    labels = (inspected.get("Config") or {}).get("Labels") or {}
    return {
        "name": inspected["Name"].lstrip("/"),
        "app": labels.get("portside.app", ""),
        "release": labels.get("portside.release", ""),
        "status": state["Status"],
        "exit_code": state.get("ExitCode", 0),
        "restarts": inspected.get("RestartCount", 0),
        "out_of_memory": state.get("OOMKilled", False),
        "error": state.get("Error", ""),
        "health": (state.get("Health") or {}).get("Status", ""),
        "started": state.get("StartedAt", ""),
        "up": up(state.get("StartedAt", "")),
        "published": {port: places for port, places in ports.items() if places},
        "pid": state.get("Pid", 0),
        "env": list((inspected.get("Config") or {}).get("Env") or ()),
    }


def everything() -> tuple[list[dict[str, Any]], str]:
    """All containers of the host, running or not, and why there are none when Docker can't be asked."""
    try:
        names = run(["docker", "ps", "--all", "--quiet", "--no-trunc"], timeout=SECONDS).stdout.split()
        if not names:
            return [], ""
        # One may have gone between the two calls; what is left is printed all the same.
        inspected = json.loads(run(["docker", "inspect", *names], expect=(0, 1), timeout=SECONDS).stdout or "[]")
    except (CommandError, ValueError) as error:
        return [], str(error)
    return [described(one) for one in inspected], ""


def log(name: str) -> list[str]:
    """The last lines that a container wrote."""
    try:
        return run(["docker", "logs", "--tail", str(LOG_LINES), name], timeout=SECONDS).said.splitlines()[-LOG_LINES:]
    except CommandError:
        return []


def own(app: str, live: str, containers: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The container that should serve the app: the live release's by its name, else the newest with its label."""
    named = [one for one in containers if one["name"] == live and live]
    labelled = [one for one in containers if one["app"] == app]
    newest = sorted(labelled, key=lambda one: int(one["release"] or 0) if str(one["release"]).isdigit() else 0)
    return next(iter(named or newest[-1:]), None)
