#!/usr/bin/python
"""Ansible module: certbot from PyPI in a Python environment of its own."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_venv
short_description: certbot from PyPI is installed in a Python environment of its own
version_added: 0.1.0
description:
  - Builds the environment beside the one in use, tries it, and switches to it in one step. Nothing is installed into
    the system's Python.
  - Only when the requirements or the host's Python are others than those of the environment in use is anything done.
options:
  requirements:
    description: The text of pip's requirements file. With hashes, every package has to have one.
    type: str
    required: true
  index_url:
    description: Package index. Empty for pip's own default.
    type: str
    default: ""
  wheels:
    description: Directory on the host that holds all packages as wheels, in place of an index.
    type: str
    default: ""
  environment:
    description: Variables pip runs with, C(HTTPS_PROXY) or C(PIP_CERT) for instance.
    type: dict
    default: {}
  only_ask:
    description: Say whether something would be done, and do nothing.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: full}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Certbot is there in a version that knows profiles
  portside.vps.certbot_venv:
    requirements: "{{ lookup('ansible.builtin.file', 'certbot.txt') }}"
"""

RETURN = r"""
needed:
  description: Whether the environment in use was not, or is not, the wanted one.
  type: bool
  returned: always
path:
  description: The environment.
  type: str
  returned: always
"""

import sys

from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.certbot.managed_files import own_environment
from ansible_collections.portside.vps.plugins.module_utils.certbot.venv import Environment
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec={
            "requirements": {"type": "str", "required": True},
            "index_url": {"type": "str", "default": ""},
            "wheels": {"type": "str", "default": ""},
            "environment": {"type": "dict", "default": {}, "no_log": True},
            "only_ask": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
        facts=("path",),
    )
    params = module.params
    module.no_log_values.update(telltale.secrets([params["index_url"], params["requirements"]]))
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = Environment(params["requirements"], python, params["index_url"], params["wheels"])
    needed = not wanted.present
    if needed and not module.check_mode and not params["only_ask"]:
        declared = {str(key): str(value) for key, value in params["environment"].items()}
        try:
            wanted.build(own_environment(declared))
        except (CommandError, OSError) as error:
            module.fail_json(msg=str(error))
    module.exit_json(
        changed=needed and not params["only_ask"],
        needed=needed,
        path=str(wanted.folder),
        diff={"before": "", "after": f"{wanted.folder}\n"} if needed and not params["only_ask"] else {},
    )


if __name__ == "__main__":
    main()
