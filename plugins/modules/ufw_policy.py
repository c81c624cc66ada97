#!/usr/bin/python
"""Ansible module: ufw's whole policy in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ufw_policy
short_description: ufw enforces the declared policy, Docker's published ports included
version_added: 0.1.0
description:
  - Reads ufw's own files, computes what they should say, and touches only the difference. All rules of both address
    families are written at once, in ufw's own format, so that C(ufw status) and C(ufw delete) go on working.
  - A change of rules replaces ufw's chains in one step per address family; no packet meets half a rule set.
  - Ports on which sshd really listens are allowed first, and so is the connection that Ansible itself came by.
  - Before a change, a systemd timer is armed that puts the old firewall back. The action plugin of the same name opens
    a new ssh connection and only then stops the timer, with M(portside.vps.ufw_confirm).
  - With the Docker guard, what arrives from outside reaches no container unless its published port is opened here.
  - ufw must be installed, except in check mode and with O(packages_follow).
options:
  rules:
    description: The rules, in the order in which they count.
    type: list
    elements: dict
    default: []
    options:
      port: {description: 'A port, or a range such as V(8000:8010). None means all.', type: str}
      proto: {description: 'V(tcp), V(udp) or V(any).', type: str, default: any}
      from: {description: Source address or network. None means anywhere., type: str}
      to: {description: Destination address or network. None means anywhere., type: str}
      interface:
        description:
          - The interface that the traffic arrives on, or leaves by with O(rules[].direction=out).
          - It must exist, unless it ends in V(+), which stands for anything.
        type: str
      interface_out: {description: 'With O(rules[].direction=routed) the interface it leaves by.', type: str}
      direction: {description: 'V(in), V(out), or V(routed) for what the host forwards.', type: str, default: in}
      action: {description: 'V(allow), V(deny), V(reject) or V(limit).', type: str, default: allow}
      comment: {description: Shown by C(ufw status)., type: str}
      state: {description: 'V(present), or V(absent) to remove the rule whoever wrote it.', type: str, default: present}
  default_incoming:
    description: What happens to incoming traffic that no rule names.
    type: str
    choices: [allow, deny, reject]
    default: deny
  default_outgoing:
    description: The same for what the host itself sends.
    type: str
    choices: [allow, deny, reject]
    default: allow
  default_routed:
    description: The same for what the host forwards. With the Docker guard, V(allow) is refused.
    type: str
    choices: [allow, deny, reject]
    default: deny
  logging: {description: ufw's log level., type: str, choices: ['off', low, medium, high, full], default: low}
  allow_ssh: {description: Open every port on which sshd listens., type: bool, default: true}
  ssh_limit:
    description:
      - Let one address open at most five ssh connections in thirty seconds.
      - Ansible's own address and O(ssh_exempt) are not counted.
    type: bool
    default: false
  ssh_exempt:
    description: Addresses and networks that O(ssh_limit) never counts.
    type: list
    elements: str
    default: []
  docker_guard: {description: Shut Docker's published ports to outsiders., type: bool, default: true}
  docker_interfaces:
    description:
      - Docker's own bridges. What arrives on them may go anywhere. V(+) at the end stands for anything.
      - V(br-+) stands for the names that Docker gives. A bridge of the host such as C(br-lan) is not meant.
    type: list
    elements: str
    default: [docker0, docker_gwbridge, br-+]
  docker_allow:
    description: Published ports that outsiders may reach.
    type: list
    elements: dict
    default: []
    options:
      port: {description: The port as published on the host, or a range., type: str, required: true}
      proto: {description: 'V(tcp) or V(udp).', type: str, default: tcp}
      from: {description: Source address or network. None means anywhere., type: str}
      comment: {description: Written beside the rule., type: str}
      state: {description: 'V(present) or V(absent).', type: str, default: present}
  docker_metadata:
    description:
      - Whether containers reach, by TCP, the addresses at which clouds hand out credentials (C(169.254.169.254) and the
        like). Name resolution there is always let by.
    type: str
    choices: [reject, allow]
    default: reject
  docker_egress:
    description:
      - Networks of Docker's that are shut. Their containers reach each other and O(docker_egress[].to), and nothing
        else, the host included. They are reached as before.
    type: list
    elements: dict
    default: []
    options:
      bridge:
        description: The name of the network's bridge (C(com.docker.network.bridge.name)).
        type: str
        required: true
      to:
        description: What may be reached all the same.
        type: list
        elements: dict
        default: []
        options:
          network: {description: Address or network., type: str, required: true}
          port: {description: 'A port, or a range such as V(8000:8010). None means all.', type: str}
          proto: {description: 'V(tcp) or V(udp). None means V(tcp) for a port, and anything without one.', type: str}
      comment: {description: Written beside the rule., type: str}
  purge:
    description: Remove rules that this module once added and that are declared no more.
    type: bool
    default: true
  purge_foreign:
    description: Remove rules that others added, too.
    type: bool
    default: false
  confirm_timeout:
    description:
      - Seconds after which a change is taken back unless it was confirmed. V(0) changes without a net.
    type: int
    default: 60
  packages_follow:
    description:
      - Where ufw is not installed yet, check everything against the host, change nothing and return
        RV(awaits_packages=true), so that what is to be refused is refused before the package comes.
    type: bool
    default: false
attributes:
  check_mode: {support: full, description: Predicts also where ufw is not installed yet.}
  diff_mode: {support: full, description: Shows the policy as a list of sentences.}
seealso:
  - module: portside.vps.ufw_confirm
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Only ssh and the web are open
  portside.vps.ufw_policy:
    rules:
      - {port: "80", proto: tcp, comment: http}
      - {port: "443", comment: https and http/3}

- name: A published container port is open to one office
  portside.vps.ufw_policy:
    docker_allow:
      - {port: "5432", from: 198.51.100.0/24}
"""

