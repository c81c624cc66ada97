#!/usr/bin/python
"""Ansible module: what apps can reach from inside their containers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnose_egress
short_description: What apps can reach from inside their containers
version_added: 0.1.0
description:
  - Asks for URLs from the network of each app's container, with the proxy variables and the CA certificates that the
    app has. Where the way is a proxy, the same request is tried without it as well. Nothing has to be installed in the
    image.
  - Says what was seen; the filter P(portside.vps.diagnose_verdict#filter) says what that means.
options:
  apps:
    description: The apps, as the filter diagnose_apps gives them.
    type: list
    elements: dict
    required: true
  state_dir: {description: Where the state of each app is kept., type: path, default: /var/lib/portside/apps}
attributes:
  check_mode: {support: full, description: 'Changes nothing, and asks for real.'}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The way out has been tried
  portside.vps.diagnose_egress:
    apps: "{{ portside_apps | portside.vps.diagnose_apps('/etc/nginx/upstreams') }}"
"""

RETURN = r"""
apps:
  description: For each app whose container runs, its C(container), what is wrong with its CA certificates (C(trust)),
    and its C(checks), each with C(url), C(route), C(attempt), C(direct).
  type: dict
  returned: success
"""

from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import egress
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
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
        facts=("container", "stage", "status", "variable"),
    )
    module.make_public(app["name"] for app in module.params["apps"])
    module.no_log_values.update(Store(Path(module.params["state_dir"])).remembered())
    try:
        found = egress.look(module.params["apps"], Path(module.params["state_dir"]))
    except (OSError, RuntimeError) as error:
        module.fail_json(msg=f"the way out of the containers could not be tried: {error}")
    module.exit_json(changed=False, apps=found)


if __name__ == "__main__":
    main()
