#!/usr/bin/python
"""Ansible module: what a host listens on and publishes, and who may connect."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_ports
short_description: What a host listens on and publishes is listed, with whom it is open to
version_added: 0.1.0
description:
  - Lists every port on which a process waits or that Docker publishes, for each address family, with those to whom
    ufw's rules and the Docker guard open it.
  - Says what is declared. M(portside.vps.firewall_probe) on another machine shows what is true.
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: What listens is known
  portside.vps.firewall_ports:
  register: listening
"""

RETURN = r"""
addresses:
  description: The host's addresses on the interfaces that lead outside.
  type: list
  elements: str
  returned: success
ports:
  description:
    - One entry for each port and address family with C(port), C(protocol), C(family), C(who) listens, and whom it is
      C(open_to).
  type: list
  elements: dict
  returned: success
"""

from ansible_collections.portside.vps.plugins.module_utils import uplink
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule, no_traceback
from ansible_collections.portside.vps.plugins.module_utils.ufw import listeners
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import EntryError
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import exposure


@no_traceback
def main() -> None:
    """Run the module."""
    module = TellingModule(argument_spec={}, supports_check_mode=True)
    try:
        module.exit_json(
            changed=False,
            addresses=uplink.addresses(),
            ports=exposure(listeners.sockets(), listeners.declared()),
        )
    except (CommandError, EntryError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