RETURN = r"""
rules:
  description: The rules that count now, in their order, in words.
  type: list
  elements: str
  returned: success
strangers:
  description: The rules of others that open something and are left alone, in words.
  type: list
  elements: str
  returned: success
ssh_ports:
  description: Ports on which sshd listens.
  type: list
  elements: int
  returned: success
pinned:
  description: The rule added because the declared ones would have shut out the connection that Ansible came by.
  type: str
  returned: success
restarted:
  description: Why ufw was stopped and started as a whole; empty if loading the difference was enough.
  type: str
  returned: success
confirmed_by:
  description: How the controller made sure that it still gets in, after a change.
  type: str
  returned: when something changed
installed:
  description: Whether ufw is on the host.
  type: bool
  returned: success
awaits_packages:
  description: Whether nothing was done because ufw is missing, with O(packages_follow).
  type: bool
  returned: success
unconfirmed:
  description: Whether a change waits for M(portside.vps.ufw_confirm), and the revert timer runs.
  type: bool
  returned: success
change:
  description: The name of the change that waits, for M(portside.vps.ufw_confirm); empty if none does.
  type: str
  returned: success
"""

import contextlib
from collections.abc import Callable
from typing import TypeVar

from ansible_collections.portside.vps.plugins.module_utils import uplink
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError
from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule, no_traceback
from ansible_collections.portside.vps.plugins.module_utils.ufw import change, guard, host, revert
from ansible_collections.portside.vps.plugins.module_utils.ufw.confined import declare_confined
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import (
    RuleError,
    check_interfaces,
    check_timeout,
    declare,
    declare_addresses,
    declare_published,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import EntryError, describe
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import (
    Plan,
    Policy,
    Present,
    plan,
    problems,
    without_effect,
)

T = TypeVar("T")
LOOKS = 3

POLICY = {"type": "str", "choices": ["allow", "deny", "reject"]}
ARGUMENTS = {
    "rules": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "str"},
            "proto": {"type": "str", "default": "any"},
            "from": {"type": "str"},
            "to": {"type": "str"},
            "interface": {"type": "str"},
            "interface_out": {"type": "str"},
            "direction": {"type": "str", "default": "in"},
            "action": {"type": "str", "default": "allow"},
            "comment": {"type": "str"},
            "state": {"type": "str", "default": "present"},
        },
    },
    "default_incoming": {**POLICY, "default": "deny"},
    "default_outgoing": {**POLICY, "default": "allow"},
    "default_routed": {**POLICY, "default": "deny"},
    "logging": {"type": "str", "choices": ["off", "low", "medium", "high", "full"], "default": "low"},
    "allow_ssh": {"type": "bool", "default": True},
    "ssh_limit": {"type": "bool", "default": False},
    "ssh_exempt": {"type": "list", "elements": "str", "default": []},
    "docker_guard": {"type": "bool", "default": True},
    "docker_interfaces": {"type": "list", "elements": "str", "default": list(guard.DEFAULT_INTERFACES)},
    "docker_allow": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "port": {"type": "str", "required": True},
            "proto": {"type": "str", "default": "tcp"},
            "from": {"type": "str"},
            "comment": {"type": "str"},
            "state": {"type": "str", "default": "present"},
        },
    },
    "docker_metadata": {"type": "str", "choices": ["reject", "allow"], "default": "reject"},
    "docker_egress": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "bridge": {"type": "str", "required": True},
            "to": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "network": {"type": "str", "required": True},
                    "port": {"type": "str"},
                    "proto": {"type": "str"},
                },
            },
            "comment": {"type": "str"},
        },
    },
    "purge": {"type": "bool", "default": True},
    "purge_foreign": {"type": "bool", "default": False},
    "confirm_timeout": {"type": "int", "default": 60},
    "packages_follow": {"type": "bool", "default": False},
}


def _checked(wrong: list[str], check: Callable[[], T]) -> T | None:
    """What the check returns; what it finds wrong goes to the list."""
    try:
        return check()
    except RuleError as error:
        wrong += error.problems
        return None


