"""The block in after.rules and after6.rules; that it holds is for molecule/ufw to show."""

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import declare_published
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import (
    DEFAULT_INTERFACES,
    Guard,
    cut_off,
    foreign_bridges,
    guard_of,
    render_guard,
    rival,
    trusted_by_mistake,
    with_guard,
)

CAPTURED = Path(__file__).parent / "captured"
AFTER = (CAPTURED / "after.rules").read_text()


def decisions(block):
    """The rules of the guard's own chain in the table filter, without the chain's name."""
    [table] = [part for part in block.split("COMMIT") if "*filter" in part]
    return [line.removeprefix("-A ufw-docker-guard ") for line in table.splitlines() if line.startswith("-A ufw")]


def test_the_guard_decides_by_interface_and_drops_the_rest():
    assert decisions(render_guard(Guard(("docker0", "apps+"), metadata=True), "4")) == [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-m conntrack --ctstate INVALID -j DROP",
        "-m conntrack --ctorigdst 127.0.0.0/8 -j DROP",
        "-i docker0 -j RETURN",
        "-i apps+ -j RETURN",
        "-j ufw-user-forward",
        '-m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW DOCKER GUARD] "',
        "-j DROP",
    ]


@pytest.mark.parametrize(
    ("item", "four", "six"),
    [
        (
            {"port": 8080},
            "-p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -j RETURN",
            "-p tcp -m conntrack --ctstate DNAT --ctorigdstport 8080 -j RETURN",
        ),
        (
            {"port": "53:54", "proto": "udp", "from": "192.0.2.0/24"},
            "-s 192.0.2.0/24 -p udp -m conntrack --ctstate DNAT --ctorigdstport 53:54 -j RETURN",
            None,
        ),
    ],
)
def test_a_published_port_is_opened_as_published(item, four, six):
    guard = Guard(published=tuple(declare_published([item])))
    assert four in decisions(render_guard(guard, "4"))
    assert six is None or six in decisions(render_guard(guard, "6"))
    assert six is not None or "192.0.2.0" not in render_guard(guard, "6")
    # A forged route to a port on loopback is refused before any port is opened.
    rules = decisions(render_guard(guard, "4"))
    assert rules.index("-m conntrack --ctorigdst 127.0.0.0/8 -j DROP") < rules.index(four)


def test_ipv6_has_a_second_lock_behind_docker():
    block = render_guard(Guard(("docker0",)), "6")
    assert "*security\n" in block
    assert "-F FORWARD\n-A FORWARD -j ufw-docker-guard\n" in block
    assert "-A ufw-docker-inner -o docker0 -j DROP\n" in block
    assert "security" not in render_guard(Guard(), "4")


@pytest.mark.parametrize("text", [AFTER, (CAPTURED / "after6.rules").read_text(), "", "*filter\nCOMMIT"])
def test_the_block_is_put_in_changed_and_taken_out(text):
    one, other = render_guard(Guard(), "4"), render_guard(Guard(("docker9",)), "4")
    there = with_guard(text, one)
    assert guard_of(there) == one
    assert with_guard(there, one) == there
    assert with_guard(there, other) == with_guard(text, other)
    assert with_guard(there, "").rstrip("\n") == text.rstrip("\n")
    assert with_guard(text, "") == text


def test_another_filler_of_docker_user_is_found():
    assert rival(AFTER) == ""
    assert rival(with_guard(AFTER, render_guard(Guard(), "4"))) == ""
    theirs = "# BEGIN UFW AND DOCKER\n*filter\n:DOCKER-USER - [0:0]\nCOMMIT\n# END UFW AND DOCKER\n"
    assert rival("*filter\nCOMMIT\n" + theirs) == "line 5: :DOCKER-USER - [0:0]"


@pytest.mark.parametrize(
    ("outside", "expected"),
    [
        (["eth0"], []),
        (["br-lan"], []),
        (["br-data"], [("br-data", "br-d+")]),
        (["eth0", "docker0"], [("docker0", "docker0")]),
    ],
)
def test_a_way_out_that_looks_like_dockers_is_found(outside, expected):
    assert trusted_by_mistake(("docker0", "docker_gwbridge", "br-+"), outside) == expected


def trusted(guard, name):
    """Whether the guard lets in what arrives on this interface: what its first rule about it says."""
    for rule in decisions(render_guard(guard, "4")):
        words = rule.split()
        if words[0] == "-i" and words[-1] in ("RETURN", "DROP"):
            prefix, plus, _ = words[1].partition("+")
            if name.startswith(prefix) if plus else name == prefix:
                return words[-1] == "RETURN"
    return False


@pytest.mark.parametrize(
    ("name", "interfaces", "expected"),
    [
        ("docker0", DEFAULT_INTERFACES, True),
        ("br-6181c3ce806e", DEFAULT_INTERFACES, True),
        ("br-f46352d1bfca", DEFAULT_INTERFACES, True),
        # Bridges of the host.
        ("br0", DEFAULT_INTERFACES, False),
        ("br-lan", DEFAULT_INTERFACES, False),
        ("br-data", DEFAULT_INTERFACES, False),
        ("br-ex", DEFAULT_INTERFACES, False),
        ("eth0", DEFAULT_INTERFACES, False),
        # One of Docker's that the user named.
        ("br-apps", (*DEFAULT_INTERFACES, "br-apps"), True),
        ("br-apps", ("docker0", "br-apps"), True),
    ],
)
def test_only_bridges_of_docker_are_trusted(name, interfaces, expected):
    guard = Guard(interfaces, foreign=foreign_bridges(interfaces, [name, "lo", "eth0"]))
    assert trusted(guard, name) is expected
    assert (f"-i {name} -j RETURN" in render_guard(guard, "6")) is (expected and name in interfaces)


def test_a_bridge_of_the_host_is_an_outsider_to_the_second_lock_too():
    block = render_guard(Guard(foreign=("br-data",)), "6")
    lock = block[block.index("*security") :]
    assert lock.index("-i br-data -g ufw-docker-inner") < lock.index("-i br-d+ -j RETURN")
    assert lock.index("-o br-data -j RETURN") < lock.index("-o br-d+ -j DROP")


@pytest.mark.parametrize(
    ("bridge", "interfaces", "named"),
    [
        ("", DEFAULT_INTERFACES, False),
        ("docker0", DEFAULT_INTERFACES, False),
        ("mine", DEFAULT_INTERFACES, True),
        ("mine", (*DEFAULT_INTERFACES, "mine"), False),
        ("mine", (*DEFAULT_INTERFACES, "mi+"), False),
        # Like a name of Docker's, as far as iptables can tell; excepted once the role has seen it.
        ("br-app", DEFAULT_INTERFACES, True),
        ("br-app", (*DEFAULT_INTERFACES, "br-app"), False),
    ],
)
def test_a_network_whose_containers_are_cut_off_is_named(bridge, interfaces, named):
    guard = Guard(interfaces, foreign=foreign_bridges(interfaces, ["docker0", bridge]))
    options = {"com.docker.network.bridge.name": bridge} if bridge else None
    found = cut_off(guard, [{"Name": "app", "Driver": "bridge", "Options": options}])
    assert len(found) == named
    assert all(f"network app has a bridge of its own name, {bridge}," in sentence for sentence in found)
