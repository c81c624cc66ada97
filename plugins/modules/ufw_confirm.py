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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.vps.plugins.module_utils.ufw import host

# What a slow host needs for it, and a little more.
REVERT_SECONDS = 45
ARGUMENTS = {"state": {"type": "str", "choices": ["confirmed", "taken_back"], "default": "confirmed"}}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    if module.params["state"] == "confirmed" and not module.check_mode and not host.confirm():
        host.wait_until_taken_back(REVERT_SECONDS)
        module.fail_json(
            msg="There is no change to confirm: the revert timer has run, and the firewall is the one from before."
        )
    if module.params["state"] == "taken_back" and not host.wait_until_taken_back(REVERT_SECONDS):
        module.fail_json(msg=f"The firewall is not the one from before after {REVERT_SECONDS} s of waiting.")
    module.exit_json(changed=module.params["state"] == "confirmed" and not module.check_mode)


if __name__ == "__main__":
    main()
