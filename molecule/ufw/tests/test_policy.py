"""The declared policy is what holds, however it came about; and a run that has nothing to do does nothing."""

from __future__ import annotations

import re

import pytest
from servers import POLICY_TASK, passed, role, said

PORTS = [str(port) for port in range(20001, 20201)]
MANY = [{"port": port, "proto": "tcp", "comment": f"rule {port}"} for port in PORTS]
ALLOWED = "{}/tcp ALLOW Anywhere".format


@pytest.fixture(scope="module", autouse=True)
def as_converged(servers):
    """The servers are handed on as they were."""
    yield
    servers.each(lambda server: server.run("ufw --force reset && rm -rf /etc/ufw/*.rules.2* /var/lib/portside"))
    passed(role())


def test_200_rules_are_applied_in_one_call_and_keep_their_order(servers):
    run = role(ufw_rules=MANY, ufw_docker_allow=[])
    passed(run, changed=1)
    assert {calls[POLICY_TASK] for calls in run.calls.values()} == {1}
    for server in servers:
        assert server.rules(4) == server.rules(6) == [ALLOWED(port) for port in ("22", *PORTS)]


def test_a_run_with_nothing_to_change_is_one_module_call_however_many_rules_there_are(servers):
    before = servers.each(lambda server: server.firewall())
    run = role(ufw_rules=MANY, ufw_docker_allow=[])
    passed(run, changed=0)
    # Beside the one fact that every role needs, when nobody has gathered it.
    for calls in run.calls.values():
        assert {task: count for task, count in calls.items() if "the operating system is known" not in task} == {
            POLICY_TASK: 1
        }
    assert servers.each(lambda server: server.firewall()) == before


def test_rules_that_change_places_are_a_change(servers):
    passed(role(ufw_rules=MANY[::-1], ufw_docker_allow=[]), changed=1)
    for server in servers:
        assert server.rules(4) == server.rules(6) == [ALLOWED(port) for port in ("22", *PORTS[::-1])]


def test_ufw_itself_would_write_the_same_files(servers):
    rules = [
        {"port": 25, "action": "reject", "direction": "out", "comment": "no mail"},
        {"port": "8000:8010", "from": "192.0.2.0/24"},
        {"port": 9100, "interface": "eth0", "proto": "tcp", "from": "2001:db8::/32"},
        {"port": 2222, "proto": "tcp", "action": "limit"},
        {"direction": "routed", "interface": "eth0", "interface_out": "lo", "port": 81, "proto": "udp"},
        {"from": "192.0.2.66", "action": "deny", "comment": 'Büro "Nord" \u2013 \\ $(id) # 100%'},
    ]
    passed(role(ufw_rules=rules, ufw_docker_allow=[]), changed=1)

    def compare(server):
        server.run("mkdir -p /root/ours && cp /etc/ufw/user*.rules /root/ours")
        server.run("ufw allow 4444/tcp && ufw delete allow 4444/tcp")
        server.run("for name in /root/ours/*; do diff $name /etc/ufw/${name##*/}; done")

    servers.each(compare)


def test_purge_removes_what_the_role_added_and_nothing_else(servers):
    passed(role(ufw_rules=MANY[:2], ufw_docker_allow=[]), changed=1)
    servers.each(
        lambda server: server.run("ufw allow 7777/tcp comment mine && ufw insert 1 deny from 192.0.2.66 comment ban")
    )
    passed(role(ufw_rules=MANY[:2], ufw_docker_allow=[]), changed=0)
    passed(role(ufw_rules=MANY[1:2], ufw_docker_allow=[]), changed=1)
    for server in servers:
        assert server.rules(6) == [ALLOWED("22"), ALLOWED("20002"), ALLOWED("7777")]
        assert server.rules(4) == ["Anywhere DENY 192.0.2.66", *server.rules(6)]
    passed(role(ufw_rules=[], ufw_docker_allow=[], ufw_purge_foreign=True), changed=1)
    for server in servers:
        assert server.rules(4) == server.rules(6) == [ALLOWED("22")]


