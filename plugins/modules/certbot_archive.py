#!/usr/bin/python
"""Ansible module: a host's certificates and ACME accounts as one text, and back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_archive
short_description: A host's certificates and ACME accounts as one text, and back
version_added: 0.1.0
description:
  - Without I(content), gives C(/etc/letsencrypt) back as a compressed archive in base64. The same files give the same
    text. It holds private keys. Set C(no_log) on the task, and encrypt it before it is written anywhere.
  - With I(content), puts such an archive in the place of C(/etc/letsencrypt), in one step. What stood there is kept.
  - An archive brings data alone. Hooks, C(cli.ini), the commands in renewal configurations and everything else that
    certbot would run are left out, with a warning for each that is not the role's; those of the host stay as they are.
    One that has a link where certbot has none, or one that leads outside, is refused.
options:
  content:
    description: The archive to restore. Left out, one is made.
    type: str
  force:
    description: Whether certificates that are on the host may be replaced.
    type: bool
    default: false
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The certificates are on the controller
  portside.vps.certbot_archive:
  register: archive
  no_log: true
"""

RETURN = r"""
content:
  description: The archive.
  type: str
  returned: without I(content)
lineages:
  description: The lineages that are on the host now.
  type: list
  elements: str
  returned: always
kept:
  description: Where what stood there before is kept.
  type: str
  returned: when something was replaced
"""

from contextlib import nullcontext
from datetime import UTC, datetime

from ansible_collections.portside.vps.plugins.module_utils.certbot import archive, brought
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import LOCK, LOCK_LIMIT, Host
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError, alone
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec={"content": {"type": "str", "no_log": True}, "force": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    folder, content = Host().config_dir, module.params["content"]
    kept = None
    try:
        with nullcontext() if module.check_mode else alone(LOCK, LOCK_LIMIT):
            if content is None:
                module.exit_json(changed=False, content=archive.pack(folder), lineages=archive.lineages(folder))
            if archive.same(content, folder):
                module.exit_json(changed=False, lineages=archive.lineages(folder))
            for sentence in archive.check(content, folder, force=module.params["force"]):
                module.warn(sentence)
            if not module.check_mode:
                kept = archive.unpack(content, folder, datetime.now(UTC), force=module.params["force"])
    except (brought.ArchiveError, LockError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, lineages=archive.lineages(folder), **({"kept": str(kept)} if kept else {}))


if __name__ == "__main__":
    main()
