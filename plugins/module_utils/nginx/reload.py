#!/usr/bin/python3
"""Reloads nginx without cutting off a client that is just sending its next request.

# Managed by Portside (role portside.vps.nginx)

systemd runs it for every reload of nginx.service, whoever asks for it. While the flag file stands, the sites answer
HTTP/1.1 clients with `Connection: close`; so idle connections, which an old worker would close without a word, become
few or none. (HTTP/2 has a goodbye of its own, GOAWAY.) Then nginx is told to read its files, and the flag goes as soon
as no old worker accepts connections any more.

Workers look for the flag once in every second of the clock (open_file_cache_valid 1s; ngx_open_cached_file compares
whole seconds): from the next one on all of them have seen it.

The file stands alone (standard library only): it is copied to the host as it is.
"""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

FLAG = Path("/run/portside-nginx-closing")
PID_FILE = Path("/run/nginx.pid")
PROC = Path("/proc")
STATUS = "http://127.0.0.1/nginx_status"
SIGNAL = ["/usr/sbin/nginx", "-g", "daemon on; master_process on;", "-s", "reload"]
# Process titles: src/os/unix/ngx_process_cycle.c.
RETIRING = b"worker process is shutting down"
# Seconds: how long clients are asked to close at most, what a worker's clock may be behind, how long old workers may
# take to stop accepting, and between two looks.
ASKED = 1.0
MARGIN = 0.05
RETIRED = 15.0
POLL = 0.05


def workers(pid_file: Path, proc: Path) -> dict[int, bytes]:
    """The titles of nginx's workers by process ID."""
    try:
        master = pid_file.read_text(encoding="ascii").strip()
    except OSError:
        return {}
    found = {}
    for entry in proc.glob("[0-9]*"):
        try:
            # proc_pid_stat(5): the fourth field, after the name in parentheses, is the parent.
            if (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[1] == master:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
        except (OSError, IndexError):
            continue  # it ended while we were looking
    return found


def idle() -> int | None:
    """How many connections wait for their next request (stub_status); None where nginx doesn't say."""
    try:
        # No proxy of the environment comes between.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(STATUS, timeout=1) as answer:
            return int(answer.read().decode().rpartition("Waiting:")[2])
    except (OSError, ValueError):
        return None


def wait(condition: Callable[[], bool], limit: float) -> bool:
    """Wait for a condition, for so many seconds at most; whether it came."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True


def main() -> int:
    """Ask, reload, wait; returns the exit status of nginx's own command."""
    try:
        FLAG.touch()
        # Workers open it, and the unit's umask is not theirs.
        FLAG.chmod(0o644)
        seen = int(time.time()) + 1 + MARGIN
        wait(lambda: time.time() >= seen, 1 + MARGIN)
        wait(lambda: idle() == 0, ASKED)
        before = workers(PID_FILE, PROC)
        status = subprocess.run(SIGNAL, check=False).returncode
        if status == 0:
            wait(
                lambda: all(RETIRING in title for pid, title in workers(PID_FILE, PROC).items() if pid in before),
                RETIRED,
            )
        return status
    finally:
        FLAG.unlink(missing_ok=True)


if __name__ == "__main__":
    raise SystemExit(main())
