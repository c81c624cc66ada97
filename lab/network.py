"""A lab's dual-stack network."""

import ipaddress
from pathlib import Path
from typing import Any

import docker.errors
from docker.types import IPAMConfig, IPAMPool

from lab import addresses
from lab.addresses import Subnets
from lab.errors import LabError
from lab.identity import Lab
from lab.machine import default_mtu


def find(engine: Any, lab: Lab) -> Any | None:
    """The lab's network, or None."""
    # The filter matches parts of names too.
    return next((n for n in engine.networks.list(names=[lab.network]) if n.name == lab.network), None)


def subnets(network: Any) -> Subnets:
    """The subnets of an existing lab network."""
    pools = [ipaddress.ip_network(pool["Subnet"]) for pool in network.attrs["IPAM"]["Config"]]
    v4 = next(pool for pool in pools if isinstance(pool, ipaddress.IPv4Network))
    v6 = next(pool for pool in pools if isinstance(pool, ipaddress.IPv6Network))
    return Subnets(v4, v6)


def ensure(engine: Any, lab: Lab) -> Subnets:
    """Create the lab's network unless it exists. Raises LabError when no subnet is free."""
    network = find(engine, lab)
    if network is not None:
        return subnets(network)
    taken = addresses.routes(Path("/proc/net/route").read_text())
    refusal = ""
    for v4 in addresses.ipv4_candidates(lab.id, taken):
        wanted = Subnets(v4, addresses.ipv6_subnet(lab.id))
        try:
            _create(engine, lab, wanted)
        except docker.errors.APIError as error:
            refusal = str(error.explanation)
            if "overlap" not in refusal.lower():
                raise LabError(f"Docker refused the network {lab.network}: {refusal}") from error
        else:
            return wanted
    raise LabError(f"no subnet of {addresses.POOL} is free: {refusal or 'all are routed already'}")


def _create(engine: Any, lab: Lab, wanted: Subnets) -> None:
    pools = [
        IPAMPool(subnet=str(wanted.v4), gateway=wanted.ipv4(addresses.GATEWAY)),
        IPAMPool(subnet=str(wanted.v6), gateway=wanted.ipv6(addresses.GATEWAY)),
    ]
    engine.networks.create(
        lab.network,
        driver="bridge",
        enable_ipv6=True,
        ipam=IPAMConfig(pool_configs=pools),
        labels=lab.labels,
        options={"com.docker.network.driver.mtu": str(default_mtu())},
    )
