"""ufw's user.rules and user6.rules: read, and written as ufw 0.36 writes them (ufw/backend_iptables.py)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import (
    CHAIN_PREFIX,
    TUPLE_MARK,
    Entry,
    EntryError,
    Family,
    parse_entry,
    render_entry,
)

LOG_LEVELS = {"off": 0, "low": 100, "medium": 200, "high": 300, "full": 400}
_DIRECTIONS = ("input", "output", "forward")
_LOG_LIMIT = "-m limit --limit 3/min --limit-burst 10"


def parse_rules(text: str, name: str) -> list[Entry]:
    """The rules of a user.rules file, in their order.

    Raises:
        EntryError: a line that ufw would drop the next time it writes the file.
    """
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(TUPLE_MARK):
            try:
                entries.append(parse_entry(line))
            except EntryError as error:
                raise EntryError(
                    f"{name}, line {number}: {error}; ufw itself would skip it. Mend or remove it"
                ) from error
    return entries


@dataclass(frozen=True)
class Logging:
    """What ufw logs: its level, and which of input, output and forward are denied by default."""

    level: str
    denied: Mapping[str, bool]


def render_rules(entries: Iterable[Entry], family: Family, logging: Logging) -> str:
    """The whole file. Loading it with `iptables-restore -n` replaces ufw's user chains in one step."""
    prefix = CHAIN_PREFIX[family]
    chains = [f"{prefix}-user-{direction}" for direction in _DIRECTIONS]
    for place in ("before", "user", "after"):
        chains += [f"{prefix}-{place}-logging-{direction}" for direction in _DIRECTIONS]
    chains += [f"{prefix}-{name}" for name in ("logging-deny", "logging-allow", "user-limit", "user-limit-accept")]
    lines = ["*filter", *(f":{chain} - [0:0]" for chain in chains), "### RULES ###"]
    for entry in entries:
        lines += ["", render_entry(entry, family).rstrip("\n")]
    lines += ["", "### END RULES ###", "", "### LOGGING ###", *_logging_rules(prefix, logging), "### END LOGGING ###"]
    lines += ["", "### RATE LIMITING ###"]
    if logging.level != "off":
        lines.append(f'-A {prefix}-user-limit -m limit --limit 3/minute -j LOG --log-prefix "[UFW LIMIT BLOCK] "')
    lines += [f"-A {prefix}-user-limit -j REJECT", f"-A {prefix}-user-limit-accept -j ACCEPT"]
    lines += ["### END RATE LIMITING ###", "COMMIT", ""]
    return "\n".join(lines)


def _logging_rules(prefix: str, logging: Logging) -> list[str]:
    """The rules that log, by level (`_get_logging_rules`)."""
    level = LOG_LEVELS[logging.level]
    if not level:
        return [f"-I {prefix}-user-logging-{direction} -j RETURN" for direction in _DIRECTIONS]
    rules = []
    limit = f" {_LOG_LIMIT}" if level < LOG_LEVELS["high"] else ""
    for direction in _DIRECTIONS:
        if logging.denied[direction]:
            rules.append(f'-A {prefix}-after-logging-{direction} -j LOG --log-prefix "[UFW BLOCK] "{limit}')
        elif level >= LOG_LEVELS["medium"]:
            rules.append(f'-A {prefix}-after-logging-{direction} -j LOG --log-prefix "[UFW ALLOW] "{limit}')
    deny = f"{prefix}-logging-deny -m conntrack --ctstate INVALID"
    if level < LOG_LEVELS["medium"]:
        rules.append(f"-I {deny} -j RETURN{limit}")
    else:
        rules.append(f'-A {deny} -j LOG --log-prefix "[UFW AUDIT INVALID] "{limit}')
    rules.append(f'-A {prefix}-logging-deny -j LOG --log-prefix "[UFW BLOCK] "{limit}')
    rules.append(f'-A {prefix}-logging-allow -j LOG --log-prefix "[UFW ALLOW] "{limit}')
    if level >= LOG_LEVELS["medium"]:
        audit = "" if level >= LOG_LEVELS["full"] else f" {_LOG_LIMIT}"
        if level < LOG_LEVELS["high"]:
            audit = f" -m conntrack --ctstate NEW{audit}"
        for direction in _DIRECTIONS:
            rules.append(f'-I {prefix}-before-logging-{direction} -j LOG --log-prefix "[UFW AUDIT] "{audit}')
    return rules
