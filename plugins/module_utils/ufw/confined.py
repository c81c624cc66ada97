"""Networks of Docker's that are shut, as a user declares them: checked as a whole list."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import RuleError, check_range
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import Family
from ansible_collections.portside.vps.plugins.module_utils.ufw.outbound import Confined, Destination

PROTOCOLS = ("tcp", "udp")
# The kernel's IFNAMSIZ is 16 with the zero at the end; a `+` would be a pattern.
_BRIDGE = re.compile(r"[a-zA-Z0-9_.-]{1,15}")


def destination_problems(item: Mapping[str, Any]) -> list[str]:
    """What is wrong with one destination, the rest of a sentence each."""
    unknown = sorted(set(item) - {"network", "port", "proto"})
    found = [f"`{key}` is unknown: allowed are network, port, proto" for key in unknown]
    network = item.get("network")
    if network in (None, ""):
        found.append("`network` is missing: an address, or a network such as `10.0.0.0/8`")
    else:
        found += [f"`network: {network}` {problem}" for problem in [_network_problem(str(network))] if problem]
    port, protocol = item.get("port"), item.get("proto")
    if port not in (None, ""):
        found += [f"`port: {port}` {problem}" for problem in [check_range(str(port))] if problem]
    if protocol not in (None, "", *PROTOCOLS):
        found.append(f"`proto: {protocol}` is unknown: allowed are {' and '.join(PROTOCOLS)}")
    return found


def _network_problem(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        try:
            return f"has bits set behind its prefix; the network is {ipaddress.ip_network(text, strict=False)}"
        except ValueError:
            return (
                "is no IP address or network in CIDR notation, such as 192.0.2.7 or 2001:db8::/32; a firewall knows no"
                " names, and a name may have another address tomorrow"
            )
    return "names a zone, which no firewall rule can" if "%" in text else ""


def destination(item: Mapping[str, Any]) -> Destination:
    """A destination in which `destination_problems` found nothing. A port without a protocol is of TCP."""
    network = ipaddress.ip_network(str(item["network"]))
    family: Family = "4" if network.version == 4 else "6"
    port = str(item.get("port") or "")
    return Destination(family, str(network), str(item.get("proto") or ("tcp" if port else "")), port)


def declare_confined(items: Sequence[Mapping[str, Any]], name: str = "ufw_docker_egress") -> list[Confined]:
    """Check a list of networks that are shut.

    Raises:
        RuleError: with all that is wrong in the list.
    """
    problems: list[str] = []
    found: dict[str, Confined] = {}
    for number, item in enumerate(items, 1):
        bridge, comment = str(item.get("bridge") or ""), str(item.get("comment") or "")
        where = f"{name}, item {number} ({bridge or 'no bridge'})"
        wrong = []
        if not _BRIDGE.fullmatch(bridge):
            wrong.append("`bridge` is the name of the network's bridge, 1 to 15 letters, digits, `_`, `.` and `-`")
        if bridge in found:
            wrong.append("stands in the list twice")
        if not comment.isprintable():
            wrong.append("a comment can't hold a control character")
        for position, place in enumerate(item.get("to") or (), 1):
            wrong += [f"`to` item {position}: {problem}" for problem in destination_problems(place)]
        problems += [f"{where}: {problem}" for problem in wrong]
        if not wrong:
            found[bridge] = Confined(bridge, tuple(map(destination, item.get("to") or ())), comment)
    if problems:
        raise RuleError(problems)
    return list(found.values())
