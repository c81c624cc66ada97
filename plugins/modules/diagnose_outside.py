#!/usr/bin/python
"""Ansible module: apps of a server as somebody on the internet sees them."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnose_outside
short_description: Apps of a server are looked at as somebody on the internet sees them
version_added: 0.1.0
description:
  - Looks up the names, tries ports 80 and 443, judges the certificates, and posts to the webhooks, many things at a
    time. Says what was seen; the filter P(portside.vps.diagnose_verdict#filter) says what that means.
  - Uses no proxy, whatever the environment says.
options:
  apps:
    description: The apps, as the filter diagnose_apps gives them.
    type: list
    elements: dict
    required: true
  addresses:
    description: The server's addresses.
    type: list
    elements: str
    required: true
  secrets: {description: Signing secrets of webhooks by app, for a signed test event., type: dict, default: {}}
  trusted:
    description: Certificates (PEM) to trust in place of this machine's own.
    type: str
    default: ''
attributes:
  check_mode: {support: full, description: 'Changes nothing, and asks for real.'}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The apps have been looked at from the controller
  portside.vps.diagnose_outside:
    apps: "{{ portside_apps | portside.vps.diagnose_apps('/etc/nginx/upstreams') }}"
    addresses: [192.0.2.1]
  delegate_to: localhost
"""

RETURN = r"""
names: {description: DNS and certificates by name., type: dict, returned: success}
ports: {description: What each port of each address answered., type: list, elements: dict, returned: success}
apps: {description: What webhooks and health path answered., type: dict, returned: success}
"""

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import outside
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback


@no_traceback
def main() -> None:
    """Run the module."""
    module = QuietModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "addresses": {"type": "list", "elements": "str", "required": True},
            "trusted": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
        facts=("4", "6", "address", "answer", "status"),
    )
    params = module.params
    for app in params["apps"]:
        module.make_public([app["name"], *app["domains"], *app["webhooks"]])
    apps = [{**app, "secret": params["secrets"].get(app["name"], "")} for app in params["apps"]]
    module.exit_json(changed=False, **outside.look(apps, params["addresses"], params["trusted"]))


if __name__ == "__main__":
    main()
