"""The block in after.rules and after6.rules; that it holds is for molecule/ufw to show."""

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import declare_published
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import (
    Guard,
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
    assert decisions(render_guard(Guard(("docker0", "br-+")), "4")) == [
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        "-m conntrack --ctstate INVALID -j DROP",
        "-i docker0 -j RETURN",
        "-i br-+ -j RETURN",
        "-m conntrack --ctorigdst 127.0.0.0/8 -j DROP",
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
    assert "-A ufw-docker-guard -o docker0 -j DROP\n" in block
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
        (["br-lan"], [("br-lan", "br-+")]),
        (["eth0", "docker0"], [("docker0", "docker0")]),
    ],
)
def test_a_way_out_that_looks_like_dockers_is_found(outside, expected):
    assert trusted_by_mistake(("docker0", "docker_gwbridge", "br-+"), outside) == expected
