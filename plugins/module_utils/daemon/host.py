"""dockerd on this host: its check of a configuration, its unit, and what it says of itself."""

from __future__ import annotations

import http.client
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.daemon import options

SOCKET = "/var/run/docker.sock"
UNIT = "docker.service"
# Given as an option that no dockerd knows, so that one without --validate stops after having read the file.
MARKER = "portside-validation"
# A daemon with many containers takes a while to find them all again.
START_LIMIT = 180.0


class DaemonError(Exception):
    """The daemon refused its options, or did not come up with them."""


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(SOCKET)


def info() -> dict[str, Any]:
    """The Engine API's GET /info.

    Raises:
        OSError: the daemon does not answer.
    """
    connection = _Connection("docker", timeout=10)
    try:
        connection.request("GET", "/info")
        return dict(json.loads(connection.getresponse().read()))
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def validate(path: Path) -> None:
    """Let dockerd read the file, without starting it.

    `dockerd --validate` exists since 23.0. The one before is given an option more that it can't know: it then names all
    unknown options and ends.

    Raises:
        DaemonError: it would not start with this file.
    """
    done = run(["dockerd", "--validate", "--config-file", str(path)], expect=())
    if done.status == 0:
        return
    if "unknown flag" not in done.said:
        raise DaemonError(f"dockerd refuses these options: {done.said.replace(str(path), 'daemon.json')}")
    text = json.loads(path.read_text(encoding="utf-8"))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".portside-", suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({**text, MARKER: True}, stream)
        said = run(["dockerd", "--config-file", name], expect=(), timeout=20).said
    finally:
        os.unlink(name)
    if MARKER not in said:
        raise DaemonError(f"dockerd refuses these options: {said.replace(name, 'daemon.json')}")
    strangers = options.unknown(said, MARKER)
    if strangers:
        raise DaemonError(f"dockerd refuses these options: it does not know {', '.join(strangers)}")


def active() -> bool:
    """Whether the unit runs."""
    return run(["systemctl", "is-active", "--quiet", UNIT], expect=()).status == 0


def at_boot() -> str:
    """What systemctl's `is-enabled` says of the unit: `enabled`, `disabled`, `masked` or the like."""
    return run(["systemctl", "is-enabled", UNIT], expect=()).stdout.strip()


def reload(live_restore: bool) -> None:
    """Have the daemon read its reloadable options, and wait until it has.

    Raises:
        DaemonError: it did not.
    """
    systemctl("reload")
    deadline = time.monotonic() + 15
    # The signal is taken some time later; this is the option that a restart right behind it depends on.
    while _live_restore() != live_restore:
        if time.monotonic() > deadline:
            raise DaemonError(f"dockerd did not take its new options at a reload:\n{journal()}")
        time.sleep(0.1)


def _live_restore() -> bool | None:
    try:
        return bool(info().get("LiveRestoreEnabled"))
    except OSError:
        return None


def reload_units() -> None:
    """Have systemd read the drop-ins of the unit."""
    run(["systemctl", "daemon-reload"], timeout=60)


def systemctl(verb: str) -> None:
    """Run systemctl on the unit.

    Raises:
        DaemonError: it failed; the message has the end of the journal.
    """
    try:
        if verb in {"start", "restart"}:
            # systemd refuses a unit that was started a few times within a minute (systemd.unit(5), StartLimitBurst=),
            # whoever asked for it; nobody counts starts that were asked for. Fails where the unit isn't loaded yet.
            run(["systemctl", "reset-failed", UNIT], expect=())
        run(["systemctl", verb, UNIT], timeout=START_LIMIT)
    except CommandError as error:
        raise DaemonError(f"{error}\n{journal()}") from error


def journal() -> str:
    """The daemon's last words."""
    return run(["journalctl", "--no-pager", "--unit", UNIT, "--lines", "15", "--output", "cat"], expect=()).said
