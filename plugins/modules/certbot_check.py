#!/usr/bin/python
"""Ansible module: are the certificates on disk those that are served, and renewed in time?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_check
short_description: The certificates on disk are those that are served, and they are renewed in time
version_added: 0.1.0
description:
  - Does what C(portside-certbot-check.timer) does on the host, and gives the findings back. Changes nothing.
  - Each certificate that role certbot was given is fetched by TLS from where it is served, under each of its names, and
    compared with the file. The days it has left are compared with its lifetime.
options:
  fail:
    description: Whether the module fails when something is wrong. Otherwise the findings alone tell.
    type: bool
    default: true
attributes:
  check_mode: {support: full, description: Only reads.}
  diff_mode: {support: none, description: Changes nothing.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Every certificate is served and renewed in time
  portside.vps.certbot_check:
"""

RETURN = r"""
certificates:
  description: One entry for each certificate.
  type: list
  elements: dict
  returned: always
  contains:
    name: {description: The lineage., type: str}
    serial: {description: Serial number in hexadecimal; none without a certificate., type: str}
    days_left: {description: Whole days until it expires; none without a certificate., type: int}
    problems: {description: What is wrong; empty when nothing is., type: list, elements: str}
"""

import json
from datetime import UTC, datetime

from ansible_collections.portside.vps.plugins.module_utils.certbot import check
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.files import read_text
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec={"fail": {"type": "bool", "default": True}},
        supports_check_mode=True,
    )
    config = json.loads(read_text(Host().check_conf) or '{"certificates": []}')
    now = datetime.now(UTC)
    found = check.examine(check.watched_in(config), now)
    problems = [f"certificate {entry['name']}: {problem}" for entry in found for problem in entry["problems"]]
    if problems and module.params["fail"]:
        module.fail_json(msg="\n".join(problems), certificates=found)
    module.exit_json(changed=False, certificates=found)


if __name__ == "__main__":
    main()
