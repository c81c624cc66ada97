"""What listens, whom it is declared open to, and how that compares with what somebody outside sees."""

from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import declare, declare_published
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import (
    Declared,
    Socket,
    compare,
    exposure,
    forwarded_ports,
    parse_proc_net,
    published_ports,
    table,
    targets,
)
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import Guard, render_guard
from ansible_collections.portside.vps.plugins.module_utils.ufw.policy import identity

CAPTURED = Path(__file__).parent / "captured"
CONTAINERS = [
    {"Names": ["/api"], "Ports": [{"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 8000, "Type": "tcp"}]},
    {
        "Names": ["/db"],
        "Ports": [
            {"IP": "0.0.0.0", "PrivatePort": 5432, "PublicPort": 15432, "Type": "tcp"},
            {"IP": "::", "PrivatePort": 5432, "PublicPort": 15432, "Type": "tcp"},
            {"PrivatePort": 9100, "Type": "tcp"},
        ],
    },
    {"Names": ["/worker"], "Ports": None},
]
NAT = """\
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 15432 -j DNAT --to-destination 172.17.0.2:5432
-A DOCKER -d 127.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8000 -j DNAT --to-destination 172.17.0.3:80
-A DOCKER ! -i br-0 -p udp -m udp --dport 53 -j DNAT --to-destination 172.19.0.3:53
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 5432 -j ACCEPT
"""


def firewall(*rules, incoming="deny", published=(), guarded=True, active=True):
    guard = render_guard(Guard(published=tuple(declare_published(published))), "4") if guarded else ""
    entries = [entry for rule in declare(rules) for entry in rule.entries.get("4", ())]
    return Declared(entries, incoming, guard, forwarded_ports(NAT), active)


def test_listening_sockets():
    tcp, tcp6 = ((CAPTURED / f"proc-net-{table}").read_text() for table in ("tcp", "tcp6"))
    assert parse_proc_net(tcp, "tcp") == {"34172": ("127.0.0.1", 9997), "32103": ("0.0.0.0", 22)}
    assert parse_proc_net(tcp6, "tcp") == {"26610": ("::", 80), "37713": ("::1", 9994)}


def test_published_ports_of_containers():
    assert published_ports(CONTAINERS) == [
        Socket("tcp", "127.0.0.1", 8000, "container api", 80),
        Socket("tcp", "0.0.0.0", 15432, "container db", 5432),
        Socket("tcp", "::", 15432, "container db", 5432),
    ]
    assert forwarded_ports(NAT) == {("tcp", 15432), ("tcp", 8000), ("udp", 53)}


HOST = Socket("tcp", "0.0.0.0", 80, "nginx")
CONTAINER = Socket("tcp", "0.0.0.0", 15432, "container db", 5432)


@pytest.mark.parametrize(
    ("declared", "socket", "expected"),
    [
        (firewall(), HOST, []),
        (firewall({"port": 80}), HOST, ["anyone"]),
        (firewall({"port": 80, "proto": "udp"}), HOST, []),
        (firewall({"port": "70:90", "proto": "tcp"}), HOST, ["anyone"]),
        (firewall({"port": 80, "from": "192.0.2.0/24"}), HOST, ["192.0.2.0/24"]),
        (firewall({"port": 80, "interface": "wg+"}), HOST, ["anyone on wg+"]),
        (firewall({"port": 80, "to": "192.0.2.1"}), HOST, ["anyone to 192.0.2.1"]),
        (firewall({"port": 80, "action": "deny"}, {"port": 80, "proto": "tcp"}), HOST, []),
        (firewall({"port": 80, "from": "192.0.2.1"}, {"port": 80, "action": "reject"}), HOST, ["192.0.2.1"]),
        (firewall(incoming="allow"), HOST, ["anyone"]),
        (firewall({"port": 80, "action": "deny"}, incoming="allow"), HOST, []),
        (firewall({"from": "192.0.2.66", "action": "deny"}, {"port": 80}), HOST, ["anyone but 192.0.2.66"]),
        (
            firewall({"port": 80, "interface": "wg0", "action": "reject"}, {"port": 80, "proto": "tcp"}),
            HOST,
            ["anyone but anyone on wg0"],
        ),
        (firewall({"from": "192.0.2.66", "action": "deny"}, incoming="allow"), HOST, ["anyone but 192.0.2.66"]),
        (firewall({"port": 80}), Socket("tcp", "127.0.0.1", 80, "nginx"), []),
        (firewall(active=False), HOST, ["anyone"]),
        (firewall({"port": 80, "direction": "out"}), HOST, []),
        # A published port: ufw's own rules say nothing about it, the guard does.
        (firewall({"port": 15432}), CONTAINER, []),
        (firewall(guarded=False), CONTAINER, ["anyone"]),
        (firewall(published=[{"port": 15432}]), CONTAINER, ["anyone"]),
        (firewall(published=[{"port": "15000:16000"}]), CONTAINER, ["anyone"]),
        (firewall(published=[{"port": 5432}]), CONTAINER, []),
        (firewall(published=[{"port": 15432, "from": "192.0.2.0/24"}]), CONTAINER, ["192.0.2.0/24"]),
        (firewall({"port": 5432, "direction": "routed", "from": "192.0.2.9"}), CONTAINER, ["192.0.2.9"]),
        # Published, yet not forwarded: Docker's proxy listens, and ufw's own rules decide.
        (firewall({"port": 9998}), Socket("tcp", "0.0.0.0", 9998, "container any", 80), ["anyone"]),
    ],
)
def test_whom_a_port_is_open_to(declared, socket, expected):
    assert declared.open_to(socket) == expected


BY_HAND = ({"port": 80}, {"port": 80, "proto": "tcp", "from": "192.0.2.9"}, {"port": 81})


@pytest.mark.parametrize(
    ("owned", "port", "open_to", "undeclared"),
    [
        (None, 80, ["anyone"], []),
        ([0], 80, ["anyone"], []),
        ([1], 80, ["192.0.2.9"], ["anyone"]),
        ([1], 81, [], ["anyone"]),
        ([1], 82, [], []),
    ],
)
def test_what_others_have_opened_is_not_declared(owned, port, open_to, undeclared):
    there = firewall(*BY_HAND)
    ours = None if owned is None else {identity(there.rules[number]) for number in owned}
    [row] = exposure([Socket("tcp", "0.0.0.0", port, "nginx")], {"4": replace(there, owned=ours)})
    assert (row["open_to"], row["undeclared"]) == (open_to, undeclared)


def test_a_routed_rule_of_others_does_not_declare_a_container():
    there = replace(firewall({"port": 5432, "direction": "routed"}), owned={"another"})
    assert (there.open_to(CONTAINER), there.undeclared(CONTAINER)) == ([], ["anyone"])


def test_a_socket_at_both_families_is_two_rows():
    both = {"4": firewall({"port": 80}), "6": firewall()}
    rows = exposure([Socket("tcp", "::", 80, "nginx")], both)
    assert [(row["family"], row["open_to"]) for row in rows] == [("4", ["anyone"]), ("6", [])]
    rows = exposure([Socket("tcp", "::", 80, "nginx"), Socket("tcp", "0.0.0.0", 80, "other")], both)
    assert [(row["family"], row["who"]) for row in rows] == [("4", ["other"]), ("6", ["nginx"])]


def test_every_port_is_tried_at_the_addresses_of_its_family():
    rows = [{"port": 80, "protocol": "tcp", "family": "4"}, {"port": 81, "protocol": "udp", "family": "6"}]
    assert targets(rows, ["192.0.2.1", "2001:db8::1"]) == [
        {"address": "192.0.2.1", "port": 80, "protocol": "tcp"},
        {"address": "2001:db8::1", "port": 81, "protocol": "udp"},
    ]


@pytest.mark.parametrize(
    ("open_to", "answer", "protocol", "expected"),
    [
        (["anyone"], "open", "tcp", True),
        (["anyone"], "silent", "tcp", False),
        (["anyone"], "refused", "tcp", False),
        ([], "silent", "tcp", True),
        ([], "refused", "tcp", True),
        ([], "open", "tcp", False),
        (["198.51.100.0/24"], "open", "tcp", True),
        (["203.0.113.0/24"], "open", "tcp", False),
        (["anyone on wg0"], "open", "tcp", None),
        (["203.0.113.1 on wg0"], "open", "tcp", False),
        (["anyone but 198.51.100.7"], "silent", "tcp", True),
        (["anyone but 198.51.100.7"], "open", "tcp", False),
        (["anyone but 203.0.113.1, 198.51.100.0/24"], "silent", "tcp", True),
        (["anyone but 203.0.113.1"], "open", "tcp", True),
        (["anyone but 203.0.113.1"], "silent", "tcp", False),
        (["anyone but anyone on wg0"], "silent", "tcp", None),
        (["anyone but 198.51.100.7 on wg0"], "open", "tcp", None),
        (["anyone"], "unreachable", "tcp", None),
        (["anyone"], "silent", "udp", None),
        ([], "silent", "udp", True),
    ],
)
def test_what_is_seen_is_compared_with_what_is_declared(open_to, answer, protocol, expected):
    row = {"port": 80, "protocol": protocol, "family": "4", "who": ["nginx"], "open_to": open_to}
    seen = {"address": "192.0.2.1", "port": 80, "protocol": protocol, "answer": answer, "source": "198.51.100.7"}
    [compared] = compare([row], [seen])
    assert compared["as_declared"] is expected


@pytest.mark.parametrize(
    ("open_to", "answer", "expected"),
    [
        (["203.0.113.0/24"], "open", None),
        (["203.0.113.0/24"], "silent", None),
        (["anyone but 203.0.113.9"], "silent", None),
        (["anyone"], "silent", False),
        ([], "open", False),
        ([], "silent", True),
    ],
)
def test_an_observer_whose_address_is_translated_is_not_taken_for_somebody_else(open_to, answer, expected):
    row = {"port": 80, "protocol": "tcp", "family": "4", "who": ["nginx"], "open_to": open_to}
    seen = {"address": "8.8.8.8", "port": 80, "protocol": "tcp", "answer": answer, "source": "192.168.1.5"}
    [compared] = compare([row], [seen])
    assert compared["as_declared"] is expected


def test_the_table():
    rows = [
        {"port": 22, "protocol": "tcp", "family": "4", "who": ["sshd"], "open_to": ["anyone"]},
        {"port": 9999, "protocol": "tcp", "family": "6", "who": ["container any"], "open_to": []},
    ]
    seen = [
        {"address": "192.0.2.1", "port": 22, "protocol": "tcp", "answer": "open", "source": "198.51.100.7"},
        {"address": "2001:db8::1", "port": 9999, "protocol": "tcp", "answer": "open", "source": "2001:db8::7"},
    ]
    assert table(compare(rows, seen)) == [
        "PORT      IP  PROCESS OR CONTAINER  DECLARED OPEN TO  SEEN  AS DECLARED",
        "22/tcp    v4  sshd                  anyone            open  yes",
        "9999/tcp  v6  container any         nobody            open  NO",
    ]


def test_the_table_says_what_others_opened_and_stays_readable():
    banned = ", ".join(f"192.0.2.{number}" for number in range(5))
    row = {"port": 80, "protocol": "tcp", "family": "4", "who": ["nginx"], "undeclared": ["anyone"]}
    [_, line] = table(compare([{**row, "open_to": [f"192.0.2.0/24 but {banned}"]}], []))
    assert "192.0.2.0/24 but 192.0.2.0, 192.0.2.1, 192.0.2.2 and 2 more (by a foreign rule:" in line
