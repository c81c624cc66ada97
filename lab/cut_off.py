"""Runs the module app_release on the server itself, as Ansible does, but quicker; and has something happen on the way.

Copied to the server with the module's code, see app_release.py. Reads {"arguments": …, "at": N, "happens": …} from
standard input: after the Nth effect on the host (a call that changes something at Docker, nginx's files or the state)
it is killed by SIGKILL, or commands run. The effects go to standard error as they come, a line for each.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any

from ansible.module_utils import basic
from ansible_collections.portside.vps.plugins.module_utils.engine.docker_sdk import DockerEngine
from ansible_collections.portside.vps.plugins.module_utils.releases.front import HostFront
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.modules import app_release

EFFECTS = (
    (DockerEngine, ("pull", "ensure_network", "create", "start", "stop", "remove", "set_restart", "remove_image")),
    (HostFront, ("_run_check", "_run_reload", "drain", "withdraw")),
    (Store, ("save", "save_secrets", "save_record", "drop_release", "forget", "make_salt")),
)


def cut_off(at: int, happens: Sequence[Sequence[str]]) -> None:
    """Have the process die after that many effects (0 for never), or commands run if there are any."""
    count = 0
    counting = threading.Lock()

    def counted(function: Any, name: str) -> Any:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            result = function(*arguments, **options)
            with counting:
                count += 1
                sys.stderr.write(f"{name}\n")
                sys.stderr.flush()
                if count == at and not happens:
                    os.kill(os.getpid(), signal.SIGKILL)
                if count == at:
                    for command in happens:
                        subprocess.run(command, check=True)
            return result

        return call

    for kind, names in EFFECTS:
        for name in names:
            setattr(kind, name, counted(getattr(kind, name), name.strip("_")))


def main() -> None:
    """Run the module once."""
    wanted = json.load(sys.stdin)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": wanted["arguments"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    cut_off(wanted.get("at") or 0, wanted.get("happens", ()))
    app_release.main()


if __name__ == "__main__":
    main()
