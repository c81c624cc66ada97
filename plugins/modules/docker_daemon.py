#!/usr/bin/python
"""Ansible module: the Docker daemon's options and its service."""

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon
short_description: The Docker daemon runs with the declared options
version_added: 0.1.0
description:
  - Writes C(/etc/docker/daemon.json), and has the daemon take it, by a reload where that is enough, else by a restart.
  - The daemon itself checks the options before they replace what is there. If it does not come up with them all the
    same, the old file is put back, the daemon started with it, and the module fails.
  - When V(live-restore) is newly switched on it is reloaded first, so that the restart stops no container.
  - A run that was cut off between the file and the restart is made good by the next one.
  - The service is enabled and running afterwards.
options:
  options:
    description: Options as in C(daemon.json), over O(defaults), dictionaries key by key. A null removes a default.
    type: dict
    default: {}
  defaults:
    description: Options that hold unless O(options) says something else.
    type: dict
    default: {}
  environment:
    description:
      - Variables the daemon runs with, an outbound proxy for pulls for instance, in a drop-in of its unit that
        root alone can read.
      - Empty removes the drop-in. Other drop-ins are left alone.
    type: dict
    default: {}
  path:
    description: The file.
    type: path
    default: /etc/docker/daemon.json
attributes:
  check_mode: {support: full, description: Also on a host where Docker is not installed yet.}
  diff_mode: {support: full, description: Without passwords of proxy URLs.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Docker's logs are small, and containers outlive the daemon
  portside.vps.docker_daemon:
    options:
      live-restore: true
      log-driver: local
      log-opts: {max-size: 10m, max-file: 5}

- name: Images are pulled through a proxy
  portside.vps.docker_daemon:
    environment: {HTTPS_PROXY: "http://proxy.example.com:3128", NO_PROXY: "localhost,127.0.0.1,::1"}
"""

RETURN = r"""
steps:
  description: What the running daemon needed, V(reload) or V(restart), and V(enable) or V(start) of its service.
  type: list
  elements: str
  returned: always
"""

import contextlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import unit_files
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.daemon import host, options
from ansible_collections.portside.vps.plugins.module_utils.daemon.host import DaemonError
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic, wrong_rights
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError, alone
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule, without_logins
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

LOCK = Path("/run/portside/docker.lock")
# Seconds: several restarts of a daemon with many containers.
LOCK_LIMIT = 300.0
# Stands while the daemon has not taken the files yet. It is gone after a boot, and so is the old daemon.
PENDING = Path("/run/portside-docker-restart")
SWARM = Path("/var/lib/docker/swarm/docker-state.json")
DROP_IN = Path("/etc/systemd/system/docker.service.d/portside-environment.conf")
# Proxy URLs in them may have passwords; nobody but dockerd and systemd has to read them.
MODE = 0o600


@dataclass(frozen=True)
class _File:
    """One of the files: what it says and what it is to say; None is no file."""

    path: Path
    before: str | None
    after: str | None
    same: bool
    rights: str = ""

    @classmethod
    def of(cls, path: Path, after: str | None, *, alike: bool = False) -> _File:
        """`alike` says that the text there means the same, however it is written."""
        before = read_text(path)
        rights = "" if before is None else wrong_rights(path, MODE)
        return cls(path, before, after, (before == after or alike) and not rights, rights)

    def put(self, text: str | None) -> None:
        """Make the file say the text."""
        if text is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomic(self.path, text, mode=MODE)

    def diff(self) -> dict[str, str]:
        """Before and after, without passwords."""
        before, after = options.shown(self.before, self.after)
        return {
            "before_header": str(self.path),
            "after_header": str(self.path),
            "before": f"({self.rights})\n{before}" if self.rights else before,
            "after": after,
        }


def _check(path: Path, text: str) -> None:
    """Let the daemon check the text as a file of its own, beside the real one."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".portside-") as directory:
        candidate = Path(directory) / "daemon.json"
        write_atomic(candidate, text, mode=MODE)
        host.validate(candidate)


def _take(steps: list[str], wanted: dict[str, Any]) -> None:
    for step in steps:
        if step == options.RELOAD:
            host.reload(bool(wanted.get("live-restore")))
        else:
            host.systemctl("restart")


def _replace(files: list[_File], steps: list[str], wanted: dict[str, Any]) -> None:
    """Write the files and have the daemon take them; put the old ones back if it does not come up."""
    write_atomic(PENDING, "the Docker daemon has not taken its options yet\n")
    for file in files:
        if not file.same:
            file.put(file.after)
    host.reload_units()
    try:
        _take(steps, wanted)
    except DaemonError as error:
        for file in files:
            file.put(file.before)
        host.reload_units()
        host.systemctl("restart")
        PENDING.unlink(missing_ok=True)
        raise DaemonError(
            f"Docker did not come up with the new options, and runs with the old ones again: {error}"
        ) from error


def _steps(old: dict[str, Any], wanted: dict[str, Any], variables: _File) -> list[str]:
    if PENDING.exists():
        return [options.RELOAD, options.RESTART]
    steps = options.steps(old, wanted)
    # A process keeps the environment that it was started with.
    return steps if variables.same or options.RESTART in steps else [*steps, options.RESTART]


def _work(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    wanted = options.merged(params["defaults"], params["options"])
    found = options.problems(wanted, swarm=SWARM.exists())
    found += [f"environment: {problem}" for problem in unit_files.variable_problems(params["environment"])]
    if found:
        raise DaemonError("Docker's options can't be used:\n" + "\n".join(found))
    path = Path(params["path"])
    text = options.render(wanted)
    old = options.parse(read_text(path))
    files = [
        _File.of(path, text, alike=old == wanted),
        _File.of(DROP_IN, options.drop_in(params["environment"])),
    ]
    same = all(file.same for file in files)
    installed = shutil.which("dockerd") is not None
    if not installed and not check_mode:
        raise DaemonError("dockerd is not installed on this host: `docker_manage_packages: true` installs it")
    running = installed and host.active()
    steps = _steps(old or {}, wanted, files[1]) if running else []
    state = host.at_boot() if installed else ""
    unmask = ["unmask"] * state.startswith("masked")
    service = ["enable"] * (state != "enabled") + ["start"] * (not running)
    if not files[0].same and installed:
        _check(path, text)
    if not check_mode:
        for verb in unmask:
            host.systemctl(verb)
        if steps or not same:
            _replace(files, steps, wanted)
        for verb in service:
            host.systemctl(verb)
        PENDING.unlink(missing_ok=True)
    return {
        "changed": bool(steps or service or not same),
        "steps": [*steps, *unmask, *service],
        "diff": [file.diff() for file in files if not file.same] + ([_service_diff(state, running)] if service else []),
    }


def _service_diff(state: str, running: bool) -> dict[str, str]:
    before = f"{state or 'not there'}, {'running' if running else 'stopped'}\n"
    return {
        "before_header": host.UNIT,
        "after_header": host.UNIT,
        "before": before,
        "after": "enabled, running\n",
    }


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec={
            "options": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "environment": {"type": "dict", "default": {}},
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
        },
        supports_check_mode=True,
        facts=("steps",),
    )
    module.no_log_values.update(options.passwords(module.params))
    try:
        with contextlib.nullcontext() if module.check_mode else alone(LOCK, LOCK_LIMIT):
            result = _work(module.params, module.check_mode)
    except (DaemonError, CommandError, LockError, OSError) as error:
        module.fail_json(msg=without_logins(str(error)))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
