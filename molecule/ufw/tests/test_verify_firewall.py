"""playbooks/verify_firewall.yml tells a firewall that holds from one that only says so."""

from __future__ import annotations

import pytest
from servers import inventories, passed, said

from lab import playbook


def verify(**variables):
    """Run the playbook; the controller looks, or whoever the variables name."""
    return playbook.run("portside.vps.verify_firewall", inventories(), variables=variables)


@pytest.mark.parametrize("place", [{}, {"portside_verify_from": "client"}])
def test_the_play_shows_what_is_open_to_whom(place, servers):
    run = verify(**place)
    passed(run, changed=0)
    for row in (
        ("22/tcp", "v4", "sshd", "anyone", "open", "yes"),
        ("80/tcp", "v6", "python3", "anyone", "open", "yes"),
        ("9090/tcp", "v6", "python3", "nobody", "silent", "yes"),
        ("9992/tcp", "v4", "container elsewhere", "192.0.2.0/24", "silent", "yes"),
        ("9993/tcp", "v6", "container allowed", "anyone", "open", "yes"),
        ("9999/tcp", "v4", "container any4", "nobody", "silent", "yes"),
        ("9998/tcp", "v6", "container any6", "nobody", "silent", "yes"),
    ):
        assert " ".join(run.output.split()).count(" ".join(row)) == len(servers), row


def test_the_play_fails_where_a_port_was_opened_by_hand(servers):
    try:
        servers.each(lambda server: server.run("ufw allow 7777/tcp"))
        output = said(verify(portside_verify_from="client"))
    finally:
        servers.each(lambda server: server.run("ufw delete allow 7777/tcp"))
    assert "7777/tcp v4 python3 nobody (by a foreign rule: anyone) open NO" in output


def test_the_play_fails_where_a_port_is_open_that_should_not_be(servers):
    try:
        servers.each(lambda server: server.run("iptables -F DOCKER-USER"))
        output = said(verify(portside_verify_from="client"))
    finally:
        servers.each(lambda server: server.run("ufw reload"))
    for server in servers:
        assert f"{server.name} is not as its firewall declares, seen from client" in output
    assert "9999/tcp v4 container any4 nobody open NO" in output
