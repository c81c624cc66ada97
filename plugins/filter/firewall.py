"""Filters about the firewall's rules."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw import exposure
from ansible_collections.portside.vps.plugins.module_utils.ufw.confined import declare_confined
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import (
    RuleError,
    check_timeout,
    declare,
    declare_addresses,
    declare_published,
)

DOCUMENTATION = r"""
name: firewall_problems
short_description: what is wrong with a list of firewall rules
description:
  - All that shows without the host, and with O(interfaces) whether those that rules name exist.
  - Without them that is for M(portside.vps.ufw_policy) to say.
options:
  _input: {description: The rules as in the role's C(ufw_rules)., type: list, elements: dict, required: true}
  published: {description: Published ports as in C(ufw_docker_allow)., type: list, elements: dict, required: true}
  exempt: {description: Addresses as in C(ufw_ssh_exempt)., type: list, elements: str, required: true}
  timeout: {description: Seconds as in C(ufw_confirm_timeout)., type: int, required: true}
  interfaces: {description: The host's network interfaces., type: list, elements: str}
  egress: {description: Networks as in C(ufw_docker_egress)., type: list, elements: dict, default: []}
"""


def firewall_problems(
    rules: Sequence[Mapping[str, Any]],
    published: Sequence[Mapping[str, Any]],
    exempt: Sequence[str],
    timeout: int,
    interfaces: Collection[str] | None = None,
    *,
    egress: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """One sentence for each thing that is wrong, with the rule's number and text."""
    problems: list[str] = []
    for check in (
        lambda: declare(rules, interfaces=interfaces),
        lambda: declare_published(published),
        lambda: declare_addresses(exempt),
        lambda: check_timeout(timeout),
        lambda: declare_confined(egress),
    ):
        try:
            check()
        except RuleError as error:
            problems += error.problems
    return problems


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "firewall_problems": firewall_problems,
            "firewall_targets": exposure.targets,
            "firewall_compare": exposure.compare,
            "firewall_table": exposure.table,
        }
