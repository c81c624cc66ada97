"""A proxy that is spoken to in TLS, with a host behind it that is, too: both real, on loopback."""

from __future__ import annotations

import select
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import egress
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.trust import Trust

from lab import pki

LONG = 200_000
Start = Callable[[Callable[[ssl.SSLSocket], None], str], int]


@pytest.fixture
def start(tmp_path) -> Iterator[Start]:
    """`start(answer, directory)` listens in TLS for one connection; gives the port."""
    servers: list[socket.socket] = []
    threads: list[Thread] = []

    def listen(answer: Callable[[ssl.SSLSocket], None], directory: str) -> int:
        folder = tmp_path / directory
        if not folder.exists():
            folder.mkdir()
            pki.ensure_endpoint(folder, "localhost", ["127.0.0.1"])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / pki.CERTIFICATE, folder / pki.KEY)
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(10)
        servers.append(server)

        def serve() -> None:
            with suppress(OSError):
                raw, _ = server.accept()
                raw.settimeout(10)
                with raw, context.wrap_socket(raw, server_side=True) as connection:
                    answer(connection)

        threads.append(Thread(target=serve))
        threads[-1].start()
        return int(server.getsockname()[1])

    yield listen
    for server in servers:
        server.close()
    for thread in threads:
        thread.join(10)


def proxy_to(port: int, asked: list[str], says: str = "200 OK") -> Callable[[ssl.SSLSocket], None]:
    """A proxy for one CONNECT, that passes bytes to and fro afterwards."""

    def answer(client: ssl.SSLSocket) -> None:
        asked.append(client.recv(4096).decode())
        client.sendall(f"HTTP/1.1 {says}\r\n\r\n".encode())
        if says != "200 OK":
            return
        with socket.create_connection(("127.0.0.1", port)) as target:
            while True:
                ready = [client] if client.pending() else select.select([client, target], [], [], 10)[0]
                if not ready:
                    return
                source = ready[0]
                data = source.recv(65536)
                if not data:
                    return
                (target if source is client else client).sendall(data)

    return answer


def says(status: str, body: bytes = b"") -> Callable[[ssl.SSLSocket], None]:
    """A host that answers one request."""

    def answer(client: ssl.SSLSocket) -> None:
        client.recv(4096)
        client.sendall(f"HTTP/1.1 {status}\r\nX-Long: {'x' * 60000}\r\n\r\n".encode() + body)

    return answer


def ask(tmp_path, target: int, proxy: int, trusted: tuple[str, ...]) -> dict:
    bundles = [str(tmp_path / name / pki.CA) for name in trusted]
    trust = Trust(bundle=bundles[0], added=tuple(bundles[1:]))
    return egress.attempt(f"https://localhost:{target}/x", f"https://u:p%23@localhost:{proxy}", trust)


@pytest.mark.parametrize(
    ("status", "stage"), [("200 OK", "ok"), ("404 No", "ok"), ("403 No", "ok"), ("503 Trouble", "http")]
)
def test_a_host_in_tls_is_asked_through_a_proxy_in_tls(start, tmp_path, status, stage):
    asked: list[str] = []
    target = start(says(status, b"b" * LONG), "target")
    found = ask(tmp_path, target, start(proxy_to(target, asked), "proxy"), ("target", "proxy"))
    assert (found["stage"], found["status"]) == (stage, int(status[:3])), found
    assert asked[0].startswith(f"CONNECT localhost:{target} HTTP/1.1\r\n")
    assert "Proxy-Authorization: Basic dTpwIw==\r\n" in asked[0]


@pytest.mark.parametrize(("trusted", "stage"), [("proxy", "certificate"), ("target", "proxy-certificate")])
def test_whose_certificate_is_not_trusted_is_told(start, tmp_path, trusted, stage):
    target = start(says("200 OK"), "target")
    found = ask(tmp_path, target, start(proxy_to(target, []), "proxy"), (trusted,))
    assert found["stage"] == stage, found
    assert found["error"]


def test_the_refusal_of_a_proxy_in_tls_is_its_refusal(start, tmp_path):
    target = start(says("200 OK"), "target")
    found = ask(tmp_path, target, start(proxy_to(target, [], "403 Filtered"), "proxy"), ("target", "proxy"))
    assert (found["stage"], found["status"], found["error"]) == ("connect", 403, "Filtered")


def test_a_host_behind_it_that_speaks_no_tls_is_a_fault_of_that_host(start, tmp_path):
    start(says("200 OK"), "target")
    with socket.create_server(("127.0.0.1", 0)) as plain:
        port = int(plain.getsockname()[1])

        def refuse() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = Thread(target=refuse)
        thread.start()
        found = ask(tmp_path, port, start(proxy_to(port, []), "proxy"), ("target", "proxy"))
        thread.join(10)
    assert found["stage"] == "tls", found


def test_a_proxy_that_speaks_no_tls_is_told_from_the_host(tmp_path):
    def refuse(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=refuse, args=(server,))
        thread.start()
        proxy = f"https://127.0.0.1:{server.getsockname()[1]}"
        found = egress.attempt("https://localhost:9", proxy, Trust())
        thread.join(10)
    assert found["stage"] == "proxy-tls", found
