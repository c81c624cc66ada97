"""What containers may reach, as rules; that they hold is for molecule/ufw to show."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw import live, outbound
from ansible_collections.portside.vps.plugins.module_utils.ufw.confined import declare_confined
from ansible_collections.portside.vps.plugins.module_utils.ufw.declared import RuleError
from ansible_collections.portside.vps.plugins.module_utils.ufw.guard import Guard, render_guard, render_leftovers

SHUT = declare_confined(
    [
        {
            "bridge": "br-0123456789ab",
            "to": [
                {"network": "10.0.0.0/8", "port": 5432},
                {"network": "2001:db8::/32", "port": "1:9", "proto": "udp"},
            ],
            "comment": "egress of app db",
        }
    ]
)
CHAIN = "ufw-docker-out-0123456789ab"


def table(block, name):
    [found] = [part for part in block.split("COMMIT") if f"*{name}\n" in part] or [""]
    return found.splitlines()


@pytest.mark.parametrize("family", ["4", "6"])
def test_containers_reach_no_credentials_of_a_cloud(family):
    block = table(render_guard(Guard(), family), "filter")
    refused = [number for number, line in enumerate(block) if "-j REJECT" in line]
    trusted = block.index("-A ufw-docker-guard -i docker0 -j RETURN")
    assert len(refused) == len(outbound.METADATA[family])
    assert max(refused) < trusted
    assert not any("-j REJECT" in line for line in render_guard(Guard(metadata=True), family).splitlines())


def test_names_are_still_looked_up_where_a_cloud_has_both_at_one_address():
    """Google's 169.254.169.254 and Azure's 168.63.129.16 are the server's resolvers as well."""
    assert all(
        "-p tcp -m tcp ! --dport 53 " in line for line in render_guard(Guard(), "4").splitlines() if "169." in line
    )


def test_the_second_lock_of_ipv6_knows_it_too():
    lock = table(render_guard(Guard(confined=tuple(SHUT)), "6"), "security")
    drop = "-A ufw-docker-guard -d fd00:ec2::/64 -p tcp -m tcp ! --dport 53 -j DROP"
    jump = f"-A ufw-docker-guard -i br-0123456789ab -g {CHAIN}"
    assert lock.index(jump) < lock.index(drop) < lock.index("-A ufw-docker-guard -i docker0 -j RETURN")


@pytest.mark.parametrize(
    ("family", "opening", "end"),
    [
        ("4", "-d 10.0.0.0/8 -p tcp -m tcp --dport 5432", "REJECT --reject-with icmp-admin-prohibited"),
        ("6", "-d 2001:db8::/32 -p udp -m udp --dport 1:9", "REJECT --reject-with icmp6-adm-prohibited"),
    ],
)
def test_a_network_that_is_shut_reaches_its_own_and_what_is_declared(family, opening, end):
    block = table(render_guard(Guard(published=(), confined=tuple(SHUT)), family), "filter")
    assert [line for line in block if line.startswith(f"-A {CHAIN}")] == [
        f"-A {CHAIN} {opening} -j RETURN",
        f"-A {CHAIN} -j {end}",
    ]
    inner = block.index("-A ufw-docker-guard -i br-0123456789ab -o br-0123456789ab -j RETURN")
    jump = block.index(f"-A ufw-docker-guard -i br-0123456789ab -g {CHAIN}")
    replies = block.index("-A ufw-docker-guard -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
    assert replies < inner < jump < block.index("-A ufw-docker-guard -i br-0+ -j RETURN")


@pytest.mark.parametrize("family", ["4", "6"])
def test_the_host_itself_is_outside_of_a_network_that_is_shut(family):
    lock = table(render_guard(Guard(confined=tuple(SHUT)), family), "security")
    assert "-A INPUT -j ufw-docker-host" in lock
    replies = lock.index("-A ufw-docker-host -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN")
    assert replies < lock.index(f"-A ufw-docker-host -i br-0123456789ab -g {CHAIN}")
    assert f"-A {CHAIN} -j DROP" in lock
    found = any("--icmpv6-type 135" in line for line in lock)
    assert found is (family == "6"), "without it the host and its container don't find each other"


def test_a_host_where_nothing_is_shut_keeps_its_table_for_itself():
    assert table(render_guard(Guard(), "4"), "security") == []
    assert not any("INPUT" in line for line in table(render_guard(Guard(), "6"), "security"))


def test_chains_of_networks_that_are_shut_no_more_are_taken_out():
    block = render_guard(Guard(confined=tuple(SHUT)), "4")
    assert render_leftovers(block, block) == ""
    assert render_leftovers(block, render_guard(Guard(), "4")) == (
        f"*filter\n:{CHAIN} - [0:0]\n-X {CHAIN}\nCOMMIT\n"
        "*security\n-D INPUT -j ufw-docker-host\n"
        f":ufw-docker-host - [0:0]\n:{CHAIN} - [0:0]\n-X ufw-docker-host\n-X {CHAIN}\nCOMMIT\n"
    )


def test_a_host_rule_that_was_flushed_is_seen():
    saved = render_guard(Guard(confined=tuple(SHUT)), "4")
    assert live.is_guarding(saved, "4", confined=True)
    assert not live.is_guarding(saved.replace("-A INPUT -j ufw-docker-host\n", ""), "4", confined=True)
    for gone in (f"-A {CHAIN} -j DROP\n", f"-A ufw-docker-guard -i br-0123456789ab -g {CHAIN}\n", "-A INPUT -j ufw-d"):
        assert live.fingerprint(saved.replace(gone, ""), "4") != live.fingerprint(saved, "4"), gone


def test_nothing_is_started_before_the_firewall_has_its_rule():
    saved = render_guard(Guard(confined=tuple(SHUT)), "4")
    assert outbound.blocks("br-0123456789ab", saved)
    assert not outbound.blocks("br-0123456789a", saved)
    assert not outbound.blocks("br-0123456789ab", render_guard(Guard(), "4"))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"bridge": ""}, "item 1 (no bridge): `bridge` is the name"),
        ({"bridge": "br-+"}, "`bridge` is the name"),
        ({"bridge": "br-far-too-long-a-name"}, "`bridge` is the name"),
        ({"bridge": "b", "comment": "x\n-A INPUT -j ACCEPT"}, "control character"),
        ({"bridge": "b", "to": [{"network": "10.0.0.1/8"}]}, "the network is 10.0.0.0/8"),
        ({"bridge": "b", "to": [{"network": "fe80::1%eth0"}]}, "names a zone"),
        ({"bridge": "b", "to": [{"network": "::/0", "port": "9:1"}]}, "runs backwards"),
    ],
)
def test_a_wrong_network_is_named_with_its_number(item, words):
    with pytest.raises(RuleError) as caught:
        declare_confined([item])
    assert words in str(caught.value)
