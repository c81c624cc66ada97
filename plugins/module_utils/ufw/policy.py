"""From the wanted policy and the files that are there to the files that should be. Nothing here touches a host."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from ansible_collections.portside.vps.plugins.module_utils.ufw import guard as docker_guard
from ansible_collections.portside.vps.plugins.module_utils.ufw import live
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import Declared, RuleError
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import (
    ANYWHERE,
    FAMILIES,
    Entry,
    Family,
    Packet,
    applies,
    describe,
    includes_port,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.ufw.rulesfile import Logging, parse_rules, render_rules
from ansible_collections.portside.vps.plugins.module_utils.ufw.settings import POLICY_WORDS, read_setting, with_settings
from ansible_collections.portside.vps.plugins.module_utils.ufw.ssh import Connection

# ufw's files by a short name: what a policy is made of, and what a revert puts back.
FILES = {
    "defaults": "/etc/default/ufw",
    "conf": "/etc/ufw/ufw.conf",
    "rules4": "/etc/ufw/user.rules",
    "rules6": "/etc/ufw/user6.rules",
    "after4": "/etc/ufw/after.rules",
    "after6": "/etc/ufw/after6.rules",
}
SSH_COMMENT = "ssh"
EXEMPT_COMMENT = "ssh, never limited"
PUBLISHED_COMMENT = "published by Docker"
PIN_COMMENT = "the connection Ansible came by"
# Of many rules that one warning is about, so many are named.
SHOWN = 3


@dataclass(frozen=True)
class Policy:
    """What is wanted of the firewall."""

    rules: Sequence[Declared]
    incoming: str = "deny"
    outgoing: str = "allow"
    routed: str = "deny"
    logging: str = "low"
    allow_ssh: bool = True
    ssh_limit: bool = False
    ssh_exempt: Sequence[str] = ()
    ssh_ports: Collection[int] = ()
    connection: Connection | None = None
    guard: Guard | None = None
    purge: bool = True
    purge_foreign: bool = False
    ipv6: bool = True


@dataclass(frozen=True)
class State:
    """What the role remembers on the host: the rules it owns, and the firewall it left behind."""

    owned: Mapping[Family, frozenset[str]] = field(default_factory=dict)
    seen: Mapping[Family, live.Seen] = field(default_factory=dict)

    def to_json(self) -> str:
        """As a person can read it."""
        rules = {family: sorted(matches) for family, matches in self.owned.items()}
        seen = {family: asdict(hashes) for family, hashes in self.seen.items()}
        return json.dumps({"rules": rules, "seen": seen}, indent=2, sort_keys=True) + "\n"


def parse_state(text: str) -> State:
    """What `State.to_json` wrote; an empty state for anything else, which only means that no rule is known as ours."""
    try:
        content = json.loads(text or "{}")
        rules, seen = content.get("rules", {}), content.get("seen", {})
        return State(
            {family: frozenset(map(str, rules.get(family, ()))) for family in FAMILIES},
            {family: live.Seen(**seen[family]) for family in FAMILIES if family in seen},
        )
    except (ValueError, AttributeError, TypeError):
        return State()


@dataclass(frozen=True)
class Present:
    """What is there now. A file that isn't is an empty text; so is iptables-save where it can't be run."""

    files: Mapping[str, str]
    state: State = field(default_factory=State)
    saved: Mapping[Family, str] = field(default_factory=dict)
    boots: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do about the difference."""

    files: Mapping[str, str]
    owned: Mapping[Family, frozenset[str]]
    rules: Mapping[Family, Sequence[Entry]]
    pinned: str
    restart: str
    enable_boot: bool
    records: bool
    unseen: bool
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether anything on the host has to change."""
        return bool(self.files or self.restart or self.enable_boot or self.records)

    @property
    def strangers(self) -> list[str]:
        """The rules of others that open something, in words; each once for both address families."""
        found = [
            describe(entry)
            for family, entries in self.rules.items()
            for entry in entries
            if entry.action in ("allow", "limit") and identity(entry) not in self.owned.get(family, frozenset())
        ]
        return list(dict.fromkeys(found))


def identity(entry: Entry) -> str:
    """An entry's match as one word for the state file."""
    return " ".join(part.replace(" ", "%20") or "-" for part in entry.match)