def _policy(module: TellingModule) -> Policy:
    """The wanted policy, from the parameters and what only the host knows (ports of sshd, the connection)."""
    wanted = module.params
    wrong: list[str] = []
    interfaces, trusted = host.interfaces(), tuple(wanted["docker_interfaces"])
    rules = _checked(wrong, lambda: declare(wanted["rules"], interfaces=interfaces))
    published = _checked(wrong, lambda: declare_published(wanted["docker_allow"]))
    confined = _checked(wrong, lambda: declare_confined(wanted["docker_egress"]))
    if confined and not wanted["docker_guard"]:
        wrong.append("ufw_docker_egress needs ufw_docker_guard: true, whose chains it stands in")
    exempt = _checked(wrong, lambda: declare_addresses(wanted["ssh_exempt"]))
    _checked(wrong, lambda: check_interfaces(trusted))
    _checked(wrong, lambda: check_timeout(wanted["confirm_timeout"]))
    if wrong:
        raise RuleError(wrong)
    return Policy(
        rules=rules or (),
        incoming=wanted["default_incoming"],
        outgoing=wanted["default_outgoing"],
        routed=wanted["default_routed"],
        logging=wanted["logging"],
        allow_ssh=wanted["allow_ssh"],
        ssh_limit=wanted["ssh_limit"],
        ssh_exempt=exempt or (),
        ssh_ports=host.ssh_ports(),
        connection=host.connection(),
        guard=guard.Guard(
            trusted,
            tuple(published or ()),
            guard.foreign_bridges(trusted, interfaces),
            metadata=wanted["docker_metadata"] == "allow",
            confined=tuple(confined or ()),
        )
        if wanted["docker_guard"]
        else None,
        purge=wanted["purge"],
        purge_foreign=wanted["purge_foreign"],
        ipv6=host.has_ipv6(),
    )


def _plan(module: TellingModule) -> tuple[Policy, Present, Plan]:
    policy, present = _policy(module), host.present()
    obstacles = host.other_firewalls() + problems(present, policy, uplink.interfaces())
    if policy.guard:
        why = host.why_docker_is_unguardable(present.saved["4"])
        obstacles += [f"{why}; or set ufw_docker_guard: false"] if why else []
    if obstacles:
        raise RuleError(obstacles)
    return policy, present, plan(present, policy)


@no_traceback
def main() -> None:
    """Run the module."""
    module = TellingModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    installed = host.installed()
    awaits_packages = not installed and not module.check_mode
    if awaits_packages and not module.params["packages_follow"]:
        module.fail_json(msg="ufw is not installed; install it first, or leave ufw_manage_packages at true")
    only_look = module.check_mode or awaits_packages
    try:
        with contextlib.nullcontext() if only_look else host.ufw_lock():
            policy, present, wanted, seen = _look(module, only_look)
            waiting = "" if only_look else _bring_about(wanted, present, seen, module.params["confirm_timeout"])
    except RuleError as error:
        module.fail_json(msg="The firewall is as it was. " + ". ".join(error.problems), problems=error.problems)
    except (EntryError, LockError, change.ApplyError) as error:
        module.fail_json(msg=str(error))
    if awaits_packages:
        module.exit_json(changed=False, installed=False, awaits_packages=True, unconfirmed=False)
    for text in without_effect(policy):
        module.warn(text)
    for text in guard.cut_off(policy.guard, host.docker_networks()) if policy.guard else ():
        module.warn(text)
    if wanted.pinned:
        module.warn(
            f"The declared rules would shut out the connection Ansible came by; '{wanted.pinned}' was put before them."
        )
    module.exit_json(
        changed=wanted.changed,
        diff={"before": wanted.before, "after": wanted.after, "before_header": "ufw", "after_header": "ufw"},
        rules=[f"{describe(entry)} (IPv{family})" for family, entries in wanted.rules.items() for entry in entries],
        strangers=wanted.strangers,
        ssh_ports=sorted(policy.ssh_ports),
        pinned=wanted.pinned,
        restarted=wanted.restart,
        installed=installed,
        awaits_packages=False,
        unconfirmed=bool(waiting),
        change=waiting,
    )


def _look(module: TellingModule, only_look: bool) -> tuple[Policy, Present, Plan, str]:
    """The plan, and the change that waited when it was made. Made again if that was taken back meanwhile."""
    if only_look:
        return (*_plan(module), "")
    for _ in range(LOOKS):
        change.settle()
        waiting = change.pending_change()
        found = _plan(module)
        if change.is_as_seen(waiting):
            return (*found, waiting)
    raise change.ApplyError(
        f"an earlier change is being taken back, and nothing was changed. See `systemctl status {revert.REVERT_UNIT}`"
    )


def _bring_about(wanted: Plan, present: Present, seen: str, timeout: int) -> str:
    """Carry out the plan. Returns the name of the change that waits for its confirmation; empty if none does."""
    if wanted.changed:
        change.apply(wanted, present, seen, timeout)
    elif wanted.unseen:
        change.remember(wanted)
    return change.pending_change()


if __name__ == "__main__":
    main()
