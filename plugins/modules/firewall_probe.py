#!/usr/bin/python
"""Ansible module: ports of other machines, tried from here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: firewall_probe
short_description: Ports of other machines are tried from here
version_added: 0.1.0
description:
  - Opens a TCP connection to each target, many at a time, and closes it again; nothing is sent.
  - To a UDP port an empty datagram is sent. Silence then says nothing, because most services don't answer one.
options:
  targets:
    description: What to try.
    type: list
    elements: dict
    required: true
    options:
      address: {description: IPv4 or IPv6 address., type: str, required: true}
      port: {description: The port., type: int, required: true}
      protocol: {description: The transport., type: str, choices: [tcp, udp], default: tcp}
  timeout: {description: Seconds to wait for an answer., type: float, default: 3}
attributes:
  check_mode: {support: full, description: 'Changes nothing, and tries for real.'}
  diff_mode: {support: none}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Two ports have been tried from the controller
  portside.vps.firewall_probe:
    targets:
      - {address: 192.0.2.1, port: 22}
      - {address: "2001:db8::1", port: 443}
  delegate_to: localhost
"""

RETURN = r"""
results:
  description:
    - The targets in their order, each with C(answer) and C(source), the address from here that it would see.
    - An answer is V(open), V(refused), V(silent), or V(unreachable) where there is no way to the address.
  type: list
  elements: dict
  returned: always
"""

import errno
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule, no_traceback
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import OPEN, REFUSED, SILENT, UNREACHABLE

WORKERS = 64
# No route from here (EADDRNOTAVAIL: no address of that family); what a firewall's ICMP answers say is a refusal.
NO_WAY = (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def _probe(target: dict[str, Any], timeout: float) -> dict[str, Any]:
    address, port = target["address"], target["port"]
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    kind = socket.SOCK_STREAM if target["protocol"] == "tcp" else socket.SOCK_DGRAM
    source = ""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as route:
            route.connect((address, port))
            source = str(route.getsockname()[0])
        with socket.socket(family, kind) as attempt:
            attempt.settimeout(timeout)
            attempt.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                attempt.send(b"")
                attempt.recv(1)
        answer = OPEN
    except TimeoutError:
        answer = SILENT
    except OSError as error:
        answer = UNREACHABLE if error.errno in NO_WAY else REFUSED
    return {**target, "answer": answer, "source": source}


@no_traceback
def main() -> None:
    """Run the module."""
    module = TellingModule(
        argument_spec={
            "targets": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "address": {"type": "str", "required": True},
                    "port": {"type": "int", "required": True},
                    "protocol": {"type": "str", "choices": ["tcp", "udp"], "default": "tcp"},
                },
            },
            "timeout": {"type": "float", "default": 3.0},
        },
        supports_check_mode=True,
    )
    targets, timeout = module.params["targets"], module.params["timeout"]
    with ThreadPoolExecutor(WORKERS) as pool:
        results = list(pool.map(lambda target: _probe(target, timeout), targets))
    module.exit_json(changed=False, results=results)


if __name__ == "__main__":
    main()
