"""Clients of a proxy that are slow, or do nothing, over TLS: so many connections from one address.

    clients.py headers|bodies|readers|idle|sockets PORT CONNECTIONS [SECONDS]

Opens them, at most 1,000 a second, within SECONDS; writes how many are open; keeps them until its input ends or has a
line; writes how many are left. What the proxy closes is not opened a second time, as with slowhttptest(1).
"""

import asyncio
import contextlib
import resource
import ssl
import subprocess
import sys
import time
from typing import cast

TARGET, HOST = "127.0.0.1", "wire.test"
PER_SECOND, AT_ONCE, DRIP, LIFE = 1000, 50, 3.0, 180.0
SOCKET = (
    f"GET /socket HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
# What a client sends at first, and then again and again.
SAYS = {
    "headers": (f"GET /small HTTP/1.1\r\nHost: {HOST}\r\n", "X-Slow: 1\r\n"),
    "bodies": (f"POST /upload HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\n\r\n", "x"),
    "readers": (f"GET /huge HTTP/1.1\r\nHost: {HOST}\r\n\r\n", ""),
    "idle": (f"GET /small HTTP/1.1\r\nHost: {HOST}\r\n\r\n", ""),
    "sockets": (SOCKET, ""),
}


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, kind: str) -> None:
        self.kind, self.open, self.answer = kind, False, b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what this kind says first."""
        self.transport, self.open = cast(asyncio.Transport, transport), True
        self.transport.write(SAYS[self.kind][0].encode())

    def data_received(self, data: bytes) -> None:
        """Read a little of a large answer, and no more until the next time."""
        self.answer = (self.answer + data)[:16]
        if self.kind == "readers" and self.transport:
            self.transport.pause_reading()

    def connection_lost(self, _: Exception | None) -> None:
        """The proxy has had enough."""
        self.open = False

    def drip(self) -> None:
        """A little more, so that it goes on."""
        if self.open and self.transport and not self.transport.is_closing():
            if self.kind == "readers":
                self.transport.resume_reading()
            elif more := SAYS[self.kind][1]:
                self.transport.write(more.encode())

    def held(self) -> bool:
        """Whether the proxy holds it: open, and where an answer comes first, with the right one."""
        wanted = {"idle": b"HTTP/1.1 200", "sockets": b"HTTP/1.1 101", "readers": b"HTTP/1.1 200"}
        return self.open and self.answer.startswith(wanted.get(self.kind, b""))


async def drips(clients: list[Client]) -> None:
    """Let each connection go on, spread evenly."""
    while True:
        now = list(clients)
        for start in range(0, len(now), 100):
            for client in now[start : start + 100]:
                client.drip()
            await asyncio.sleep(DRIP * 100 / max(len(now), 100))
        await asyncio.sleep(0.1)


async def attack(kind: str, port: int, count: int, seconds: float) -> None:
    """Open them, say so, keep them."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    loop, clients, slots = asyncio.get_running_loop(), list[Client](), asyncio.Semaphore(AT_ONCE)
    end = time.monotonic() + seconds
    # The visitors come from 127.0.0.1, which is the server itself: we come from its address in the network.
    source = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()[0]

    async def one() -> None:
        async with slots:
            if time.monotonic() > end:
                return
            made = loop.create_connection(
                lambda: Client(kind), TARGET, port, ssl=context, server_hostname=HOST, local_addr=(source, 0)
            )
            try:
                _, client = await asyncio.wait_for(made, 10)
            except (OSError, TimeoutError):
                return
            clients.append(client)

    dripping = asyncio.create_task(drips(clients))
    opening = []
    for number in range(count):
        opening.append(asyncio.create_task(one()))
        if number % 100 == 99:
            await asyncio.sleep(100 / PER_SECOND)
    await asyncio.gather(*opening)
    await asyncio.sleep(1)
    print(sum(client.held() for client in clients), flush=True)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(loop.run_in_executor(None, sys.stdin.readline), LIFE)
    print(sum(client.held() for client in clients), flush=True)
    dripping.cancel()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    name, where, how_many, *within = sys.argv[1:]
    asyncio.run(attack(name, int(where), int(how_many), float(within[0]) if within else 20.0))
    sys.stdout.flush()
