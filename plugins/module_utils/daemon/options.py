"""The Docker daemon's options: what is wanted, what can't be, and how a running daemon takes the difference."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import telltale, unit_files
from ansible_collections.portside.vps.plugins.module_utils.quiet import without_logins
from ansible_collections.portside.vps.plugins.module_utils.shape import plain

Options = dict[str, Any]

# What dockerd takes at a SIGHUP: docs.docker.com/reference/cli/dockerd, "Configuration reload behavior". All else needs
# a restart.
RELOADABLE = frozenset(
    [
        "authorization-plugins",
        "debug",
        "default-runtime",
        "features",
        "insecure-registries",
        "labels",
        "live-restore",
        "max-concurrent-downloads",
        "max-concurrent-uploads",
        "max-download-attempts",
        "registry-mirrors",
        "runtimes",
        "shutdown-timeout",
    ]
)
# The drivers whose rotation the default log options are for.
ROTATING = frozenset(["local", "json-file"])
RELOAD, RESTART = "reload", "restart"
DROP_IN_MARKER = "# Managed by Ansible (portside.vps.docker). The role's next run undoes what is changed here."


def _combined(base: Mapping[str, Any], above: Mapping[str, Any]) -> Options:
    found = dict(base)
    for key, value in above.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = _combined(found[key], value)
        else:
            found[key] = plain(value)
    return found


def merged(defaults: Mapping[str, Any], options: Mapping[str, Any]) -> Options:
    """The options for daemon.json: the user's over the defaults, dictionaries key by key; null removes a default.

    The default `log-opts` are for the drivers that write files: with another `log-driver` they go, because Docker
    refuses to start a container whose driver does not know an option.
    """
    base = dict(defaults)
    if options.get("log-driver", base.get("log-driver")) not in ROTATING:
        base.pop("log-opts", None)
    found = _combined(base, options)
    if isinstance(found.get("log-opts"), Mapping):
        # Docker wants text here, where YAML makes numbers and booleans of it.
        found["log-opts"] = {key: _word(value) for key, value in found["log-opts"].items()}
    return found


def _word(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def problems(options: Mapping[str, Any], swarm: bool) -> list[str]:
    """What is known to break the host, a sentence each.

    Args:
        options: as they would stand in daemon.json.
        swarm: whether the host is part of a swarm.
    """
    found = []
    for key in ("iptables", "ip6tables"):
        if options.get(key) is False and (key == "iptables" or options.get("ipv6")):
            found.append(
                f"`{key}: false` takes containers their way out, and published ports their way in. Leave it alone: "
                "what may be reached from outside is decided in the firewall, in the chain DOCKER-USER"
            )
    if "hosts" in options:
        found.append(
            "`hosts` stands in the unit's command line already (-H fd://); dockerd does not start when both say it: "
            "write a drop-in for docker.service if it must listen elsewhere. Over TCP it gives away root"
        )
    if swarm and options.get("live-restore"):
        found.append(
            "`live-restore: true` does not go together with swarm mode: set `live-restore: false` on this host"
        )
    logs = options.get("log-opts")
    if logs is not None and not isinstance(logs, Mapping):
        found.append("`log-opts` is a dictionary of names and values")
    return found


def steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What a running daemon needs to take the new options.

    With `live-restore` newly on, it is reloaded before it is restarted: without that, the restart would stop every
    container that runs.
    """
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    if not changed:
        return []
    if changed <= RELOADABLE:
        return [RELOAD]
    return [RELOAD, RESTART] if "live-restore" in changed and after.get("live-restore") else [RESTART]


def render(options: Mapping[str, Any]) -> str:
    """The text of daemon.json."""
    return json.dumps(options, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def drop_in(variables: Mapping[str, Any]) -> str | None:
    """The text of the unit's drop-in with the daemon's variables; None where there are none."""
    if not variables:
        return None
    lines = unit_files.environment_lines({name: str(value) for name, value in variables.items()})
    return "\n".join([DROP_IN_MARKER, "[Service]", *lines]) + "\n"


def parse(text: str | None) -> Options | None:
    """The options in a daemon.json; None where there is none, or where it is not one."""
    try:
        found = json.loads(text) if text else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def passwords(value: Any) -> set[str]:
    """The passwords of all URLs in the options, encoded as they stand there, and tokens of the log driver."""
    return {*telltale.secrets(value)}


def shown(before: str | None, after: str | None) -> tuple[str, str]:
    """A file before and after, for a diff: without passwords and tokens. A text without any is shown as it stands."""
    options = parse(before), parse(after)
    first, second = telltale.shown(*options)
    return (
        without_logins(before or "") if first is None or first == options[0] else render(first),
        without_logins(after or "") if second is None or second == options[1] else render(second),
    )


def unknown(said: str, marker: str) -> list[str]:
    """The options that dockerd does not know, from its message; `marker` is one that was put in to be refused."""
    found = re.search(r"don't match any configuration option: (.+)", said)
    return [name for name in re.split(r",\s*", found[1].strip()) if name != marker] if found else []
