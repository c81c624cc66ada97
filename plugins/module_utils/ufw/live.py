"""The firewall that the kernel really has, read from iptables-save."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.ufw import outbound
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import CHAIN_PREFIX, Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import (
    CHAIN,
    DOCKER_CHAIN,
    INNER_CHAIN,
    SECOND_TABLE,
)


def _table(saved: str, name: str) -> list[str]:
    found = re.search(rf"^\*{name}$(.*?)^COMMIT$", saved, re.MULTILINE | re.DOTALL)
    return found[1].splitlines() if found else []


def is_loaded(saved: str, family: Family) -> bool:
    """Whether ufw's chains are filled and asked. After `ufw disable` they linger, empty."""
    prefix = CHAIN_PREFIX[family]
    lines = set(_table(saved, "filter"))
    return {f"-A INPUT -j {prefix}-before-input", f"-A {prefix}-before-input -j {prefix}-user-input"} <= lines


def is_guarding(saved: str, family: Family, *, confined: bool = False) -> bool:
    """Whether DOCKER-USER asks the guard before anything lets a packet by, and for IPv6 the second lock is shut too.

    `confined`: there are networks that are shut, and what they send to the host itself has to be asked about.
    """
    if confined and f"-A INPUT -j {outbound.HOST_CHAIN}" not in _table(saved, SECOND_TABLE):
        return False
    if family == "6" and f"-A FORWARD -j {CHAIN}" not in _table(saved, SECOND_TABLE):
        return False
    lines = _table(saved, "filter")
    for line in lines:
        if line == f"-A {DOCKER_CHAIN} -j {CHAIN}":
            return f"-A {CHAIN} -j DROP" in lines
        if re.fullmatch(rf"-A {DOCKER_CHAIN} -j (RETURN|ACCEPT)", line):
            return False
    return False


def strangers_in_second_table(saved: str, chain: str) -> list[str]:
    """Rules of FORWARD or INPUT that the guard would flush and that are not its own."""
    own = {"FORWARD": CHAIN, "INPUT": outbound.HOST_CHAIN}[chain]
    rules = [line for line in _table(saved, SECOND_TABLE) if line.startswith(f"-A {chain} ")]
    return [line for line in rules if line != f"-A {chain} -j {own}"]


@dataclass(frozen=True)
class Seen:
    """Hashes of the files and of the kernel's rules at one moment, when the one had just been loaded into the other."""

    files: str
    kernel: str


def seen(saved: str, files: str, family: Family) -> Seen:
    """What to remember after loading. `files` is the text of user.rules and of the guard's block."""
    return Seen(hashlib.sha256(files.encode()).hexdigest(), fingerprint(saved, family))


def differs(saved: str, files: str, family: Family, known: Seen | None) -> bool:
    """Whether the kernel has other rules than the files say.

    Exact where the files are those of the last time. Where somebody has used ufw since, the rules are counted, because
    the kernel spells them differently.
    """
    now = seen(saved, files, family)
    if known and known.files == now.files:
        return known.kernel != now.kernel
    kernel = "\n".join([*_table(saved, "filter"), *_table(saved, SECOND_TABLE)])
    return _counted(kernel, family) != _counted(files, family)


def _counted(rules: str, family: Family) -> Counter[str]:
    chains = (
        rf"^-A ({CHAIN_PREFIX[family]}-user-(?:input|output|forward)|{CHAIN}|{INNER_CHAIN}"
        rf"|{outbound.HOST_CHAIN}|{outbound.CHAIN}\S+) "
    )
    return Counter(re.findall(chains, rules, re.MULTILINE))


def fingerprint(saved: str, family: Family) -> str:
    """A hash of what this role answers for in the running firewall, equal as long as nobody touches that.

    Left out is what others may change: counters, the rules of Docker and fail2ban, Docker's place in FORWARD.
    """
    prefix = CHAIN_PREFIX[family]
    ours = re.compile(
        rf"-A (?:{prefix}-user-(?:input|output|forward|limit|limit-accept)|{CHAIN}|{outbound.CHAIN}\S+) "
        rf"|-A {prefix}-before-\w+ -j {prefix}-user-"
        rf"|-A (?:INPUT|OUTPUT|FORWARD) -j {prefix}-"
        rf"|-A {DOCKER_CHAIN} -j {CHAIN}$"
        r"|:(?:INPUT|OUTPUT) "
    )
    lines = [re.sub(r" \[\d+:\d+\]$", "", line) for line in _table(saved, "filter") if ours.match(line)]
    second = re.compile(
        rf"-A (?:FORWARD -j |INPUT -j )?({CHAIN}|{INNER_CHAIN}|{outbound.HOST_CHAIN}|{outbound.CHAIN}\S+)(?: |$)"
    )
    lines += [line for line in _table(saved, SECOND_TABLE) if second.match(line)]
    # The order of chains is nobody's promise, that of rules in a chain is.
    lines.sort(key=lambda line: line.split()[:2])
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
