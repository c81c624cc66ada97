"""Runs the module app_release on the server itself, as Ansible does, but quicker; and cuts it off where it is told to.

Copied to the server with the module's code. Reads {"arguments": …, "kill_at": N} from standard input: after the Nth
effect on the host (a call that changes something at Docker, nginx's files or the state) it is killed by SIGKILL.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import sys
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


def cut_off(kill_at: int) -> None:
    """Have the process die after that many effects."""
    count = 0

    def counted(function: Any) -> Any:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            result = function(*arguments, **options)
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    for kind, names in EFFECTS:
        for name in names:
            setattr(kind, name, counted(getattr(kind, name)))


def main() -> None:
    """Run the module once."""
    wanted = json.load(sys.stdin)
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": wanted["arguments"]}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    if wanted.get("kill_at"):
        cut_off(wanted["kill_at"])
    app_release.main()


if __name__ == "__main__":
    main()