def test_a_rule_list_written_by_hand_before_the_role_came_is_taken_over(servers):
    def by_hand(server):
        server.run("ufw --force reset && rm -rf /etc/ufw/*.rules.2* /var/lib/portside")
        server.run("ufw allow 22/tcp && ufw allow 80/tcp comment mine && ufw deny 443 && ufw allow 7777/tcp")
        server.run("ufw --force enable")

    servers.each(by_hand)
    run = role("--check", "--diff")
    passed(run, changed=1)
    assert "-IPv4: deny 443" in run.output
    assert "+IPv4: allow 443 # https" in run.output
    passed(role(), changed=1)
    for server in servers:
        assert server.rules(6) == [ALLOWED("22"), ALLOWED("80"), "443 ALLOW Anywhere", ALLOWED("9993"), ALLOWED("7777")]
        assert set(server.reach(*server.targets(7777, 80)).values()) == {"open"}
    passed(role(ufw_rules=[{"port": 7777, "proto": "tcp", "state": "absent"}], ufw_docker_allow=[]), changed=1)
    for server in servers:
        assert server.rules(4) == server.rules(6) == [ALLOWED("22")]
        assert set(server.reach(*server.targets(7777)).values()) == {"silent"}


def test_a_firewall_without_ipv6_and_with_application_profiles_is_taken_over(servers):
    """What ufw was told by the names of applications stays as it was, and stays ufw's to delete."""

    def by_hand(server):
        server.run("ufw --force reset && rm -rf /etc/ufw/*.rules.2* /var/lib/portside")
        server.run("sed -i s/^IPV6=.*/IPV6=no/ /etc/default/ufw")
        profile = "[Two Ports]\ntitle=Two\ndescription=Two\nports=7777,7780:7790/tcp|9090/udp\n"
        server.run(f"printf '{profile}' > /etc/ufw/applications.d/two")
        server.run("ufw allow OpenSSH && ufw allow 'Two Ports' comment 'two of them'")

    servers.each(by_hand)
    passed(role(), changed=1)
    passed(role(), changed=0)

    def check(server):
        assert server.rules(4)[-2:] == ["OpenSSH ALLOW Anywhere", "Two Ports ALLOW Anywhere"]
        assert set(server.reach(*server.targets(22, 80)).values()) == {"open"}
        assert server.reach(f"{server.ipv4}/7777", f"{server.ipv6}/7777") == {
            f"{server.ipv4}/7777": "open",
            f"{server.ipv6}/7777": "silent",
        }
        server.run("mkdir -p /root/ours && cp /etc/ufw/user*.rules /root/ours")
        server.run("ufw allow 4444/tcp && ufw delete allow 4444/tcp")
        server.run("for name in /root/ours/*; do diff $name /etc/ufw/${name##*/}; done")
        server.run("ufw delete allow 'Two Ports' && rm /etc/ufw/applications.d/two")
        assert server.rules(4)[-1] == "OpenSSH ALLOW Anywhere"

    servers.each(check)
    passed(role(ufw_purge_foreign=True), changed=1)


def test_check_mode_predicts_what_the_run_then_does_and_touches_nothing(servers):
    wanted = {
        "ufw_rules": MANY[:3],
        "ufw_default_incoming": "reject",
        "ufw_logging": "medium",
        "ufw_docker_allow": [{"port": 9999}],
    }
    before = servers.each(lambda server: server.firewall())
    predicted = role("--check", "--diff", **wanted)
    passed(predicted, changed=1)
    assert servers.each(lambda server: server.firewall()) == before
    done = role("--diff", **wanted)
    passed(done, changed=1)
    diff = re.compile(r"^[-+].*", re.MULTILINE)
    assert sorted(diff.findall(predicted.output)) == sorted(diff.findall(done.output))