def problems(present: Present, policy: Policy, outside: Sequence[str]) -> list[str]:
    """What in the host's own files stands against the policy, each with what to do.

    Args:
        present: the host.
        policy: what is wanted.
        outside: interfaces that a default route leaves by.
    """
    if policy.guard is None:
        return []
    found = []
    for family in FAMILIES:
        name = f"after{family}"
        line = docker_guard.rival(present.files.get(name, ""))
        if line:
            found.append(
                f"{FILES[name]}, {line}: another set of rules fills DOCKER-USER, and each would empty it for the other."
                " Remove it (`ufw-docker uninstall`, if it came from there) and open its ports in ufw_docker_allow,"
                " or set ufw_docker_guard: false"
            )
    if read_setting(present.files.get("defaults", ""), "MANAGE_BUILTINS").lower() == "yes":
        found.append(
            f"MANAGE_BUILTINS=yes in {FILES['defaults']} makes ufw flush Docker's rules each time it starts;"
            " set it to no, or ufw_docker_guard: false"
        )
    if policy.routed == "allow":
        found.append(
            "ufw_default_routed: allow undoes the Docker guard where Docker doesn't filter IPv6; leave it at deny and"
            " open what this host shall forward with rules of direction: routed"
        )
    places: list[tuple[Family, str]] = [("6", "FORWARD")]
    places += [("4", "INPUT"), ("6", "INPUT")] if policy.guard.confined else []
    for family, chain in places:
        strangers = live.strangers_in_second_table(present.saved.get(family, ""), chain)
        if strangers:
            found.append(
                f"the table {docker_guard.SECOND_TABLE} of IPv{family} has rules of somebody else in {chain}"
                f" ({strangers[0]}), which the Docker guard would have to flush; remove them, or set"
                " ufw_docker_guard: false"
            )
    ways_out = [name for name in outside if name not in policy.guard.foreign]
    for name, pattern in docker_guard.trusted_by_mistake(policy.guard.interfaces, ways_out):
        found.append(
            f"the way to the internet leaves by {name}, which the Docker guard would take for one of Docker's bridges"
            f" ('{pattern}' in ufw_docker_interfaces); list Docker's own bridges there instead"
        )
    return found


def without_effect(policy: Policy) -> list[str]:
    """A sentence about declared rules that would narrow ssh, but come after the rule that opens it, if there are."""
    if not policy.allow_ssh:
        return []
    labels = [
        rule.label
        for rule in policy.rules
        if rule.present and any(_narrows_ssh(entry, policy) for entries in rule.entries.values() for entry in entries)
    ]
    if not labels:
        return []
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return [
        f"{'; '.join(labels[:SHOWN])}{more}: without effect on ssh, which ufw_allow_ssh opens to everyone"
        " before all declared rules. To say yourself who reaches ssh, set ufw_allow_ssh: false and write its rules"
    ]


def _narrows_ssh(entry: Entry, policy: Policy) -> bool:
    if entry.routed or entry.direction != "in" or entry.protocol == "udp":
        return False
    if not any(includes_port(entry.dport, port) for port in policy.ssh_ports):
        return False
    restricted = bool(entry.interface_in) or not {entry.src, entry.dst} <= set(ANYWHERE.values())
    if entry.action == "allow":
        return restricted and entry.dport in map(str, policy.ssh_ports)
    # The very rule that opens ssh, written by the user, takes its place (see `_ssh_rules`).
    return restricted or entry.protocol == "any" or ":" in entry.dport or entry.dport == "any"


def plan(present: Present, policy: Policy) -> Plan:
    """The whole difference between what is there and what is wanted.

    Raises:
        RuleError: rules that contradict each other.
        EntryError: a rules file that can't be understood.
    """
    families: tuple[Family, ...] = FAMILIES if policy.ipv6 else ("4",)
    logging = Logging(
        policy.logging,
        {
            "input": policy.incoming != "allow",
            "output": policy.outgoing != "allow",
            "forward": policy.routed != "allow",
        },
    )
    wanted: dict[str, str] = {
        "defaults": with_settings(present.files.get("defaults", ""), _defaults(policy)),
        "conf": with_settings(present.files.get("conf", ""), {"ENABLED": "yes", "LOGLEVEL": policy.logging}),
    }
    owned: dict[Family, frozenset[str]] = dict(present.state.owned)
    existing: dict[Family, Sequence[Entry]] = {}
    rules: dict[Family, Sequence[Entry]] = {}
    pinned = ""
    for family in families:
        existing[family] = parse_rules(present.files.get(f"rules{family}", ""), FILES[f"rules{family}"])
        ours = _ssh_rules(policy, family) + _declared(policy.rules, family, present=True)
        taken = {entry.match for entry in ours}
        ours += [entry for entry in _published_rules(policy, family) if entry.match not in taken]
        gone = {entry.match for entry in _declared(policy.rules, family, present=False)}
        before = present.state.owned.get(family, frozenset())
        merged = merge(existing[family], ours, gone, before, purge=policy.purge, purge_foreign=policy.purge_foreign)
        pin = _pin(merged, policy, family)
        if pin:
            pinned = describe(pin)
            ours = [pin, *ours]
            merged = [pin, *(entry for entry in merged if entry.match != pin.match)]
        rules[family] = merged
        names = {identity(entry) for entry in merged}
        owned[family] = frozenset({identity(entry) for entry in ours} | (before & names))
        wanted[f"rules{family}"] = render_rules(merged, family, logging)
        block = docker_guard.render_guard(policy.guard, family) if policy.guard else ""
        wanted[f"after{family}"] = docker_guard.with_guard(present.files.get(f"after{family}", ""), block)
    files = {name: text for name, text in wanted.items() if text != present.files.get(name, "")}
    restart = _why_restart(present, policy, files, families)
    return Plan(
        files=files,
        owned=owned,
        rules=rules,
        pinned=pinned,
        restart=restart,
        enable_boot=not present.boots,
        records=owned != {family: present.state.owned.get(family, frozenset()) for family in owned},
        unseen=any(
            family not in present.state.seen
            or present.state.seen[family].files != live.seen("", loaded_text(present.files, family), family).files
            for family in families
        ),
        before=summary(present.files, existing, "" if "defaults" in files else restart, boots=present.boots),
        after=summary({**present.files, **files}, rules, "", boots=True),
    )


