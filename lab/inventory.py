"""The inventory of a lab, as Ansible, Molecule and Testinfra read it."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import pki, services, ssh
from lab.addresses import SERVICES, Subnets

ROOT_CERTIFICATE = "acme-root.pem"


@dataclass(frozen=True)
class Vps:
    """A host of the lab: its name, its number in the subnets, and its operating system."""

    name: str
    number: int
    release: str


def inventory(lab_name: str, state: Path, sockets: Path, subnets: Subnets, hosts: list[Vps]) -> dict[str, Any]:
    """The inventory as data: group `vps` with the servers, group `outside` with the client."""
    client = SERVICES["client"]
    return {
        "all": {
            "vars": {
                "ansible_user": "root",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_ssh_common_args": f"-F {shlex.quote(str(state / ssh.CONFIG))}",
                "ansible_control_path_dir": str(sockets),
                "lab_name": lab_name,
                "lab_ssh_config": str(state / ssh.CONFIG),
                "lab_acme_directory": services.ACME_DIRECTORY,
                "lab_acme_management": f"https://{services.ACME_NAME}:{services.ACME_MANAGEMENT_PORT}",
                "lab_acme_ca_file": str(state / pki.CA),
                "lab_acme_root": str(state / ROOT_CERTIFICATE),
                "lab_registry": services.REGISTRY,
                "lab_registry_login": services.REGISTRY_LOGIN,
                "lab_registry_user": services.REGISTRY_USER,
                "lab_registry_password": services.REGISTRY_PASSWORD,
                "lab_dns": subnets.ipv4(SERVICES["dns"]),
                "lab_ipv4_subnet": str(subnets.v4),
                "lab_ipv6_subnet": str(subnets.v6),
                "lab_ipv6": True,
                "lab_client_ipv4": subnets.ipv4(client),
                "lab_client_ipv6": subnets.ipv6(client),
            },
            "children": {
                "vps": {
                    "hosts": {
                        host.name: {
                            "ansible_host": subnets.ipv4(host.number),
                            "lab_domain": f"{host.name}.test",
                            "lab_release": host.release,
                            "lab_ipv4": subnets.ipv4(host.number),
                            "lab_ipv6_address": subnets.ipv6(host.number),
                        }
                        for host in hosts
                    }
                },
                "outside": {"hosts": {"client": {"ansible_host": subnets.ipv4(client)}}},
            },
        }
    }


def render(data: dict[str, Any]) -> str:
    """The inventory as YAML."""
    return "---\n" + yaml.safe_dump(data, sort_keys=False)
