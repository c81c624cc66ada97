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


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    if not module.check_mode and not host.confirm():
        module.fail_json(
            msg="There is no change to confirm: the revert timer has run, and the firewall is the one from before."
        )
    module.exit_json(changed=not module.check_mode)


if __name__ == "__main__":
    main()
