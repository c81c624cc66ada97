"""Whether the Docker engine on this host can be guarded through DOCKER-USER."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import DOCKER_CHAIN

DAEMON_FILE = "/etc/docker/daemon.json"
_FALSE = ("0", "f", "false")


def daemon_options(daemon_json: str, command_line: Sequence[str]) -> dict[str, Any]:
    """The engine's options: those of its file, then those of its command line (the engine refuses one in both).

    Args:
        daemon_json: text of daemon.json; empty if there is none.
        command_line: argv of a running dockerd; empty if none runs.
    """
    options: dict[str, Any] = {}
    try:
        content = json.loads(daemon_json or "{}")
    except ValueError:
        content = {}  # the engine won't start with it either
    if isinstance(content, Mapping):
        options.update(content)
    rest = list(command_line[1:])
    for position, argument in enumerate(rest):
        if argument.startswith("-"):
            name, equals, value = argument.lstrip("-").partition("=")
            after = rest[position + 1] if position + 1 < len(rest) else ""
            options[name] = value if equals else (after if after and not after.startswith("-") else True)
    return options


def why_unguardable(options: Mapping[str, Any], *, running: bool, filter_rules: str) -> str:
    """Why the guard would not be asked, and what to do; empty if it is.

    Args:
        options: the engine's options.
        running: whether the engine runs.
        filter_rules: `iptables-save -t filter`.
    """
    if str(options.get("iptables", True)).lower() in _FALSE:
        return (
            f"Docker is told not to write firewall rules (iptables: false in {DAEMON_FILE} or on dockerd's command"
            f" line), so it doesn't ask {DOCKER_CHAIN}. Remove that option and restart Docker: without it containers"
            " have no way out, and the guard does what it was meant for"
        )
    backend = str(options.get("firewall-backend", "iptables"))
    if backend == "nftables":
        return (
            f"Docker uses its nftables backend (firewall-backend: nftables in {DAEMON_FILE} or on dockerd's command"
            f" line), which has no {DOCKER_CHAIN} chain. Set it to iptables and restart Docker"
        )
    if running and f"-A FORWARD -j {DOCKER_CHAIN}" not in filter_rules.splitlines():
        return (
            f"Docker runs, but the FORWARD chain that `iptables` shows doesn't ask {DOCKER_CHAIN}. Either Docker writes"
            " its rules with the other of iptables-nft and iptables-legacy (see `update-alternatives --display"
            " iptables`), or something flushed them: `systemctl restart docker` writes them again"
        )
    return ""
