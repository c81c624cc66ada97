"""What stands around the servers: DNS, the ACME server, a registry, and the client that is the internet."""

import json
import ssl
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lab import pki
from lab.addresses import SERVICES, Subnets
from lab.containers import Container, File
from lab.errors import LabError

ACME_NAME = "acme.lab.test"
ACME_DIRECTORY = f"https://{ACME_NAME}:14000/dir"
ACME_MANAGEMENT_PORT = 15000
REGISTRY = "registry.lab.test:5000"
# The same images, for those who log in.
REGISTRY_LOGIN = "registry.lab.test:5001"
REGISTRY_USER = "lab"
REGISTRY_PASSWORD = "registry-password-of-the-lab"
# htpasswd -nbB; docker-registry takes bcrypt alone.
REGISTRY_HTPASSWD = "$2b$04$mC8esJsIDrJocIB/SKOAMe.Wwe/jMpA4N0xJLH4Ag2XEURdK/7Uu6"
# Names under it are what challtestsrv's management API (port 8055) says they are.
DELEGATED_ZONE = "dns.test"

# It is here for its DNS server; the other challenge servers and made-up answers would only hide mistakes.
CHALLTESTSRV_OFF = ("http01", "https01", "tlsalpn01", "defaultIPv4", "defaultIPv6")

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class AcmeOptions:
    """How the ACME server behaves: `environment` holds Pebble's PEBBLE_* switches, `validity` is in seconds."""

    environment: tuple[tuple[str, str], ...] = (("PEBBLE_VA_NOSLEEP", "1"),)
    validity: int = 90 * 24 * 3600


def dns_configuration(subnets: Subnets, hosts: dict[str, int]) -> str:
    """dnsmasq's configuration: a wildcard domain for each host (name -> number), the services, a delegated zone.

    Everything else goes to the machine's resolver, by way of Docker's.
    """
    lines = ["keep-in-foreground", "no-hosts", "log-facility=-", "user=root", "cache-size=0", "local=/test/"]
    names = {f"{host}.test": number for host, number in hosts.items()}
    names |= {f"{service}.lab.test": number for service, number in SERVICES.items()}
    for name, number in names.items():
        lines += [f"address=/{name}/{subnets.ipv4(number)}", f"address=/{name}/{subnets.ipv6(number)}"]
    lines.append(f"server=/{DELEGATED_ZONE}/{subnets.ipv4(SERVICES['challtestsrv'])}")
    return "\n".join(lines) + "\n"


def pebble_configuration(options: AcmeOptions) -> str:
    """Pebble's configuration. It validates on the ports that a real ACME server uses."""
    settings = {
        "listenAddress": "[::]:14000",
        "managementListenAddress": f"[::]:{ACME_MANAGEMENT_PORT}",
        "certificate": "/etc/pebble/server.pem",
        "privateKey": "/etc/pebble/server.key",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "certificateValidityPeriod": options.validity,
    }
    return json.dumps({"pebble": settings}, indent=2) + "\n"


REGISTRY_CONFIGURATION = """\
version: 0.1
log: {level: warn}
storage:
  filesystem: {rootdirectory: /var/lib/docker-registry}
  delete: {enabled: true}
http: {addr: ":5000"}
"""
REGISTRY_LOGIN_CONFIGURATION = (
    REGISTRY_CONFIGURATION.replace(":5000", ":5001")
    + "auth: {htpasswd: {realm: lab, path: /etc/lab-registry.htpasswd}}\n"
)


def services(
    *, state: Path, image: str, subnets: Subnets, hosts: dict[str, int], acme: AcmeOptions, public_key: bytes
) -> list[Container]:
    """The service containers of a lab with these hosts (name -> number). Writes the ACME endpoint's key to `state`."""
    dns = subnets.ipv4(SERVICES["dns"])
    acme_addresses = [subnets.ipv4(SERVICES["acme"]), subnets.ipv6(SERVICES["acme"])]
    certificate, key = pki.ensure_endpoint(state, ACME_NAME, acme_addresses)
    resolver: dict[str, Any] = {"dns": [dns]}

    def service(
        host: str, command: list[str], *files: File, settings: Mapping[str, Any] = _NONE, **host_config: Any
    ) -> Container:
        return Container(
            host,
            SERVICES[host],
            image,
            settings={"command": command, **settings},
            host_config={"init": True, **host_config},
            files=files,
        )

    return [
        service(
            "dns",
            ["dnsmasq", "--conf-file=/etc/lab-dns.conf"],
            File("/etc/lab-dns.conf", dns_configuration(subnets, hosts).encode()),
        ),
        service(
            "challtestsrv",
            [
                "pebble-challtestsrv",
                "-dns01=:53",
                "-http01=",
                "-https01=",
                "-tlsalpn01=",
                "-defaultIPv4=",
                "-defaultIPv6=",
            ],
        ),
        service(
            "acme",
            ["pebble", "-config", "/etc/pebble/config.json", "-dnsserver", f"{dns}:53"],
            File("/etc/pebble/config.json", pebble_configuration(acme).encode()),
            File("/etc/pebble/server.pem", certificate),
            File("/etc/pebble/server.key", key, 0o600),
            settings={"environment": dict(acme.environment)},
            **resolver,
        ),
        service(
            "registry",
            [
                *("sh", "-c"),
                "docker-registry serve /etc/lab-registry-login.yml & exec docker-registry serve /etc/lab-registry.yml",
            ],
            File("/etc/lab-registry.yml", REGISTRY_CONFIGURATION.encode()),
            File("/etc/lab-registry-login.yml", REGISTRY_LOGIN_CONFIGURATION.encode()),
            File("/etc/lab-registry.htpasswd", f"{REGISTRY_USER}:{REGISTRY_HTPASSWD}\n".encode()),
            # Docker trusts a plain registry on loopback only: images are pushed through this port.
            settings={"ports": [5000]},
            port_bindings={5000: ("127.0.0.1",)},
            **resolver,
        ),
        service(
            "client",
            ["/sbin/lab-client"],
            File("/root/.ssh/authorized_keys", public_key, 0o600),
            # A neighbour on the same link may set any route it likes.
            cap_add=["NET_ADMIN"],
            **resolver,
        ),
    ]


def issuing_root(state: Path, address: str, seconds: float = 30) -> bytes:
    """The root (PEM) of the certificates that the ACME server issues, asked of the server at `address`.

    Pebble makes a new one whenever it starts. Raises LabError when there is no answer within `seconds`.
    """
    context = ssl.create_default_context(cafile=str(state / pki.CA))
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(
                f"https://{address}:{ACME_MANAGEMENT_PORT}/roots/0", timeout=5, context=context
            ) as answer:
                root: bytes = answer.read()
                return root
        except OSError as error:
            if time.monotonic() > deadline:
                raise LabError(
                    f"the ACME server at {address} did not answer within {seconds:.0f} s: {error}"
                ) from error
            time.sleep(0.2)
