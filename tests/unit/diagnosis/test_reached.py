"""Which addresses DNS is compared with, and where somebody outside knocks."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.filter import diagnosis as filters
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import addresses

NAMES = {
    "web1": ["8.8.4.4", "2a00:1::4"],
    "inside": ["10.0.0.5"],
    "loop": ["127.0.0.1", "::1"],
}


@pytest.mark.parametrize(
    ("own", "declared", "ansible_host", "expected"),
    [
        (["8.8.8.8", "2a00:1::1"], [], "web1", ["8.8.8.8", "2a00:1::1"]),
        (["10.0.0.5"], [], "8.8.8.8", ["8.8.8.8"]),
        (["10.0.0.5", "fd00::5"], [], "10.0.0.5", ["10.0.0.5", "fd00::5"]),
        (["10.0.0.5"], ["9.9.9.9"], "8.8.8.8", ["9.9.9.9"]),
        ([], [], "8.8.8.8", ["8.8.8.8"]),
        # Private ones beside a public one of the other family.
        (["8.8.8.8", "fd00::5"], [], "8.8.8.8", ["8.8.8.8"]),
        (["10.0.0.5", "2a00:1::1"], [], "2a00:1::1", ["2a00:1::1"]),
        # A name is looked up where the host does not know better.
        ([], [], "web1", ["8.8.4.4", "2a00:1::4"]),
        ([], [], "inside", ["10.0.0.5"]),
        ([], [], "loop", []),
        ([], [], "unknown", []),
        (["10.0.0.5"], [], "web1", ["8.8.4.4"]),
        (["8.8.8.8"], [], "web1", ["8.8.8.8"]),
        (["10.0.0.5", "2a00:1::1"], [], "web1", ["2a00:1::1", "8.8.4.4"]),
    ],
)
def test_the_addresses_are_those_that_the_internet_knows(own, declared, ansible_host, expected):
    assert addresses.reached(own, declared, ansible_host, lambda name: NAMES.get(name, [])) == expected


def test_the_filter_asks_the_controllers_resolver():
    assert filters.diagnose_addresses([], [], "localhost") == []
    assert filters.diagnose_addresses([], ["9.9.9.9"], "localhost") == ["9.9.9.9"]
    assert "127.0.0.1" in addresses.resolve("localhost")


@pytest.mark.parametrize(
    ("known", "named", "expected"),
    [
        (["8.8.8.8"], ["9.9.9.9"], ["8.8.8.8"]),
        ([], ["9.9.9.9", "9.9.9.9"], ["9.9.9.9"]),
        (["10.0.0.5"], ["9.9.9.9", "10.0.0.5"], ["9.9.9.9"]),
        (["10.0.0.5"], ["10.0.0.9"], ["10.0.0.5"]),
    ],
)
def test_without_a_public_address_of_the_host_those_of_its_names_are_tried(known, named, expected):
    assert addresses.to_try(known, named) == expected
