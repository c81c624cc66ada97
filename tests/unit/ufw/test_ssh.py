"""Where sshd listens, and who came in."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.ssh import (
    Connection,
    parse_socket,
    parse_ssh_connection,
    parse_sshd_config,
    parse_sshd_dump,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("198.51.100.7 50812 192.0.2.1 22", Connection("198.51.100.7", "192.0.2.1", 22)),
        ("2001:db8::7 50812 2001:db8::1 2222", Connection("2001:db8::7", "2001:db8::1", 2222)),
        ("fe80::1%eth0 50812 fe80::2%eth0 22", Connection("fe80::1", "fe80::2", 22)),
        ("::ffff:198.51.100.7 50812 ::ffff:192.0.2.1 22", Connection("198.51.100.7", "192.0.2.1", 22)),
        ("UNKNOWN 65535 UNKNOWN 65535", None),
        ("", None),
    ],
)
def test_the_connection_that_sshd_names(value, expected):
    assert parse_ssh_connection(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("port 22\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:22\ngatewayports no\n", {22}),
        ("port 22\nport 2022\nlistenaddress [::]:22\nlistenaddress 0.0.0.0:2022\n", {22, 2022}),
        ("port 22\nlistenaddress 127.0.0.1:22\nlistenaddress 192.0.2.1:2022\n", {2022}),
        ("port 22\nlistenaddress [::1]:22\n", set()),
        ("port 2222\n", {2222}),
    ],
)
def test_ports_of_sshd_dump(text, expected):
    assert parse_sshd_dump(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Listen=[::]:22 (Stream)\nActiveState=active\n", {22}),
        ("Listen=[::]:22 (Stream)\nActiveState=inactive\n", set()),
        ("Listen=0.0.0.0:2222 (Stream)\nListen=[::]:2222 (Stream)\nActiveState=active\n", {2222}),
        ("Listen=127.0.0.1:22 (Stream)\nListen=/run/x (Stream)\nActiveState=active\n", set()),
        ("ActiveState=inactive\n", set()),
    ],
)
def test_ports_of_the_socket_unit(text, expected):
    assert parse_socket(text) == expected


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["#Port 22\n", ""], {22}),
        (["Port 2022\n", "port 2023 # another\n"], {2022, 2023}),
        (["  Port=2024\n"], {2024}),
    ],
)
def test_ports_of_the_configuration_where_sshd_says_nothing(texts, expected):
    assert parse_sshd_config(texts) == expected
