"""Lists of rules: what is accepted, and what is said about the rest."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import (
    RuleError,
    check_interfaces,
    check_timeout,
    declare,
    declare_addresses,
    declare_published,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import describe


def described(item):
    """Each family with its rules in words."""
    [rule] = declare([item], interfaces=["lo", "eth0"])
    return {family: [describe(entry) for entry in entries] for family, entries in rule.entries.items()}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"port": 80}, {"4": ["allow 80"], "6": ["allow 80"]}),
        (
            {"port": "443", "proto": "tcp", "comment": "web"},
            {"4": ["allow 443/tcp # web"], "6": ["allow 443/tcp # web"]},
        ),
        ({"port": "080", "proto": "udp"}, {"4": ["allow 80/udp"], "6": ["allow 80/udp"]}),
        (
            {"port": "8000:8010"},
            {"4": ["allow 8000:8010/tcp", "allow 8000:8010/udp"], "6": ["allow 8000:8010/tcp", "allow 8000:8010/udp"]},
        ),
        ({"from": "192.0.2.7/32", "action": "deny"}, {"4": ["deny anything from 192.0.2.7"]}),
        ({"from": "2001:DB8:0::/32", "port": 22}, {"6": ["allow 22 from 2001:db8::/32"]}),
        ({"to": "192.0.2.8", "port": 22}, {"4": ["allow 22 to 192.0.2.8"]}),
        ({"interface": "eth0"}, {"4": ["allow anything on eth0"], "6": ["allow anything on eth0"]}),
        ({"interface": "wg+", "port": 53}, {"4": ["allow 53 on wg+"], "6": ["allow 53 on wg+"]}),
        (
            {"direction": "out", "interface": "eth0", "port": 25, "action": "reject"},
            {"4": ["reject out 25 out on eth0"], "6": ["reject out 25 out on eth0"]},
        ),
        (
            {"direction": "routed", "interface": "eth0", "interface_out": "lo", "from": "192.0.2.0/24"},
            {"4": ["route allow anything from 192.0.2.0/24 on eth0 out on lo"]},
        ),
        ({"port": 80, "from": "any", "to": None}, {"4": ["allow 80"], "6": ["allow 80"]}),
    ],
)
def test_a_rule_is_understood(item, expected):
    assert described(item) == expected


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"port": 443, "proto": "tpc"}, "(port: 443, proto: tpc): proto 'tpc' is unknown; write any, tcp or udp"),
        ({"port": 443, "action": "accept"}, "action 'accept' is unknown; write allow, deny, reject or limit"),
        ({"port": 443, "direction": "inward"}, "direction 'inward' is unknown"),
        ({"port": 443, "state": "gone"}, "state 'gone' is unknown"),
        ({"port": 0}, "port '0' is not within 1 to 65535"),
        ({"port": 65536}, "port '65536' is not within 1 to 65535"),
        ({"port": "https"}, "port 'https' is neither a number nor a range"),
        ({"port": "80,443"}, "a list of ports is one rule each"),
        ({"port": "8010:8000"}, "port '8010:8000' is a range that runs backwards; write the lower port first"),
        ({"port": "8000-8010"}, "neither a number nor a range such as 8000:8010"),
        ({"port": 80, "from": "192.0.2.300"}, "from '192.0.2.300' is no IP address or network"),
        ({"port": 80, "from": "192.0.2.1/24"}, "has bits set behind its prefix; the network is 192.0.2.0/24"),
        ({"port": 80, "to": "example.com"}, "to 'example.com' is no IP address"),
        ({"port": 80, "from": "0.0.0.0/0"}, "one address family only; leave it out"),
        ({"port": 80, "from": "::"}, "from '::' is nobody's address; leave it out if you mean anywhere"),
        ({"port": 80, "from": "fe80::1%eth0"}, "from 'fe80::1%eth0' names a zone, which no firewall rule can"),
        ({"port": 80, "from": "::ffff:192.0.2.1"}, "is an IPv4 address, and travels as one; write 192.0.2.1"),
        ({"port": 80, "from": "192.0.2.1", "to": "2001:db8::1"}, "different address families"),
        ({"port": 80, "interface": "eth7"}, "interface 'eth7' doesn't exist on this host, which has eth0, lo"),
        ({"port": 80, "interface": "eth0:1"}, "interface 'eth0:1' is no name for an interface"),
        ({"port": 80, "interface_out": "eth0"}, "interface_out is for direction: routed"),
        ({"port": 80, "comment": "it's"}, "a comment can't hold a single quote"),
        ({"port": 80, "comment": "two\nlines"}, "or a control character"),
        ({}, "matches everything; set ufw_default_incoming instead"),
        ({"direction": "out"}, "matches everything; set ufw_default_outgoing instead"),
    ],
)
def test_a_wrong_rule_is_named_with_its_number(item, message):
    with pytest.raises(RuleError) as error:
        declare([{"port": 1}, item], interfaces=["lo", "eth0", "veth1"])
    [problem] = error.value.problems
    assert problem.startswith("ufw_rules, rule 2 (")
    assert message in problem


def test_everything_wrong_is_said_at_once():
    with pytest.raises(RuleError) as error:
        declare([{"port": 0, "proto": "x"}, {"port": 80}, {"from": "y"}])
    assert len(error.value.problems) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"port": 80}, {"port": "80", "proto": "any"}),
        ({"port": 80, "proto": "tcp"}, {"port": 80, "proto": "tcp", "action": "deny"}),
        ({"port": 80, "proto": "tcp", "state": "absent"}, {"port": 80, "proto": "tcp"}),
        ({"port": "1:9"}, {"port": "1:9", "proto": "udp"}),
        ({"port": 80, "from": "192.0.2.1"}, {"port": 80, "from": "192.0.2.1/32"}),
    ],
)
def test_two_rules_for_the_same_traffic_are_refused(first, second):
    with pytest.raises(RuleError, match=r"rule 2 .*: matches the same traffic as ufw_rules, rule 1 .*; keep one"):
        declare([first, second])


def test_a_rule_for_an_interface_that_is_gone_can_be_removed():
    assert declare([{"port": 80, "interface": "eth7", "state": "absent"}], interfaces=["lo", "eth0"])


def test_interfaces_that_iptables_would_not_take_are_named():
    check_interfaces(["docker0", "br-+", "mine"])
    with pytest.raises(RuleError) as error:
        check_interfaces(["docker0", "", "a bridge", "longer-than-fifteen"])
    assert error.value.problems == [
        "ufw_docker_interfaces, item 2: '' is no name for an interface",
        "ufw_docker_interfaces, item 3: 'a bridge' is no name for an interface",
        "ufw_docker_interfaces, item 4: 'longer-than-fifteen' is no name for an interface",
    ]


def test_an_interface_is_not_looked_for_where_the_host_is_not_known():
    assert declare([{"port": 80, "interface": "eth7"}])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"proto": "tcp"}, "a port is missing"),
        ({"port": 80, "proto": "any"}, "proto 'any' is unknown; write tcp or udp"),
        ({"port": "9:1"}, "runs backwards"),
        ({"port": 80, "from": "x"}, "no IP address"),
        ({"port": 80, "comment": "two\nlines"}, "control character"),
    ],
)
def test_a_wrong_published_port_is_named_with_its_number(item, message):
    with pytest.raises(RuleError) as error:
        declare_published([item])
    assert error.value.problems[0].startswith("ufw_docker_allow, rule 1 (")
    assert message in error.value.problems[0]


def test_published_ports():
    both, one, *rest = declare_published(
        [{"port": 80}, {"port": "9:10", "proto": "udp", "from": "192.0.2.1"}, {"port": 81, "state": "absent"}]
    )
    assert (both.port, both.protocol, both.sources) == ("80", "tcp", {"4": "", "6": ""})
    assert (one.port, one.protocol, one.sources) == ("9:10", "udp", {"4": "192.0.2.1"})
    assert not rest


@pytest.mark.parametrize("source", [{}, {"from": "192.0.2.1/32"}])
def test_a_port_opened_twice_is_refused(source):
    with pytest.raises(RuleError, match=r"rule 3 .*: opens the same as ufw_docker_allow, rule 1 .*; keep one"):
        declare_published([{"port": 80, **source}, {"port": 80, "from": "192.0.2.2"}, {"port": "80", **source}])


def test_addresses():
    assert declare_addresses(["192.0.2.0/24", "2001:DB8::1"]) == ["192.0.2.0/24", "2001:db8::1"]
    with pytest.raises(RuleError, match=r"ufw_ssh_exempt, item 2.*stands for every address"):
        declare_addresses(["192.0.2.1", "any"])


@pytest.mark.parametrize(("seconds", "fine"), [(0, True), (9, False), (10, True), (60, True), (-1, False)])
def test_the_revert_timer_leaves_time_for_a_connection(seconds, fine):
    if fine:
        check_timeout(seconds)
    else:
        with pytest.raises(RuleError, match="too short for a new ssh connection"):
            check_timeout(seconds)
