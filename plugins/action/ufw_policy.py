"""The controller's half of ufw_policy: a change is kept only after a new connection has come through."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader

MODULE = "portside.vps.ufw_policy"
CONFIRM = "portside.vps.ufw_confirm"
SSH_PLUGINS = ("ansible.builtin.ssh", "ansible.legacy.ssh", "ssh")
DEFAULT_TIMEOUT = 60
# One attempt: long enough for a slow handshake, short enough for several within the timeout.
ATTEMPT_SECONDS = 5
# Left of the timeout for the call that confirms, over the connection that is open already.
CONFIRM_SECONDS = 4
PAUSE_SECONDS = 1.0
# What the host needs to put the old firewall back, after the timeout.
REVERT_SECONDS = 30


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Runs the module; if it changed something, connects anew and confirms."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One remote call if nothing changes; a new connection and a second call if something does."""
        super().run(tmp, task_vars)
        started = time.monotonic()
        timeout = int(self._task.args.get("confirm_timeout", DEFAULT_TIMEOUT))
        try:
            result: dict[str, Any] = self._execute_module(module_name=MODULE, task_vars=task_vars)
        except AnsibleConnectionFailure as lost:
            return self._taken_back(
                f"the connection broke while the firewall changed ({lost})", timeout, started, task_vars
            )
        if result.get("failed") or not result.get("unconfirmed"):
            return result
        if self._connection.ansible_name not in SSH_PLUGINS:
            result["confirmed_by"] = f"the same connection ({self._connection.ansible_name}); no new one was tried"
        else:
            refused = self._connect_anew(started + timeout - CONFIRM_SECONDS)
            if refused:
                return {**result, **self._taken_back(refused, timeout, started, task_vars)}
            result["confirmed_by"] = "a new ssh connection"
        confirmed = self._execute_module(
            module_name=CONFIRM, module_args={"change": result.get("change", "")}, task_vars=task_vars
        )
        if confirmed.get("failed"):
            return {**result, "failed": True, "msg": confirmed.get("msg", "the change could not be confirmed")}
        result["unconfirmed"] = not confirmed["kept"]
        if confirmed["superseded"]:
            result["confirmed_by"] = "nobody yet: another run has changed more since, and confirms both or neither"
        elif not confirmed["changed"]:
            result["confirmed_by"] = "another run, at the same time"
        return result

    def _connect_anew(self, deadline: float) -> str:
        """Open a connection that shares nothing with the present one. Empty if it worked, else why it didn't."""
        why = "there was no time to try; raise ufw_confirm_timeout"
        while time.monotonic() < deadline:
            fresh = connection_loader.get(self._connection.ansible_name, self._play_context)
            try:
                fresh.set_options(direct=self._options_without_sharing())
                status, _out, error = fresh.exec_command("true", in_data=None, sudoable=False)
            except AnsibleError as failure:
                why = str(failure)
            else:
                if status == 0:
                    return ""
                why = error.decode(errors="replace").strip()
            time.sleep(PAUSE_SECONDS)
        return why

    def _options_without_sharing(self) -> Mapping[str, Any]:
        """The connection's options; ssh takes the first value it is given, so ours stand before the user's."""
        options = dict(self._connection.get_options())
        options["ssh_args"] = f"-o ControlMaster=no -o ControlPath=none {options.get('ssh_args') or ''}"
        options["timeout"] = min(int(options.get("timeout") or ATTEMPT_SECONDS), ATTEMPT_SECONDS)
        options["reconnection_retries"] = 0
        return options

    def _taken_back(self, why: str, timeout: int, started: float, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Wait until the host has put the old firewall back, and say so."""
        time.sleep(max(0.0, started + timeout - time.monotonic()))
        doubt = self._connect_anew(time.monotonic() + REVERT_SECONDS)
        if not doubt:
            # While the old rules are loaded there are none for a moment: a connection alone proves nothing.
            back = self._execute_module(module_name=CONFIRM, module_args={"state": "taken_back"}, task_vars=task_vars)
            doubt = str(back.get("msg", "")) if back.get("failed") else ""
        outcome = (
            f"The host takes the change back {timeout} s after it was made, but: {doubt}"
            if doubt
            else f"The host took the change back after {timeout} s and answers new connections as before."
        )
        return {
            "failed": True,
            "changed": False,
            "unconfirmed": False,
            "msg": f"The new firewall shut ssh out: {why}. {outcome} Mend the rules and run again.",
        }
