"""What a container speaks is found out, and said when its gate asked in another language."""

from __future__ import annotations

import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.engine.base import Condition
from ansible_collections.portside.vps.plugins.module_utils.releases import gate, spoken
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock, NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health

Serve = Callable[..., int]


class Http(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def http2(*frames: bytes) -> type[socketserver.StreamRequestHandler]:
    """A server that says its settings, and these frames to the first request."""

    class Http2(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if not self.rfile.read(24).startswith(b"PRI *"):
                return
            self.wfile.write(frame(4, 0, 0))
            while len(head := self.rfile.read(9)) == 9:
                self.rfile.read(int.from_bytes(head[:3], "big"))
                if head[3] == 0:
                    self.wfile.write(b"".join(frames))
                    if not frames:
                        return

    return Http2


HEADS = frame(1, 0x4, 1, b"\x88")
TRAILERS = frame(1, 0x5, 1, b"\x00\x0bgrpc-status\x010")


def health(message: bytes) -> type[socketserver.StreamRequestHandler]:
    """gRPC's health service, with this answer."""
    body = b"\0" + len(message).to_bytes(4, "big") + message
    return http2(frame(6, 0, 0, b"8 bytes."), HEADS, frame(0, 0, 1, body[:3]), frame(0, 0, 1, body[3:]), TRAILERS)


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("tls")
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout key -out crt"
    subprocess.run(made.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    return context


@pytest.fixture
def serve(certified: ssl.SSLContext) -> Iterator[Serve]:
    """Start a server on loopback: `port = serve(Http, tls=True)`."""
    running = []

    def start(handler: type[socketserver.BaseRequestHandler], *, tls: bool = False) -> int:
        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, Any]:
                raw, address = super().get_request()
                return (certified.wrap_socket(raw, server_side=True) if tls else raw), address

        server = Server(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        running.append((server, thread))
        return int(server.server_address[1])

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


def refused(port: int, **declared: object) -> str:
    """What the gate says in the end."""
    times = iter(range(100))
    app = App("shop", "shop:1", port=8443, health=Health(**{"timeout": 3, **declared}))  # type: ignore[arg-type]
    clock = Clock(lambda: float(next(times)), lambda _: None)
    with pytest.raises(NotHealthyError) as caught:
        gate.wait_healthy(app, port, lambda: Condition("running"), gate.probe, clock)
    return str(caught.value)


def test_an_app_that_speaks_https_alone_passes_when_it_is_declared(serve: Serve) -> None:
    port = serve(Http, tls=True)
    assert gate.probe("127.0.0.1", port, Health(scheme="https", host="shop.example.com:8443")).status == 200
    said = refused(port)
    assert "It speaks https on that port, and no plain http: write `site: {scheme: https}`" in said
    assert "Does the app listen" not in said


def test_an_app_that_speaks_http_after_all_is_named_as_such(serve: Serve) -> None:
    port = serve(Http)
    for declared in ({"scheme": "https"}, {"check": "grpc"}):
        assert "It speaks plain http/1.1 on that port: take `scheme: https`" in refused(port, **declared)


def test_an_app_that_speaks_grpc_is_named_as_such(serve: Serve) -> None:
    assert "It speaks HTTP/2 alone on that port, as gRPC does: write `site: {protocol: grpc}`" in refused(
        serve(http2())
    )


def test_an_app_that_says_nothing_gets_the_old_advice(serve: Serve) -> None:
    class Closes(socketserver.BaseRequestHandler):
        """Nothing."""

    assert "Does the app listen on that port" in refused(serve(Closes))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (b"\x08\x01", ""),
        (b"\x08\x02", "it says NOT_SERVING"),
        (b"", "it says UNKNOWN"),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["cleartext", "tls"])
def test_grpcs_own_health_service_is_asked(serve: Serve, message: bytes, words: str, tls: bool) -> None:
    asked = Health(check="grpc", scheme="https" if tls else "http", host="shop.example.com")
    answer = gate.probe("127.0.0.1", serve(health(message), tls=tls), asked)
    assert (answer.good(asked), answer.error) == (not words, words)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ((frame(1, 0x5, 1, b"\x88"),), "has no service grpc.health.v1.Health"),
        ((frame(3, 0, 1, b"\0\0\0\1"),), "broke off the request"),
        ((frame(7, 0, 0, b"\0" * 8),), "broke off the request"),
        ((), "the connection was closed"),
    ],
    ids=["no service", "reset", "goaway", "closed"],
)
def test_an_app_without_that_service_is_not_serving(serve: Serve, frames: tuple[bytes, ...], words: str) -> None:
    asked = Health(check="grpc")
    answer = gate.probe("127.0.0.1", serve(http2(*frames)), asked)
    assert not answer.good(asked)
    assert words in answer.error


def test_what_a_port_speaks_is_told_apart(serve: Serve) -> None:
    assert spoken.spoken("127.0.0.1", serve(Http)) == spoken.HTTP
    assert spoken.spoken("127.0.0.1", serve(Http, tls=True)) == spoken.HTTPS
    assert spoken.spoken("127.0.0.1", serve(http2())) == spoken.HTTP2
    assert spoken.spoken("127.0.0.1", 1) == ""
