"""The host: what listens on it, what Docker publishes, and at which addresses outsiders can try."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.files import read_text
from ansible_collections.portside.vps.plugins.module_utils.ufw import host, live
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import FAMILIES, Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import (
    Declared,
    Socket,
    forwarded_ports,
    parse_proc_net,
    published_ports,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import guard_of
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import FILES
from ansible_collections.portside.vps.plugins.module_utils.ufw.rulesfile import parse_rules
from ansible_collections.portside.vps.plugins.module_utils.ufw.settings import POLICY_WORDS, read_setting

# Docker's own listeners, beside the containers' that they serve.
PROXY = "docker-proxy"
# The kernel, or a process in another namespace.
NOBODY = "no process of this host"


def sockets() -> list[Socket]:
    """All that waits for connections: sockets of the host, and what Docker publishes."""
    waiting: dict[str, tuple[str, str, int]] = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        protocol = table[:3]
        text = read_text(Path("/proc/net") / table) or ""
        waiting.update({inode: (protocol, *place) for inode, place in parse_proc_net(text, protocol).items()})
    owners = _owners()
    published = published_ports(host.ask_docker("/containers/json"))
    own = [Socket(*place, who=owners.get(inode, NOBODY)) for inode, place in waiting.items()]
    known = {(one.protocol, one.port) for one in published}
    return [*(one for one in own if one.who != PROXY or (one.protocol, one.port) not in known), *published]


def _owners() -> dict[str, str]:
    """Inode of a socket -> name of the process that has it."""
    found: dict[str, str] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may be gone by now
            name = (process / "comm").read_text().strip()
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    kind, _, inode = os.readlink(link).partition(":")
                    if kind == "socket":
                        found.setdefault(inode.strip("[]"), name)
    return found


def declared() -> dict[Family, Declared]:
    """The firewall as ufw's files declare it, for each address family that the kernel has."""
    present = host.present()
    words = {value: word for word, value in POLICY_WORDS.items()}
    defaults = present.files["defaults"]
    enabled = read_setting(present.files["conf"], "ENABLED").lower() == "yes"
    found = {}
    for family in FAMILIES if host.has_ipv6() else FAMILIES[:1]:
        name = f"rules{family}"
        found[family] = Declared(
            rules=parse_rules(present.files[name], FILES[name]),
            incoming=words.get(read_setting(defaults, "DEFAULT_INPUT_POLICY"), "allow"),
            guard=guard_of(present.files[f"after{family}"]),
            forwarded=forwarded_ports(present.saved[family]),
            active=enabled and live.is_loaded(present.saved[family], family),
            owned=present.state.owned.get(family) or None,
        )
    return found
