#!/usr/bin/python
"""Ansible module: what a host knows of the path of a request to its apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: diagnose_host
short_description: What a host knows of the path of a request to its apps
version_added: 0.1.0
description:
  - Looks at firewall, nginx, certificates, loopback ports and containers, asks each app at its loopback port, and
    reads the last webhook requests from nginx's log. In lines of logs the secrets of all releases that are kept are
    masked. Says what was seen; the filter
    P(portside.vps.diagnose_verdict#filter) says what that means.
options:
  apps:
    description: The apps, as the filter diagnose_apps gives them.
    type: list
    elements: dict
    required: true
  secrets: {description: Signing secrets of webhooks by app, for a signed test event., type: dict, default: {}}
  state_dir: {description: Where the state of each app is kept., type: path, default: /var/lib/portside/apps}
  tls_dir: {description: Where each site's certificate is linked., type: path, default: /etc/nginx/tls}
  log_dir: {description: Where the access log of each site is., type: path, default: /var/log/nginx}
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The host has been looked at
  portside.vps.diagnose_host:
    apps: "{{ portside_apps | portside.vps.diagnose_apps('/etc/nginx/upstreams') }}"
"""

RETURN = r"""
addresses: {description: The host's own that lead outside., type: list, elements: str, returned: success}
nginx: {description: 'Whether it runs, its configuration and its sites.', type: dict, returned: success}
firewall: {description: To whom ufw opens the web ports., type: dict, returned: success}
listening: {description: Programs that wait on 80 and 443., type: dict, returned: success}
docker: {description: Why Docker could not be asked., type: str, returned: success}
apps: {description: 'Certificates, upstream, container, answers and attempts, by app.', type: dict, returned: success}
"""

from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import host
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

# What verdicts go by; the rest is quoted.
FACTS = (
    *("name", "names", "app", "release", "addresses", "listening", "firewall", "image", "upstream", "place", "owner"),
    *("status", "published", "started"),
)


@no_traceback
def main() -> None:
    """Run the module."""
    module = QuietModule(
        argument_spec={
            "apps": {"type": "list", "elements": "dict", "required": True},
            "secrets": {"type": "dict", "default": {}, "no_log": True},
            "state_dir": {"type": "path", "default": "/var/lib/portside/apps"},
            "tls_dir": {"type": "path", "default": "/etc/nginx/tls"},
            "log_dir": {"type": "path", "default": "/var/log/nginx"},
        },
        supports_check_mode=True,
        facts=FACTS,
    )
    params = module.params
    for app in params["apps"]:
        module.make_public([app["name"], app["upstream_file"], *app["domains"], *app["webhooks"]])
    # Lines of logs are quoted, and an app may print what it was given.
    module.no_log_values.update(Store(Path(params["state_dir"])).remembered())
    apps = [{**app, "secret": params["secrets"].get(app["name"], "")} for app in params["apps"]]
    module.exit_json(changed=False, **host.look(apps, params))


if __name__ == "__main__":
    main()