def test_another_firewall_that_would_undo_this_one_is_named(servers):
    """As it shows at boot, which is when it would: by a link in systemd's folder."""
    wants = "/etc/systemd/system/multi-user.target.wants"
    before = servers.each(lambda server: server.firewall())
    servers.each(
        lambda server: server.run(
            f"printf 'flush ruleset\\n' > /etc/nftables.conf; cd {wants}; touch nftables.service firewalld.service"
        )
    )
    try:
        output = said(role())
    finally:
        servers.each(lambda server: server.run(f"cd {wants}; rm nftables.service firewalld.service /etc/nftables.conf"))
    assert output.count("nftables.service is enabled, and /etc/nftables.conf says `flush ruleset`") >= len(servers)
    assert output.count("firewalld is enabled") >= len(servers)
    assert servers.each(lambda server: server.firewall()) == before


def test_the_guard_can_be_taken_out_again(servers):
    passed(role(ufw_docker_guard=False), changed=1)
    for server in servers:
        assert "ufw-docker-guard" not in server.run("iptables-save; ip6tables-save; cat /etc/ufw/after*.rules")
        assert server.reach(f"{server.ipv4}/9999") == {f"{server.ipv4}/9999": "open"}
    passed(role(), changed=1)
    for server in servers:
        assert server.reach(f"{server.ipv4}/9999") == {f"{server.ipv4}/9999": "silent"}


@pytest.mark.parametrize(
    "damage",
    ["iptables -F ufw-user-input && ip6tables -F DOCKER-USER", "ufw disable && systemctl disable ufw"],
)
def test_what_was_lost_is_noticed_and_brought_back(damage, servers):
    before = servers.each(lambda server: server.firewall())
    servers.each(lambda server: server.run(damage))
    passed(role(), changed=1)
    after = servers.each(lambda server: server.firewall())
    assert {name: re.sub(r"\d{10}", "", text) for name, text in after.items()} == {
        name: re.sub(r"\d{10}", "", text) for name, text in before.items()
    }


def test_a_change_of_rules_opens_nothing_meanwhile(servers, client):
    """A closed port is tried again and again while rules change."""
    targets = " ".join(target for server in servers for target in server.targets(9090))
    watch = f"rm -f /tmp/stop; while [ ! -e /tmp/stop ]; do reach {targets} >> /tmp/watched; done"
    client.check_output(f"nohup sh -c '{watch}' > /dev/null 2>&1 & echo started")
    try:
        passed(role(ufw_rules=MANY), changed=1)
        passed(role(), changed=1)
    finally:
        client.check_output("touch /tmp/stop")
    watched = client.check_output("sleep 3; cat /tmp/watched; rm -f /tmp/watched")
    assert "silent" in watched
    assert "open" not in watched


@pytest.mark.parametrize(
    ("rules", "messages"),
    [
        (
            [
                {"port": 80},
                {"port": 443, "proto": "tpc"},
                {"port": 80, "from": "192.0.2.1/24"},
                {"port": "9000:8000", "proto": "tcp"},
                {"port": "80", "action": "deny"},
            ],
            [
                "rule 2 (port: 443, proto: tpc): proto 'tpc' is unknown",
                "rule 3 (port: 80, from: 192.0.2.1/24): from '192.0.2.1/24' has bits set behind its prefix",
                "rule 4 (port: 9000:8000, proto: tcp): port '9000:8000' is a range that runs backwards",
                "rule 5 (port: 80, action: deny): matches the same traffic as ufw_rules, rule 1 (port: 80)",
            ],
        ),
        (
            [{"port": 80}, {"port": 81, "interface": "eth7"}],
            ["rule 2 (port: 81, interface: eth7): interface 'eth7' doesn't exist on this host, which has br-"],
        ),
    ],
)
def test_bad_input_is_refused_before_anything_changes(rules, messages, servers):
    before = servers.each(lambda server: server.firewall())
    output = said(role(ufw_rules=rules))
    for message in messages:
        assert message in output
    assert servers.each(lambda server: server.firewall()) == before
