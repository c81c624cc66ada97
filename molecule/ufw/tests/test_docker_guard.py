"""Outsiders reach no container, whatever happens to Docker, ufw or the host; containers reach everything.

See files/decoys for what is published, and group_vars for what is declared.
"""

from __future__ import annotations

import json

import pytest
from servers import role, said

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


def all_running(server):
    running = server.run(f"docker inspect --format '{{{{.State.Running}}}}' {' '.join(NAMES)}")
    return running.split() == ["true"] * len(NAMES)


def all_open(server, ports):
    return set(server.reach(*server.targets(*ports)).values()) == {"open"}


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
    """Docker came before the firewall on debian12, and after it on debian13."""

    def check(server):
        event(server, Lab(lab_vars["lab_name"]))
        wait_until(lambda: all_running(server), "all decoys run")
        wait_until(lambda: all_open(server, OPEN), f"{server.name}: ports {OPEN} answer")
        seen = server.reach(*server.targets(*HIDDEN, *CLOSED))
        assert set(seen.values()) == {"silent"}, seen
        forged = server.forge(*what_a_neighbour_can_forge(server))
        assert set(forged.values()) == {"silent"}, forged

    servers.each(check)


def test_without_the_guard_the_same_look_from_outside_finds_the_decoys(servers):
    """The checks above can fail: with the guard's rules taken out for a moment, they would."""

    def look(server):
        try:
            server.run("iptables -F DOCKER-USER && ip6tables -F DOCKER-USER && ip6tables -t security -F FORWARD")
            seen = server.reach(
                *(f"{server.ipv4}/{port}" for port in (9999, 9996, 9991)),
                *(f"{server.ipv6}/{port}" for port in (9995, 9991)),
            )
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
