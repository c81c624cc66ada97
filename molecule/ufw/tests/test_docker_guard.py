"""Outsiders reach no container, whatever happens to Docker, ufw or the host; containers reach everything.

See files/decoys for what is published, and group_vars for what is declared.
"""

from __future__ import annotations

import json

import pytest
from servers import passed, role, said

from lab import lifecycle
from lab.identity import Lab

HIDDEN = (9999, 9998, 9997, 9996, 9995, 9994, 9992, 9991)
OPEN = (22, 80, 9993)
CLOSED = (9090, 7777)
NAMES = ("any4", "any6", "named4", "named6", "loopback4", "loopback6", "allowed", "elsewhere", "inside")


def container_addresses(server, *names):
    """Every address of these decoys, with the port that they serve."""
    found = set()
    for container in json.loads(server.run(f"docker inspect {' '.join(names)}")):
        port = "9993" if container["Name"] == "/inside" else "80"
        for network in container["NetworkSettings"]["Networks"].values():
            found |= {f"{network[key]}/{port}" for key in ("IPAddress", "GlobalIPv6Address") if network[key]}
    return found


def what_a_neighbour_can_forge(server):
    """Container addresses, and what is published on loopback."""
    return [*container_addresses(server, *NAMES), "127.0.0.1/9997", "127.0.0.1/9994", "::1/9994"]


def forwarded(server):
    """Published ports that Docker forwards to a container of the same address family."""
    return [
        *(f"{server.ipv4}/{port}" for port in (9999, 9996, 9991)),
        *(f"{server.ipv6}/{port}" for port in (9995, 9991)),
    ]


def all_running(server):
    running = server.run(f"docker inspect --format '{{{{.State.Running}}}}' {' '.join(NAMES)}")
    return running.split() == ["true"] * len(NAMES)


def all_open(server, ports):
    return set(server.reach(*server.targets(*ports)).values()) == {"open"}


def nothing_leaks(server, *closed):
    """Neither what is published nor what is forged gets an answer, nor these ports of the host itself."""
    seen = server.reach(*server.targets(*HIDDEN, *closed))
    assert set(seen.values()) == {"silent"}, seen
    forged = server.forge(*what_a_neighbour_can_forge(server))
    assert set(forged.values()) == {"silent"}, forged


def nothing(_server, _lab):
    pass


def a_new_network(server, _lab):
    server.run("docker network create --ipv6 --subnet fd00:dec0::/64 late && docker network connect late any4")


def docker_restarted(server, _lab):
    server.run("systemctl restart docker")


def ufw_reload(server, _lab):
    server.run("ufw reload")


def ufw_disable_and_enable(server, _lab):
    server.run("ufw disable && ufw --force enable")


def a_container_made_again(server, _lab):
    server.run(
        "docker rm --force any4 && docker run --detach --restart always --stop-signal KILL --name any4"
        " --publish 0.0.0.0:9999:80 decoy /bin/busybox httpd -f -p '[::]:80' -h /www"
    )


def a_reboot(server, lab):
    lifecycle.reboot(lab, server.name)


@pytest.mark.parametrize(
    "event",
    [
        nothing,
        a_new_network,
        docker_restarted,
        ufw_reload,
        ufw_disable_and_enable,
        a_container_made_again,
        a_reboot,
    ],
)
def test_published_ports_stay_hidden_after(event, servers, lab_vars, wait_until):
    """Docker came after the firewall."""

    def check(server):
        wait_until(lambda: all_running(server), "all decoys run")
        wait_until(lambda: all_open(server, OPEN), f"{server.name}: ports {OPEN} answer")
        nothing_leaks(server, *CLOSED)

    # A reboot ends the shared connections to all servers of the lab.
    servers.each(lambda server: event(server, Lab(lab_vars["lab_name"])))
    servers.each(check)


def test_ufw_disable_opens_the_host_and_no_container(servers):
    """Whoever turns ufw off to look for a fault doesn't mean every database in a container.

    Where Docker doesn't forward, its docker-proxy is a process of the host, and open like all others.
    """

    def look(server):
        try:
            server.run("ufw disable")
            assert all_open(server, CLOSED)
            seen = server.reach(*forwarded(server))
            assert set(seen.values()) == {"silent"}, seen
            forged = server.forge(*what_a_neighbour_can_forge(server))
            assert set(forged.values()) == {"silent"}, forged
        finally:
            server.run("ufw --force enable")

    servers.each(look)


def test_a_firewall_that_comes_after_docker_hides_what_is_published_already(servers):
    """And what is wrong is refused before as much as its package is installed."""

    def take_away(server):
        server.run("dpkg --purge ufw && rm -rf /var/lib/portside/ufw")
        server.run("iptables -F DOCKER-USER; ip6tables -F DOCKER-USER; ip6tables -t security -F FORWARD")
        server.run("iptables -P FORWARD ACCEPT; iptables -P INPUT ACCEPT; ip6tables -P INPUT ACCEPT")
        assert server.reach(f"{server.ipv4}/9999") == {f"{server.ipv4}/9999": "open"}

    servers.each(take_away)
    output = said(role(ufw_manage_packages=True, ufw_rules=[{"port": 81, "interface": "eth7"}]))
    assert output.count("rule 1 (port: 81, interface: eth7): interface 'eth7' doesn't exist") >= len(servers)
    for server in servers:
        assert server.host.run("ls /usr/sbin/ufw /etc/ufw/user.rules /var/lib/portside/ufw").stdout == ""
    passed(role(ufw_manage_packages=True), changed=2)

    def check(server):
        assert all_open(server, OPEN)
        nothing_leaks(server, *CLOSED)

    servers.each(check)


