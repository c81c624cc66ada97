#!/usr/bin/python
"""Ansible module: what the playbooks decide by: a host's distribution, addresses, apps, and rejected releases."""

from __future__ import annotations

DOCUMENTATION = r"""
module: os_facts
short_description: Which release of which distribution a host runs, and at which addresses
version_added: 0.1.0
description:
  - Sets the facts of the distribution that the roles of this collection ask for, from C(/etc/os-release) alone, and
    the host's addresses on the interfaces that lead outside.
  - M(ansible.builtin.setup) with the subset C(distribution) finds the same and more, in twice the time.
options:
  state_dir:
    description:
      - Where M(portside.vps.app_release) keeps the state of each app. With it, RV(rejections) and RV(served) are found.
    type: path
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: Changes nothing.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The release of the operating system is known
  portside.vps.os_facts:
"""

RETURN = r"""
rejections:
  description:
    - Whether a release of any app was rejected or rolled back, so that M(portside.vps.app_releases) has to say which
      apps stay on an earlier one. Also when what is remembered of an app can't be understood.
  type: bool
  returned: with O(state_dir)
served:
  description: Names of the apps that are remembered on the host and have a site of nginx's there.
  type: list
  elements: str
  returned: with O(state_dir)
ansible_facts:
  description:
    - C(distribution), C(distribution_version), C(distribution_major_version) and C(distribution_release).
    - C(own_addresses), without link-local and temporary ones and those of containers; empty where C(ip) can't be run.
  type: dict
  returned: success
  sample:
    distribution: Debian
    distribution_version: "13"
    distribution_major_version: "13"
    distribution_release: trixie
    own_addresses: [203.0.113.10, '2001:db8::10']
"""

from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import uplink
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.os_release import facts
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule, no_traceback

# Where the role nginx puts sites.
SITES = Path("/etc/nginx/sites-enabled")


def own_addresses() -> list[str]:
    """The host's addresses; none where they can't be had, on a host without iproute2."""
    try:
        return uplink.addresses()
    except CommandError:
        return []


def served(store: Store, sites: Path = SITES) -> list[str]:
    """Names of the apps that are remembered and have a site."""
    return [name for name in store.names() if (sites / f"portside-{name}.conf").exists()]


@no_traceback
def main() -> None:
    """Run the module."""
    module = TellingModule(argument_spec={"state_dir": {"type": "path"}}, supports_check_mode=True)
    state_dir = module.params["state_dir"]
    try:
        release = facts(Path("/etc/os-release").read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        module.fail_json(msg=f"/etc/os-release says which system this is, and can't be read: {error.strerror}")
    found: dict[str, Any] = {}
    if state_dir:
        store = Store(Path(state_dir))
        found = {"rejections": store.rejections(), "served": served(store)}
    module.exit_json(changed=False, ansible_facts={**release, "own_addresses": own_addresses()}, **found)


if __name__ == "__main__":
    main()
