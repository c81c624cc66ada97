"""Addresses of a lab: derived, stable, and away from what the machine routes."""

import ipaddress

import pytest

from lab import addresses
from lab.addresses import Subnets

# /proc/net/route of a machine with a default route, its LAN, Docker's bridge and a lab's network.
ROUTES = (
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "br-1\t005413C6\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
)


def test_routes_are_read_without_the_default() -> None:
    assert [str(network) for network in addresses.routes(ROUTES)] == [
        "172.17.0.0/16",
        "192.0.2.0/24",
        "198.19.84.0/24",
    ]


def test_a_lab_keeps_its_subnet_and_labs_differ() -> None:
    first, again, other = (next(addresses.ipv4_candidates(lab, [])) for lab in ("a.demo", "a.demo", "b.demo"))
    assert first == again != other
    assert first.subnet_of(addresses.POOL)
    assert addresses.ipv6_subnet("a.demo") != addresses.ipv6_subnet("b.demo")


def test_ipv6_is_a_unique_local_64() -> None:
    subnet = addresses.ipv6_subnet("a.demo")
    assert subnet.prefixlen == 64
    assert subnet.subnet_of(ipaddress.IPv6Network("fd00::/8"))


def test_what_is_taken_is_not_offered() -> None:
    wanted = next(addresses.ipv4_candidates("a.demo", []))
    offered = list(addresses.ipv4_candidates("a.demo", [wanted]))
    assert wanted not in offered
    assert len(offered) == 511
    assert list(addresses.ipv4_candidates("a.demo", [ipaddress.IPv4Network("0.0.0.0/1"), addresses.POOL])) == []


def test_addresses_of_a_host() -> None:
    subnets = Subnets(ipaddress.IPv4Network("198.18.7.0/24"), ipaddress.IPv6Network("fd00:1:2:3::/64"))
    assert (subnets.ipv4(11), subnets.ipv6(11)) == ("198.18.7.11", "fd00:1:2:3::b")


@pytest.mark.parametrize(("used", "number"), [([], 11), ([11, 12], 13), ([12], 11), ([11, 53], 12)])
def test_a_new_host_gets_the_lowest_free_number(used: list[int], number: int) -> None:
    assert addresses.free_number(used) == number


def test_a_full_lab_says_so() -> None:
    with pytest.raises(ValueError, match="at most 39 hosts"):
        addresses.free_number(range(11, 50))


def test_services_are_not_among_the_hosts() -> None:
    numbers = addresses.SERVICES.values()
    assert len(set(numbers)) == len(numbers)
    assert not set(numbers) & set(range(addresses.FIRST_VPS, addresses.LAST_VPS + 1))
