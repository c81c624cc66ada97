"""What a port speaks: TLS, HTTP/2 without it, HTTP; and gRPC's own question after health. Standard library alone."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator

HTTP, HTTPS, HTTP2 = "http", "https", "h2"

# RFC 9113: section 3.4 the preface, 4.1 and 6 the frames.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
HEALTH_PATH = "/grpc.health.v1.Health/Check"
# An empty message behind gRPC's prefix: one byte whether it is compressed, four for its length.
EMPTY_MESSAGE = b"\0" * 5
# grpc.health.v1.HealthCheckResponse.ServingStatus.
SERVING_STATUS = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class SpokenError(Exception):
    """There was no answer of the kind that was asked for; the message says what came."""


def opened(address: str, port: int, timeout: float, *, tls: bool, name: str = "", alpn: str = "") -> socket.socket:
    """A connection; over TLS whoever the certificate is for, since it is this host's own loopback port.

    Raises:
        OSError: there is none, or no handshake.
    """
    raw = socket.create_connection((address, port), timeout=timeout)
    if not tls:
        return raw
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols([alpn])
    try:
        return context.wrap_socket(raw, server_hostname=name.rpartition("]")[2].partition(":")[0] or None)
    except (OSError, ValueError):
        raw.close()
        raise


def spoken(address: str, port: int, timeout: float = 2.0) -> str:
    """What the port speaks: HTTPS, HTTP2 (without TLS, as gRPC does), HTTP, or an empty text for nothing of these."""
    found: dict[str, Callable[[str, int, float], bool]] = {HTTPS: _tls, HTTP2: _http2, HTTP: _http}
    for language, speaks in found.items():
        with contextlib.suppress(OSError):
            if speaks(address, port, timeout):
                return language
    return ""


def _tls(address: str, port: int, timeout: float) -> bool:
    """Whether a TLS handshake is answered, be it with a refusal (RFC 8446, section 6)."""
    try:
        opened(address, port, timeout, tls=True, name="localhost").close()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    return True


def _http2(address: str, port: int, timeout: float) -> bool:
    """RFC 9113, section 3.4: whoever speaks it begins with its settings. A server of HTTP/1 takes the preface for a
    request of an unknown version."""
    with opened(address, port, timeout, tls=False) as connection:
        connection.sendall(PREFACE + _frame(SETTINGS, 0, 0, b""))
        head = _exactly(connection, 9)
        return head[3] == SETTINGS and head[5:] == b"\0" * 4


def _http(address: str, port: int, timeout: float) -> bool:
    with opened(address, port, timeout, tls=False) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return _exactly(connection, 5) == b"HTTP/"


def grpc_serving(address: str, port: int, timeout: float, *, tls: bool, name: str) -> str:
    """What the app says of itself when it is asked as github.com/grpc/grpc/blob/master/doc/health-checking.md has it.

    The answer's headers are not read, and so not unpacked (RFC 7541): one that says how it is, says it in the body.

    Raises:
        OSError: nobody answered.
        SpokenError: it speaks no gRPC, or has no such service.
    """
    with opened(address, port, timeout, tls=tls, name=name, alpn="h2" if tls else "") as connection:
        fields = {
            ":method": "POST",
            ":scheme": "https" if tls else "http",
            ":path": HEALTH_PATH,
            ":authority": name,
            "content-type": "application/grpc",
            "te": "trailers",
        }
        connection.sendall(
            PREFACE
            + _frame(SETTINGS, 0, 0, b"")
            + _frame(HEADERS, END_HEADERS, 1, b"".join(_field(*field) for field in fields.items()))
            + _frame(DATA, END_STREAM, 1, EMPTY_MESSAGE)
        )
        return _status(b"".join(_messages(connection)))


def _status(message: bytes) -> str:
    """The state that a HealthCheckResponse holds: a field numbered 1, or none, which is 0."""
    if len(message) < len(EMPTY_MESSAGE):
        raise SpokenError("it answers, and has no service grpc.health.v1.Health")
    body = message[len(EMPTY_MESSAGE) :]
    number = body[1] if body[:1] == b"\x08" and len(body) > 1 else 0
    return SERVING_STATUS.get(number, str(number))


def _messages(connection: socket.socket) -> Iterator[bytes]:
    """What the answer's frames carry, until it ends."""
    first = True
    while True:
        head = _exactly(connection, 9)
        kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
        if first and kind != SETTINGS:
            raise SpokenError("it speaks no HTTP/2")
        first = False
        payload = _exactly(connection, int.from_bytes(head[:3], "big"))
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(_frame(SETTINGS, ACK, 0, b""))
        elif kind == PING and not flags & ACK:
            connection.sendall(_frame(PING, ACK, 0, payload))
        elif kind == GOAWAY or (kind == RST_STREAM and stream == 1):
            raise SpokenError("it broke off the request")
        elif kind == DATA and stream == 1:
            yield payload[1 : len(payload) - payload[0]] if flags & PADDED else payload
        if kind in (DATA, HEADERS) and stream == 1 and flags & END_STREAM:
            return


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _field(name: str, value: str) -> bytes:
    """A header as a literal that is not kept (RFC 7541, section 6.2.2); names and values are short here."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([min(len(value), 126)]) + value.encode()[:126]


def _exactly(connection: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        more = connection.recv(count - len(found))
        if not more:
            raise ConnectionResetError("the connection was closed")
        found += more
    return found
