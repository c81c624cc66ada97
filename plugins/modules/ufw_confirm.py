#!/usr/bin/python
"""Ansible module: a change of the firewall is kept."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_confirm
short_description: A change made by ufw_policy is kept
version_added: 0.1.0
description:
  - Stops the timer that M(portside.vps.ufw_policy) armed before its change. Fails if the timer has run already, which
    means that the old firewall is back.
  - Called by the action plugin of M(portside.vps.ufw_policy) after it has opened a new ssh connection. A playbook needs
    it only where that plugin doesn't run.
options:
  state:
    description:
      - V(confirmed) stops the timer.
      - V(taken_back) waits until the timer has run and the old firewall is complete.
    type: str
    choices: [confirmed, taken_back]
    default: confirmed
  change:
    description:
      - RV(portside.vps.ufw_policy#module:change), the change that is meant. Empty for whichever waits.
      - If another run has changed more since, nothing is confirmed; that run has to, or has done so already.
    type: str
    default: ''
attributes:
  check_mode: {support: full, description: Nothing is confirmed.}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The firewall stays as it is now
  portside.vps.ufw_confirm:
"""

RETURN = r"""
kept:
  description: Whether the change stays, no matter which run confirmed it.
  type: bool
  returned: success
superseded:
  description: Whether another run has changed more since, and has yet to confirm both.
  type: bool
  returned: success
"""

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError
from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule, no_traceback
from ansible_collections.portside.vps.plugins.module_utils.ufw import change, revert

ARGUMENTS = {
    "state": {"type": "str", "choices": ["confirmed", "taken_back"], "default": "confirmed"},
    "change": {"type": "str", "default": ""},
}


@no_traceback
def main() -> None:
    """Run the module."""
    module = TellingModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    outcome = ""
    if module.params["state"] == "taken_back":
        if not change.wait_until_taken_back(revert.REVERT_SECONDS):
            module.fail_json(msg=revert.NOT_BACK)
    elif not module.check_mode:
        try:
            outcome = change.confirm(module.params["change"])
        except (CommandError, LockError, OSError) as error:
            module.fail_json(msg=str(error))
        if outcome == "gone":
            back = change.wait_until_taken_back(revert.REVERT_SECONDS)
            module.fail_json(
                msg="There is no change to confirm: the revert timer has run, the host was rebooted, or another run's"
                " change failed and was taken back with this one. "
                + ("The firewall is the one from before." if back else revert.NOT_BACK)
            )
    module.exit_json(
        changed=outcome == "kept",
        kept=outcome in ("kept", "kept by another"),
        superseded=outcome == "superseded",
    )


if __name__ == "__main__":
    main()
