"""A filter for the `hosts` of a play: a run that would reach no host, or of each host nothing, is refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleFilterError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, run_choice

DOCUMENTATION = r"""
name: play_hosts
short_description: the hosts of a play, or why it would do nothing
description:
  - Fails where no host of the inventory is meant, where C(--limit) leaves none of them, and where C(--tags) or
    C(--skip-tags) name what the playbook has no tags for. Ansible itself does nothing then, and says that all is well.
positional: groups, tags
options:
  _input: {description: Pattern of hosts, as C(hosts) of a play takes it., type: raw, required: true}
  groups: {description: The variable C(groups)., type: dict, required: true}
  tags: {description: The tags that the playbook knows., type: list, elements: str, default: []}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The server matches the inventory
  hosts: "{{ portside_hosts | default('vps') | portside.vps.play_hosts(groups) }}"
"""

RETURN = r"""
_value: {description: The pattern as it is., type: raw}
"""


def _matched(groups: Mapping[str, Iterable[str]], pattern: str | Sequence[str], limit: str | None) -> list[str]:
    """The names of the hosts that a pattern means, by Ansible's own rules."""
    inventory = InventoryManager(DataLoader(), parse=False)
    for group, hosts in groups.items():
        if group not in {"all", "ungrouped"}:
            inventory.add_group(group)
        for host in hosts:
            inventory.add_host(host, group if group != "all" else "ungrouped")
    inventory.subset(limit)
    return [host.name for host in inventory.get_hosts(pattern)]


def _is_ours(playbook: str) -> bool:
    """Whether a playbook of the command line is one of this collection's: what others import ours into has tags of its
    own, and may choose by them."""
    here = roles.ROLES.parent
    return playbook.startswith("portside.vps.") or here in Path(playbook).resolve().parents


def play_hosts(pattern: str | Sequence[str], groups: Mapping[str, Iterable[str]], tags: Sequence[str] = ()) -> Any:
    """The pattern as it is.

    Args:
        pattern: of hosts.
        groups: the names of hosts by group.
        tags: those that the playbook knows.

    Raises:
        AnsibleFilterError: the run would do nothing, or not what was asked for.
    """
    arguments = context.CLIARGS
    if arguments.get("syntax") or arguments.get("listhosts") or arguments.get("listtasks") or arguments.get("listtags"):
        return pattern
    problem = None
    if any(_is_ours(str(playbook)) for playbook in arguments.get("args", ())):
        problem = run_choice.tags_problem(arguments.get("tags", ()), arguments.get("skip_tags", ()), tags)
    limit = arguments.get("subset")
    meant = _matched(groups, pattern, None)
    if not meant:
        problem = problem or run_choice.hosts_problem(pattern, groups)
    elif limit and not _matched(groups, pattern, limit):
        problem = problem or run_choice.limit_problem(pattern, meant, limit)
    if problem:
        raise AnsibleFilterError(problem)
    return pattern


class FilterModule:
    """Registers the filter."""

    def filters(self) -> dict[str, object]:
        """Name and function."""
        return {"play_hosts": play_hosts}
