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
from ansible_collections.portside.vps.plugins.module_utils.releases import gate, rights
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import Health
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
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
    """Whether a container is healthy, and what it said; asked as the gate of a release asks."""
    if container["status"] != "running":
        return False, f"{container['status']} (exit status {container['exit_code']})"
    asked = app["health"]
    if asked["check"] == "image" or port is None:
        said = container["health"] or "running"
        return said in ("healthy", "running"), said
    health = Health(
        check=asked["check"],
        scheme=asked["scheme"],
        method=asked["method"],
        path=asked["path"],
        host=asked["host"] or "localhost",
        status=tuple(asked["status"]),
    )
    began = time.monotonic()
    answer = gate.probe(app["bind"], port, health)
    if answer.error:
        return False, answer.error
    spent = (time.monotonic() - began) * 1000
    return answer.good(health), f"{answer.status or 'connected'} in {spent:.0f} ms"


def _told(answers: Sequence[tuple[bool, str]]) -> str:
    """What all replicas said together: the first bad answer, or the last good one."""
    bad = [said for good, said in answers if not good]
    if len(answers) == 1 or not answers:
        return answers[0][1] if answers else "no container"
    return f"{len(bad)} of {len(answers)}: {bad[0]}" if bad else f"{len(answers)} of {len(answers)}: {answers[-1][1]}"


def app_status(
    app: Mapping[str, Any], state: AppState | None, containers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One app.

    Args:
        app: as the filter diagnose_apps gives it.
        state: what is remembered of it.
        containers: those of the host as Docker has them, by name.
    """
    live, canary = (state.live, state.canary) if state else (None, None)
    replicas = [replica for release in (live, canary) if release for replica in release.replicas]
    answers = [
        _answer(app, containers[replica.container], replica.host_port)
        if replica.container in containers
        else (False, "no container")
        for replica in replicas
    ]
    return {
        "name": app["name"],
        "release": live.number if live else None,
        "canary": {"release": canary.number, "share": canary.share} if canary else None,
        "image": live.image if live else "",
        "containers": [replica.container for replica in replicas],
        "ports": [f"{app['bind']}:{replica.host_port}" for replica in replicas if replica.host_port],
        "healthy": bool(answers) and all(good for good, _ in answers),
        "health": _told(answers),
        # Of what runs, whatever the inventory says by now.
        "host_access": list(
            dict.fromkeys(
                right
                for release in (live, canary)
                if release
                for right in rights.beyond(release.spec.get("cap_add", ()), release.spec.get("volumes", ()))
            )
        ),
    }


def look(apps: Sequence[Mapping[str, Any]], state_dir: Path) -> dict[str, Any]:
    """The whole server."""
    found, docker = containers.everything()
    by_name = {one["name"]: one for one in found}
    store = Store(state_dir)

    def one(app: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return app_status(app, store.load(app["name"]), by_name)
        except StoreError as error:
            return {**app_status(app, None, {}), "health": str(error)}

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
