"""What containers reach: no cloud's credentials, and from a network that is shut what is declared alone."""

from __future__ import annotations

import pytest
from servers import passed, role

METADATA = ("169.254.169.254", "fd00:ec2::254")
BRIDGE = "br-5e17ab1e0001"
OPEN, OTHER = 4001, 4002
# Answers "outside" by HTTP on all of its ports, IPv4 and IPv6.
ANSWER = """
import http.server, socket, threading
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"outside")
    def log_message(self, *_): pass
for port in (80, 4001, 4002):
    threading.Thread(target=Server(("::", port), Handler).serve_forever).start()
"""


@pytest.fixture(scope="module")
def outside(client, servers, lab_vars, wait_until):
    """The machine outside answers on its own addresses, and plays the cloud to the servers. Returns its addresses."""
    own = (lab_vars["lab_client_ipv4"], lab_vars["lab_client_ipv6"])
    for address in METADATA:
        client.check_output(f"ip address replace {address}/{128 if ':' in address else 32} dev eth0")
    process = client.check_output(f"nohup python3 -c '{ANSWER}' > /dev/null 2>&1 & echo $!").strip()
    wait_until(lambda: client.run(f"curl --silent http://127.0.0.1:{OTHER}/").stdout == "outside", "it answers")
    for server in servers:
        for address, via in zip(METADATA, own, strict=True):
            server.run(f"ip route replace {address} via {via}")
            assert reached(server, "", address, 80), "the host itself reaches it"
    yield own
    for server in servers:
        for address in METADATA:
            server.run(f"ip route del {address}")
    client.check_output(f"kill {process}")
    for address in METADATA:
        client.check_output(f"ip address del {address}/{128 if ':' in address else 32} dev eth0")


def ask(server, container, address, port):
    """What an HTTP server says to a container, or to the server itself (Debian 12's busybox has no wget that runs)."""
    prefix = f"docker exec -i {container} " if container else ""
    request = r"printf 'GET / HTTP/1.0\r\n\r\n'"
    return str(server.host.run(f"{request} | {prefix}/bin/busybox nc -w 3 {address} {port}").stdout)


def reached(server, container, address, port):
    """Whether a container, or the server itself, gets the answer of the machine outside there."""
    return ask(server, container, address, port).endswith("outside")


def test_containers_get_no_credentials_of_the_cloud_unless_allowed(servers, outside):
    def look(server, expected):
        assert {address: reached(server, "named6", address, 80) for address in METADATA} == expected
        assert all(reached(server, "named6", address, OPEN) for address in outside), "all else goes on"

    passed(role())
    servers.each(lambda server: look(server, dict.fromkeys(METADATA, False)))
    passed(role(ufw_docker_metadata="allow"), changed=1)
    servers.each(lambda server: look(server, dict.fromkeys(METADATA, True)))
    passed(role(), changed=1)
    servers.each(lambda server: look(server, dict.fromkeys(METADATA, False)))


@pytest.fixture
def shut(servers):
    """On each server a container on a network whose bridge has a known name. Returns the container's name."""

    def make(server):
        server.run(
            f"docker network create --ipv6 --subnet fd00:5b::/64 --opt com.docker.network.bridge.name={BRIDGE} shut"
        )
        for name in ("confined", "neighbour"):
            port = "--publish 127.0.0.1:9980:80" if name == "confined" else ""
            command = "decoy /bin/busybox httpd -f -p [::]:80 -h /www"
            server.run(
                f"docker run --detach --restart always --stop-signal KILL --name {name} --network shut {port} {command}"
            )

    servers.each(make)
    yield "confined"
    servers.each(lambda server: server.run("docker rm --force confined neighbour && docker network rm shut"))
    passed(role())


def test_a_network_that_is_shut_reaches_what_is_declared_alone(servers, outside, shut, wait_until):
    """Whatever comes back after whatever: the rules, Docker, and the container."""
    declared = {
        "ufw_docker_egress": [
            {"bridge": BRIDGE, "to": [{"network": address, "port": OPEN} for address in outside], "comment": "a test"}
        ]
    }
    ports = [(address, port) for address in outside for port in (OPEN, OTHER)]

    def holds(server):
        assert {place: reached(server, shut, *place) for place in ports} == {
            (address, port): port == OPEN for address, port in ports
        }
        assert not any(reached(server, shut, address, 80) for address in METADATA)
        for address in (server.ipv4, server.ipv6):
            assert ask(server, shut, address, 80) == "", "not the host either"
        assert "decoy" in ask(server, shut, "neighbour", 80), "its neighbour by its name"
        assert "decoy" in ask(server, "", "127.0.0.1", 9980), "it is reached as before"

    servers.each(lambda server: [reached(server, shut, *place) or pytest.fail(str(place)) for place in ports])
    passed(role(**declared), changed=1)
    passed(role(**declared), changed=0)
    servers.each(holds)
    for change in ("ufw reload", "systemctl restart docker", f"docker restart {shut}"):
        servers.each(lambda server, change=change: server.run(change))
        servers.each(
            lambda server: wait_until(
                lambda: server.host.run(f"docker exec {shut} /bin/busybox true").rc == 0,
                f"{server.name}: the container runs",
            )
        )
        servers.each(holds)
    passed(role(**declared), changed=0)


def test_a_network_that_is_shut_no_more_leaves_no_rules(servers):
    passed(role(ufw_docker_egress=[{"bridge": BRIDGE}]))
    passed(role(), changed=1)
    for server in servers:
        assert "ufw-docker-out" not in server.run("iptables-save; ip6tables-save")
        assert "ufw-docker-host" not in server.run("iptables-save; ip6tables-save")