LAN = """
set -e
ip link add {bridge} type bridge && ip address add 10.99.{n}.1/24 dev {bridge}
echo 0 > /proc/sys/net/ipv6/conf/{bridge}/disable_ipv6
ip address add fd99:{n}::1/64 dev {bridge} nodad && ip link set {bridge} up
ip netns add {bridge} && ip link add lan{n} type veth peer name inside netns {bridge}
ip link set lan{n} master {bridge} up
ip -n {bridge} address add 10.99.{n}.2/24 dev inside && ip -n {bridge} address add fd99:{n}::2/64 dev inside nodad
ip -n {bridge} link set inside up
ip -n {bridge} route add default via 10.99.{n}.1 && ip -n {bridge} route add default via fd99:{n}::1
"""
# The second begins like Docker's br-d41d8cd98f00, so that the role has to except it by its name.
BRIDGES = ("br-lan", "br-data")


def test_a_bridge_of_the_host_is_not_trusted_for_being_called_like_dockers(servers):
    def look(server):
        for number, bridge in enumerate(BRIDGES):
            host = [f"10.99.{number}.1", f"fd99:{number}::1"]
            published = [f"{host[0]}/9999", f"{host[1]}/9995"]
            targets = [*container_addresses(server, "any4", "named4", "named6"), *published]
            ssh = [f"{address}/22" for address in host]
            found = json.loads(server.run(f"ip netns exec {bridge} reach {' '.join([*ssh, *targets])}"))
            assert [found.pop(target) for target in ssh] == ["open", "open"]
            assert set(found.values()) == {"silent"}, found

    try:
        for script in [LAN.format(bridge=bridge, n=number) for number, bridge in enumerate(BRIDGES)]:
            servers.each(lambda server, lan=script: server.run(lan))
        passed(role(), changed=1)
        servers.each(look)
    finally:
        for bridge in BRIDGES:
            servers.each(lambda server, name=bridge: server.host.run(f"ip netns delete {name}; ip link delete {name}"))
    passed(role(), changed=1)


def test_a_network_whose_bridge_the_guard_does_not_know_is_named(servers):
    def network(server):
        server.run("docker network create --opt com.docker.network.bridge.name=mine namedbridge")

    try:
        servers.each(network)
        run = role()
        passed(run, changed=0)
        output = " ".join(run.output.split())
        assert output.count("network namedbridge has a bridge of its own name, mine,") >= 1
        run = role(ufw_docker_interfaces=["docker0", "docker_gwbridge", "br-+", "mine"])
        passed(run, changed=1)
        assert "namedbridge" not in run.output
    finally:
        servers.each(lambda server: server.run("docker network rm namedbridge"))
        passed(role(), changed=1)


def test_without_the_guard_the_same_look_from_outside_finds_the_decoys(servers):
    """The checks above can fail: with the guard's rules taken out for a moment, they would."""

    def look(server):
        try:
            server.run("iptables -F DOCKER-USER && ip6tables -F DOCKER-USER && ip6tables -t security -F FORWARD")
            seen = server.reach(*forwarded(server))
            forged = server.forge(*what_a_neighbour_can_forge(server))
        finally:
            server.run("ufw reload")
        assert set(seen.values()) == {"open"}, seen
        # The kernel itself drops what comes from outside for ::1.
        found = {target for target, answer in forged.items() if answer == "open"}
        assert found >= {"127.0.0.1/9997", "127.0.0.1/9994", *container_addresses(server, "any4", "named4", "named6")}

    servers.each(look)


def test_containers_reach_out_and_each_other_and_resolve_names(servers, lab_vars):
    def inside(server):
        for address in (lab_vars["lab_client_ipv4"], lab_vars["lab_client_ipv6"]):
            assert "SSH-2.0" in server.run(f"docker exec named6 sh -c 'echo | nc -w 5 {address} 22'")
        for other in container_addresses(server, "allowed"):
            address, _, port = other.rpartition("/")
            ask = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {address} {port}"
            assert "decoy" in server.run(f'docker exec named6 sh -c "{ask}"')
            assert address in server.run("docker exec named6 nslookup allowed")
        assert "Address" in server.run("docker exec any4 nslookup registry.lab.test")

    servers.each(inside)


def test_the_host_itself_reaches_what_is_published(servers):
    def ask(server):
        for url in ("http://127.0.0.1:9997/", f"http://{server.ipv4}:9999/", "http://[::1]:9994/"):
            code = f"from urllib.request import urlopen; print(urlopen('{url}', timeout=5).read().decode())"
            assert "decoy" in server.run(f'python3 -c "{code}"')

    servers.each(ask)


@pytest.mark.parametrize(
    ("options", "message"),
    [('{"iptables": false}', "iptables: false"), ('{"firewall-backend": "nftables"}', "nftables backend")],
)
def test_a_docker_that_cannot_be_guarded_is_refused(options, message, servers):
    servers.each(lambda server: server.run("cp /etc/docker/daemon.json /root/daemon.json"))
    before = servers.each(lambda server: server.firewall())
    try:
        servers.each(lambda server: server.run(f"echo '{options}' > /etc/docker/daemon.json"))
        run = role()
    finally:
        servers.each(lambda server: server.run("mv /root/daemon.json /etc/docker/daemon.json"))
    assert said(run).count(message) >= len(servers)
    assert servers.each(lambda server: server.firewall()) == before
