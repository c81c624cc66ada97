"""How a server is doing: each app's container and what it answers, disks, ports that are open to others, the system."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import containers
from ansible_collections.portside.vps.plugins.module_utils.files import read_text
from ansible_collections.portside.vps.plugins.module_utils.releases import gate
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import Release
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.ufw import listeners
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import EntryError
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import exposure

# Where a server fills up: the system, images and volumes, logs.
PLACES = ("/", "/var/lib/docker", "/var/log")
AT_ONCE = 8


def disks(places: Sequence[str] = PLACES) -> list[dict[str, Any]]:
    """Each file system once: `{"path", "total", "free"}` in bytes, free for others than root, and `used` in percent."""
    found: dict[int, dict[str, Any]] = {}
    for place in places:
        try:
            device, there = os.stat(place).st_dev, os.statvfs(place)
        except OSError:
            continue
        used = (there.f_blocks - there.f_bfree) * there.f_frsize
        free = there.f_bavail * there.f_frsize
        # As df(1) has it: what is kept back for root counts as used.
        percent = -(-100 * used // (used + free)) if used + free else 0
        found.setdefault(
            device, {"path": place, "total": there.f_blocks * there.f_frsize, "free": free, "used": percent}
        )
    return list(found.values())


def ports() -> tuple[list[dict[str, Any]], str]:
    """The ports that somebody else than the server itself may connect to, and why that is not known."""
    try:
        rows = exposure(listeners.sockets(), listeners.declared())
    except (CommandError, EntryError, OSError) as error:
        return [], str(error)
    return [
        {key: row[key] for key in ("port", "protocol", "family", "who", "open_to")} for row in rows if row["open_to"]
    ], ""


def system() -> dict[str, Any]:
    """Its name, how many seconds it has been up, whether it waits for a reboot, and the units that failed."""
    try:
        release = platform.freedesktop_os_release().get("PRETTY_NAME", "")
    except OSError:
        release = ""
    failed = run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], expect=()).stdout
    return {
        "name": release,
        "up": int(float((read_text(Path("/proc/uptime")) or "0").split()[0])),
        "reboot": Path("/run/reboot-required").exists(),
        "failed": [line.split()[0] for line in failed.splitlines() if line.strip()],
    }


def _answer(app: Mapping[str, Any], container: Mapping[str, Any], port: int | None) -> tuple[bool, str]:
    """Whether the app is healthy, and what it said; asked as the gate of its releases asks."""
    asked = app["health"]
    if asked["check"] == "image" or port is None:
        said = container["health"] or "running"
        return said in ("healthy", "running"), said
    health = Health(
        check=asked["check"],
        method=asked["method"],
        path=asked["path"],
        host=asked["host"] or "localhost",
        status=tuple(asked["status"]),
    )
    began = time.monotonic()
    answer = gate.probe(app["bind"], port, health)
    words = str(answer.status or ("connected" if answer.connected else answer.error))
    return answer.good(health), f"{words} in {(time.monotonic() - began) * 1000:.0f} ms" if not answer.error else words


def app_status(app: Mapping[str, Any], live: Release | None, container: Mapping[str, Any] | None) -> dict[str, Any]:
    """One app.

    Args:
        app: as the filter diagnose_apps gives it.
        live: the release that is remembered as live.
        container: its container as Docker has it.
    """
    port = live.host_port if live else None
    if container is None:
        healthy, said = False, "no container"
    elif container["status"] != "running":
        healthy, said = False, f"{container['status']} (exit status {container['exit_code']})"
    else:
        healthy, said = _answer(app, container, port if app["port"] is not None else None)
    return {
        "name": app["name"],
        "release": live.number if live else None,
        "image": live.image if live else "",
        "container": container["name"] if container else "",
        "since": container["started"] if container else "",
        "restarts": container["restarts"] if container else 0,
        "port": f"{app['bind']}:{port}" if port else "",
        "healthy": healthy,
        "health": said,
    }


def look(apps: Sequence[Mapping[str, Any]], state_dir: Path) -> dict[str, Any]:
    """The whole server."""
    found, docker = containers.everything()
    store = Store(state_dir)

    def one(app: Mapping[str, Any]) -> dict[str, Any]:
        try:
            state = store.load(app["name"])
        except StoreError as error:
            return {**app_status(app, None, None), "health": str(error)}
        live = state.live if state else None
        return app_status(app, live, containers.own(app["name"], live.container if live else "", found))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(one, apps))
    open_ports, unknown = ports()
    return {
        "apps": seen,
        "disks": disks(),
        "ports": open_ports,
        "ports_error": unknown,
        "docker": docker,
        "system": system(),
    }
