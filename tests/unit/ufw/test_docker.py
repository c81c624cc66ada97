"""Which Docker engines the guard can stand in front of."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.docker import daemon_options, why_unguardable

ASKED = "*filter\n-A FORWARD -j DOCKER-USER\nCOMMIT\n"


@pytest.mark.parametrize(
    ("file", "arguments", "expected"),
    [
        ("", [], {}),
        ('{"iptables": false}', [], {"iptables": False}),
        ("{", [], {}),
        ("[]", [], {}),
        ("", ["dockerd", "--iptables=false", "-H", "fd://"], {"iptables": "false", "H": "fd://"}),
        ("", ["dockerd", "--firewall-backend", "nftables"], {"firewall-backend": "nftables"}),
        ("", ["dockerd", "--debug", "--iptables=true"], {"debug": True, "iptables": "true"}),
    ],
)
def test_options_of_the_engine(file, arguments, expected):
    assert daemon_options(file, arguments) == expected


@pytest.mark.parametrize(
    ("options", "running", "rules", "message"),
    [
        ({}, False, "", ""),
        ({}, True, ASKED, ""),
        ({"firewall-backend": "iptables"}, True, ASKED, ""),
        ({"iptables": "true"}, True, ASKED, ""),
        ({"iptables": False}, True, "", "told not to write firewall rules"),
        ({"iptables": "false"}, False, "", "told not to write firewall rules"),
        ({"firewall-backend": "nftables"}, True, "", "nftables backend"),
        ({}, True, "*filter\nCOMMIT\n", "doesn't ask DOCKER-USER"),
    ],
)
def test_an_engine_that_does_not_ask_docker_user_is_named(options, running, rules, message):
    why = why_unguardable(options, running=running, filter_rules=rules)
    assert message in why
    assert bool(why) is bool(message)
