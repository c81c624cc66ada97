"""user.rules and user6.rules as ufw 0.36.2 wrote them on Debian 12 and 13 (the same bytes on both)."""

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import EntryError, Packet, applies, describe
from ansible_collections.portside.vps.plugins.module_utils.ufw.rulesfile import Logging, parse_rules, render_rules

CAPTURED = Path(__file__).parent / "captured"
DENY = {"input": True, "output": False, "forward": True}
OPPOSITE = {"input": False, "output": True, "forward": False}


@pytest.mark.parametrize(
    ("name", "level", "denied"),
    [
        ("many", "low", DENY),
        ("log-off", "off", DENY),
        ("log-medium", "medium", DENY),
        ("log-high", "high", DENY),
        ("log-full", "full", DENY),
        ("policies", "medium", OPPOSITE),
        ("policieslow", "low", OPPOSITE),
    ],
)
def test_what_is_written_is_byte_for_byte_what_ufw_writes(name, level, denied):
    for file, family in ((f"{name}.user.rules", "4"), (f"{name}.user6.rules", "6")):
        path = CAPTURED / file
        if path.exists():
            text = path.read_text()
            assert render_rules(parse_rules(text, file), family, Logging(level, denied)) == text


def test_rules_are_described_as_a_person_would_say_them():
    entries = parse_rules((CAPTURED / "many.user.rules").read_text(), "user.rules")
    assert [describe(entry) for entry in entries] == [
        "allow 22/tcp",
        "limit 2222/tcp # ssh, slowly",
        "allow 53",
        "allow 8000:8010/tcp",
        "deny anything from 192.0.2.0/24",
        "reject out 25/tcp # no mail — ä",
        "reject 113/tcp from 192.0.2.7",
        "reject 9",
        "allow 9100/tcp on eth0",
        "allow out 514/udp to 198.51.100.9 out on eth0",
        "deny anything on eth0",
        "allow log 8443/tcp",
        "deny log-all 22,80/tcp from 203.0.113.9",
        "limit log 2223/tcp",
        "reject log 114/tcp",
        "allow 'SSH' (22/tcp)",
        "allow 'WWW Full' (80,443/tcp)",
        "allow udp from 192.0.2.1 port 53",
        "allow 80,443/tcp from anywhere port 1000:2000",
        "route allow 80/tcp to 172.17.0.2 on eth0 out on docker0 # routed",
        "route deny anything on eth0",
        "route allow anything out on eth0",
        "route allow 5432/tcp from 192.0.2.0/24",
        "allow esp from 192.0.2.3",
        "allow anything to 192.0.2.44",
        "allow out 53",
        "allow anything",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "### tuple ### allow tcp 22",
        "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 sideways",
        "### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in comment=zz",
    ],
)
def test_a_line_that_ufw_would_drop_is_refused_with_its_place(line):
    with pytest.raises(EntryError, match=r"user\.rules, line 2: "):
        parse_rules(f"*filter\n{line}\n", "user.rules")


@pytest.mark.parametrize(
    ("line", "packet", "expected"),
    [
        ("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), True),
        ("allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 23), False),
        ("allow udp 22 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), False),
        ("allow any any 0.0.0.0/0 any 192.0.2.0/24 in", Packet("192.0.2.1", "192.0.2.9", 22), True),
        ("allow any any 0.0.0.0/0 any 192.0.2.0/24 in", Packet("192.0.3.1", "192.0.2.9", 22), False),
        ("deny tcp 20:30 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), True),
        ("deny tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 443), True),
        ("deny tcp 22 198.51.100.1 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), False),
        ("deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 out", Packet("192.0.2.1", "192.0.2.9", 22), False),
        ("route:deny tcp 22 0.0.0.0/0 any 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), False),
        ("deny tcp 22 0.0.0.0/0 4000 0.0.0.0/0 in", Packet("192.0.2.1", "192.0.2.9", 22), False),
    ],
)
def test_which_rule_a_connection_meets(line, packet, expected):
    [entry] = parse_rules(f"### tuple ### {line}\n", "user.rules")
    assert applies(entry, packet) is expected
