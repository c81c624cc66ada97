#!/usr/bin/python
"""Ansible module: how a server and its apps are doing."""

from __future__ import annotations

DOCUMENTATION = r"""
module: server_status
short_description: How a server and its apps are doing
version_added: 0.1.0
description:
  - Looks at each app's container and asks it what its health check asks; looks at disks, at the ports that are open to
    others, and at failed units.
  - What differs from the inventory is not its business. The modules that converge a server say that in check mode.
options:
  apps:
    description: The apps, as the filter diagnose_apps gives them.
    type: list
    elements: dict
    required: true
  state_dir: {description: Where the state of each app is kept., type: path, default: /var/lib/portside/apps}
attributes:
  check_mode: {support: full, description: It only reads.}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: How the server is doing is known
  portside.vps.server_status:
    apps: "{{ portside_apps | portside.vps.diagnose_apps('/etc/nginx/upstreams') }}"
"""

RETURN = r"""
apps: {description: 'Release, image, container, health of each app.', type: list, elements: dict, returned: success}
disks: {description: Each file system and how full it is., type: list, elements: dict, returned: success}
ports: {description: Ports that others may connect to., type: list, elements: dict, returned: success}
ports_error: {description: Why they are not known., type: str, returned: success}
docker: {description: Why Docker could not be asked., type: str, returned: success}
system: {description: 'Name, seconds since it booted, reboot due, failed units.', type: dict, returned: success}
"""

from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.status import host
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback


@no_traceback
def main() -> None:
    """Run the module."""
    module = QuietModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "state_dir": {"type": "path", "default": "/var/lib/portside/apps"},
        },
        supports_check_mode=True,
    )
    try:
        seen = host.look(module.params["apps"], Path(module.params["state_dir"]))
    except (CommandError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **seen)


if __name__ == "__main__":
    main()