def _defaults(policy: Policy) -> dict[str, str]:
    policies = {"INPUT": policy.incoming, "OUTPUT": policy.outgoing, "FORWARD": policy.routed}
    settings = {f"DEFAULT_{chain}_POLICY": f'"{POLICY_WORDS[word]}"' for chain, word in policies.items()}
    return {"IPV6": "yes", **settings}


def _why_restart(present: Present, policy: Policy, files: Mapping[str, str], families: Sequence[Family]) -> str:
    """Why ufw has to stop and start as a whole; empty if loading what changed is enough.

    A stop and start lets everything in for a moment and stalls new connections for up to a second.
    """
    if read_setting(present.files.get("conf", ""), "ENABLED").lower() != "yes":
        return "ufw is not enabled"
    if "defaults" in files:
        return "its defaults change"
    for family in families:
        saved = present.saved.get(family, "")
        if not live.is_loaded(saved, family):
            return f"its IPv{family} rules are not loaded"
        if live.differs(saved, loaded_text(present.files, family), family, present.state.seen.get(family)):
            return f"its IPv{family} rules in the kernel are not those in its files"
        if (
            policy.guard
            and f"after{family}" not in files
            and not live.is_guarding(saved, family, confined=bool(policy.guard.confined))
        ):
            return f"the Docker guard for IPv{family} is not loaded"
    return ""


def loaded_text(files: Mapping[str, str], family: Family) -> str:
    """The part of the files that this role answers for, as it is loaded into the kernel."""
    return files.get(f"rules{family}", "") + docker_guard.guard_of(files.get(f"after{family}", ""))


def _declared(rules: Sequence[Declared], family: Family, *, present: bool) -> list[Entry]:
    return [entry for rule in rules if rule.present is present for entry in rule.entries.get(family, ())]


def _ssh_rules(policy: Policy, family: Family) -> list[Entry]:
    """Rules for the ports of sshd, before all others. A rule that the user wrote for the same traffic replaces ours."""
    if not policy.allow_ssh:
        return []
    declared = [(entry.match, entry.action) for entry in _declared(policy.rules, family, present=True)]
    found: list[Entry] = []
    for port in sorted(policy.ssh_ports):
        # Whoever writes `limit` for ssh himself doesn't mean to count Ansible's connections either.
        limited = policy.ssh_limit or (_allow(port, family, comment="").match, "limit") in declared
        client = [policy.connection.client] if policy.connection and limited else []
        for address in dict.fromkeys([*policy.ssh_exempt, *client]):
            if (":" in address) == (family == "6"):
                found.append(_allow(port, family, source=address, comment=EXEMPT_COMMENT))
        action = "limit" if policy.ssh_limit else "allow"
        found.append(_allow(port, family, action=action, comment=SSH_COMMENT))
    for rule in policy.rules:
        for entry in rule.entries.get(family, ()):
            twin = next((ours for ours in found if ours.match == entry.match), None)
            if twin and (not rule.present or entry.action not in ("allow", "limit")):
                raise RuleError(
                    [
                        f"{rule.label}: shuts a port on which sshd listens, which ufw_allow_ssh opens; to write the"
                        " rules for ssh yourself, set ufw_allow_ssh: false"
                    ]
                )
            if twin:
                found.remove(twin)
    return found


