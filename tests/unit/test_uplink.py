"""At which addresses a host is, as `ip -json address show` says it."""

import json

from ansible_collections.portside.vps.plugins.module_utils import uplink

ETH0 = [
    {"local": "2001:db8::10", "scope": "global"},
    {"local": "203.0.113.10", "scope": "global"},
    {"local": "2001:db8::aaaa", "scope": "global", "temporary": True},
    {"local": "2001:db8::bbbb", "scope": "global", "deprecated": True},
    {"local": "fe80::1", "scope": "link"},
]
TEXT = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"local": "127.0.0.1", "scope": "host"}]},
        {"ifname": "docker0", "addr_info": [{"local": "172.17.0.1", "scope": "global"}]},
        {"ifname": "veth1"},
        {"ifname": "eth0", "addr_info": ETH0},
    ]
)


def test_addresses_that_stay_and_lead_outside():
    assert uplink.lasting(TEXT, ["eth0"]) == ["203.0.113.10", "2001:db8::10"]
    assert uplink.lasting(TEXT, []) == []
