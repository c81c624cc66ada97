"""The running firewall, from iptables-save on Debian 13 with Docker, ufw and the guard."""

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw.live import (
    fingerprint,
    is_guarding,
    is_loaded,
    strangers_in_second_table,
)

CAPTURED = Path(__file__).parent / "captured"
SAVED = {
    "4": (CAPTURED / "guarded.iptables-save").read_text(),
    "6": (CAPTURED / "guarded.ip6tables-save").read_text(),
}


@pytest.mark.parametrize("family", ["4", "6"])
def test_a_loaded_and_guarded_firewall(family):
    assert is_loaded(SAVED[family], family)
    assert is_guarding(SAVED[family], family)
    assert not is_loaded("", family)
    assert not is_guarding("", family)


@pytest.mark.parametrize(
    ("family", "line", "instead", "loaded", "guarding"),
    [
        ("4", "-A INPUT -j ufw-before-input\n", "", False, True),
        ("4", "-A ufw-before-input -j ufw-user-input\n", "", False, True),
        ("4", "-A DOCKER-USER -j ufw-docker-guard\n", "", True, False),
        ("4", "-A DOCKER-USER -j ufw", "-A DOCKER-USER -j RETURN\n-A DOCKER-USER -j ufw", True, False),
        ("4", "-A DOCKER-USER -j ufw", "-A DOCKER-USER -s 192.0.2.1/32 -j DROP\n-A DOCKER-USER -j ufw", True, True),
        ("4", "-A ufw-docker-guard -j DROP\n", "", True, False),
        ("6", "-A FORWARD -j ufw-docker-guard\n", "", True, False),
    ],
)
def test_what_is_missing_is_seen(family, line, instead, loaded, guarding):
    assert line in SAVED[family]
    saved = SAVED[family].replace(line, instead, 1)
    assert is_loaded(saved, family) is loaded
    assert is_guarding(saved, family) is guarding


def test_what_the_second_lock_would_flush_is_found():
    assert strangers_in_second_table(SAVED["6"], "FORWARD") == []
    other = "-A FORWARD -m mark --mark 0x1 -j SECMARK"
    saved = SAVED["6"].replace("-A FORWARD -j ufw-docker-guard\n", f"-A FORWARD -j ufw-docker-guard\n{other}\n")
    assert strangers_in_second_table(saved, "FORWARD") == [other]
    assert strangers_in_second_table(saved, "INPUT") == []


@pytest.mark.parametrize(
    ("family", "old", "new", "same"),
    [
        ("4", ":INPUT DROP [0:0]", ":INPUT DROP [17:1020]", True),
        ("4", ":INPUT DROP", ":INPUT ACCEPT", False),
        ("4", "-A ufw-user-input -p tcp -m tcp --dport 80 ", "-A ufw-user-input -p tcp -m tcp --dport 81 ", False),
        ("4", "-A ufw-docker-guard -i docker0 -j RETURN\n", "", False),
        ("4", "-A INPUT -j ufw-before-input\n", "-A INPUT -j f2b-sshd\n-A INPUT -j ufw-before-input\n", True),
        ("4", "-A INPUT -j ufw-before-input\n", "", False),
        ("4", "-A FORWARD -j DOCKER-USER\n", "", True),
        ("4", "-A DOCKER-USER -j RETURN\n", "", True),
        ("6", "-A ufw-docker-inner -o docker0 -j DROP\n", "", False),
        ("6", "-A FORWARD -j ufw-docker-guard\n", "", False),
    ],
)
def test_the_fingerprint_is_of_what_the_role_answers_for(family, old, new, same):
    assert old in SAVED[family]
    changed = SAVED[family].replace(old, new, 1)
    assert (fingerprint(changed, family) == fingerprint(SAVED[family], family)) is same