def _published_rules(policy: Policy, family: Family) -> list[Entry]:
    """Rules for published ports that are open to outsiders: where Docker doesn't forward them (IPv6 without its
    `ip6tables`), a process of its own listens, and what goes there is ordinary incoming traffic.
    """
    published = policy.guard.published if policy.guard else ()
    rules = [
        _allow(port.port, family, port.protocol, source=port.sources[family], comment=port.comment or PUBLISHED_COMMENT)
        for port in published
        if family in port.sources
    ]
    declared = {entry.match for rule in policy.rules for entry in rule.entries.get(family, ())}
    return [entry for entry in rules if entry.match not in declared]


def _allow(
    port: int | str, family: Family, protocol: str = "tcp", *, source: str = "", action: str = "allow", comment: str
) -> Entry:
    anywhere = ANYWHERE[family]
    return Entry(action, protocol, str(port), anywhere, "any", source or anywhere, comment=comment)


def _pin(rules: Sequence[Entry], policy: Policy, family: Family) -> Entry | None:
    """A rule that lets the present ssh connection in, if the others would not."""
    connection = policy.connection
    if connection is None or ipaddress.ip_address(connection.client).version != int(family):
        return None
    if verdict(rules, Packet(connection.client, connection.server, connection.port), policy.incoming) == "allow":
        return None
    return _allow(connection.port, family, source=connection.client, comment=PIN_COMMENT)


def verdict(rules: Sequence[Entry], packet: Packet, default: str) -> str:
    """`allow` if the rules are sure to let the packet in, else what the first rule or the default does.

    The interface that it arrives on is not known: a rule bound to one counts if it denies, not if it allows.
    """
    for entry in rules:
        if applies(entry, packet):
            if entry.action in ("deny", "reject"):
                return entry.action
            if not entry.interface_in:
                return "allow"
    return default


def merge(
    existing: Sequence[Entry],
    wanted: Sequence[Entry],
    gone: Collection[tuple[str, ...]],
    owned: Collection[str],
    *,
    purge: bool,
    purge_foreign: bool,
) -> list[Entry]:
    """The wanted rules in their order, and the rules of others where they stood.

    The first time, the wanted rules come before all others. Later, a foreign rule stays behind the rule of ours that it
    stood behind, or in front of all of ours, where fail2ban and `ufw insert 1` put theirs.

    Args:
        existing: the rules now.
        wanted: the rules declared; one that exists already, whoever wrote it, becomes ours.
        gone: matches that shall not exist, whoever wrote them.
        owned: identities of the rules that are ours.
        purge: drop ours that are not wanted any more.
        purge_foreign: drop all others too.
    """
    declared = {entry.match for entry in wanted}
    anchors: dict[tuple[str, ...] | None, list[Entry]] = {None: []}
    anchor: tuple[str, ...] | None = None
    met_ours = False
    for entry in existing:
        is_ours = identity(entry) in owned
        met_ours = met_ours or is_ours
        if entry.match in declared:
            anchor = entry.match if is_ours else anchor
        elif entry.match not in gone and not (purge if is_ours else purge_foreign):
            anchors.setdefault(anchor, []).append(entry)
    first, last = (anchors[None], []) if met_ours else ([], anchors[None])
    merged = list(first)
    for entry in wanted:
        merged += [entry, *anchors.get(entry.match, ())]
    return merged + last


def summary(files: Mapping[str, str], rules: Mapping[Family, Sequence[Entry]], note: str, *, boots: bool) -> str:
    """The policy as lines that a person reads in a diff."""
    words = {word.lower(): name for name, word in POLICY_WORDS.items()}
    defaults = files.get("defaults", "")
    lines = []
    for direction, chain in (("incoming", "INPUT"), ("outgoing", "OUTPUT"), ("routed", "FORWARD")):
        value = read_setting(defaults, f"DEFAULT_{chain}_POLICY").lower()
        lines.append(f"default {direction}: {words.get(value, 'none')}")
    conf = files.get("conf", "")
    enabled = read_setting(conf, "ENABLED").lower() == "yes"
    lines += [
        f"IPv6 enabled: {read_setting(defaults, 'IPV6').lower() or 'none'}",
        f"logging: {read_setting(conf, 'LOGLEVEL').lower() or 'none'}",
        f"enabled: {'yes' if enabled else 'no'}{', at boot too' if enabled and boots else ''}",
    ]
    if note and enabled:
        lines.append(f"running: {note}")
    for family in FAMILIES:
        lines += [f"IPv{family}: {describe(entry)}" for entry in rules.get(family, ())]
    for family in FAMILIES:
        block = docker_guard.guard_of(files.get(f"after{family}", ""))
        lines += [f"IPv{family} guard: {line}" for line in block.splitlines() if line.startswith("-A ")]
    return "\n".join(lines) + "\n"
