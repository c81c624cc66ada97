"""Clients of all kinds, as many as are asked for, until standard input is closed; then what became of each request.

    python3 load.py '{"host": "shop.example.com", "ca": "/etc/ssl/acme-root.pem"}' < a pipe

Runs on the lab's client with nothing but Debian's python3 and python3-h2. A request failed when it got no answer, a
broken one, a status other than 200, or a POST that comes back with another body. Nothing is tried again, with one
exception that RFC 9113 section 6.8 makes: a stream that a GOAWAY says was not processed is sent again on a new
connection, and counted under `resent`. A WebSocket failed when it was cut before `drain` seconds had passed since its
container last answered a new request.

Every answer names its container. The first answer of one that was never seen is a switch; `crossed` says how many of
the switches came while a slow POST was on its way to another container, which then answered it in full.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import ssl
import sys
import time
from collections import Counter
from typing import Any

import hpack
import hyperframe.frame as frames

BODY = b'{"event": "paid", "padding": "' + b"x" * 2000 + b'"}'
# Seconds.
LIMIT = 15
LONGEST_PAUSE = 0.3
# Containers that answer in the first seconds were there before.
WARM_UP = 5
# A request may be on its way when the drain begins.
SLACK = 0.5
CHANCE = random.Random()


class Failed(Exception):
    """A request without the answer that it should have had."""


class Load:
    """All clients and what they saw.

    Args:
        host: name of the site; port 443.
        ca: file with the authority's certificate.
        slow: seconds that a slow POST takes.
        drain: seconds that a WebSocket may go on for after a switch.
    """

    def __init__(self, host: str, ca: str, slow: float, drain: float) -> None:
        self.host = host
        self.slow = slow
        self.drain = drain
        self.h1 = ssl.create_default_context(cafile=ca)
        self.h2 = ssl.create_default_context(cafile=ca)
        self.h2.set_alpn_protocols(["h2"])
        self.going = True
        self.good: Counter[str] = Counter()
        self.bad: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.when: Counter[str] = Counter()
        self.seen: list[str] = []
        self.began = time.monotonic()
        # By container: when it first answered, and when the last request that it answered was sent.
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}
        # Of each slow POST its container, and when it was sent and answered.
        self.slow_posts: list[tuple[str, float, float]] = []

    def answered(self, body: bytes, method: str, sent: float) -> str:
        """Take note of an answer; returns the container that gave it."""
        try:
            said = json.loads(body)
            container = str(said["container"])
        except (ValueError, KeyError) as error:
            raise Failed(f"not the app's answer: {body[:80]!r}") from error
        if method == "POST" and said["body"] != BODY.decode():
            raise Failed(f"the app got another body: {said['body'][:80]!r}")
        self.first.setdefault(container, time.monotonic())
        self.last[container] = max(sent, self.last.get(container, 0))
        return container

    def switches(self) -> dict[str, int]:
        """How many containers came to serve meanwhile, and how many of them while a slow POST was on its way."""
        new = {name: at for name, at in self.first.items() if at > self.began + WARM_UP}
        crossed = [
            any(other != name and sent < at < done for other, sent, done in self.slow_posts) for name, at in new.items()
        ]
        return {"switches": len(new), "crossed": sum(crossed)}

    async def counted(self, kind: str, request: Any) -> bool:
        """Count one request; whether its connection can be used again."""
        try:
            reusable = await request
        except (Failed, OSError, EOFError, ssl.SSLError, TimeoutError, asyncio.IncompleteReadError) as error:
            self.bad[kind] += 1
            self.when[time.strftime("%H:%M:%S", time.gmtime())] += 1
            if len(self.seen) < 40:
                self.seen.append(f"{time.strftime('%H:%M:%S', time.gmtime())} {kind}: {type(error).__name__} {error}")
            return False
        self.good[kind] += 1
        return bool(reusable)

    # ------------------------------------------------------------------ HTTP/1.1

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection that speaks HTTP/1.1."""
        return await asyncio.wait_for(asyncio.open_connection(self.host, 443, ssl=self.h1), LIMIT)

    async def ask(self, streams: Any, method: str, path: str, headers: str = "", limit: float = LIMIT) -> bool:
        """One request on a connection; whether the server keeps it open."""
        reader, writer = streams
        sent = time.monotonic()
        body = BODY if method == "POST" else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), limit)
        lines = answer.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(fields.get("content-length", "-1"))
        if " 200" not in lines[0] or length < 0:
            raise Failed(lines[0])
        container = self.answered(await asyncio.wait_for(reader.readexactly(length), LIMIT), method, sent)
        if path != "/":
            self.slow_posts.append((container, sent, time.monotonic()))
        return bool(fields.get("connection", "").lower() != "close")

    async def fresh(self, method: str) -> bool:
        """A request on a connection of its own."""
        streams = await self.open()
        try:
            return await self.ask(streams, method, "/", "Connection: close\r\n")
        finally:
            streams[1].close()

    async def fresh_client(self, method: str) -> None:
        """Requests on new connections, one after the other."""
        while self.going:
            await self.counted(f"h1 fresh {method}", self.fresh(method))
            await asyncio.sleep(CHANCE.uniform(0, LONGEST_PAUSE))

    async def kept_client(self) -> None:
        """GET and POST in turn on one connection, for as long as the server keeps it."""
        streams = None
        while self.going:
            method = CHANCE.choice(("GET", "POST"))

            async def once(chosen: str = method) -> bool:
                nonlocal streams
                streams = streams or await self.open()
                return await self.ask(streams, chosen, "/")

            if not await self.counted(f"h1 kept {method}", once()) and streams:
                streams[1].close()
                streams = None
            await asyncio.sleep(CHANCE.uniform(0, LONGEST_PAUSE))

    async def slow_client(self, late: float) -> None:
        """A POST that takes its time, one right after the other; the last one is waited for."""

        async def once() -> bool:
            streams = await self.open()
            try:
                path = f"/slow?seconds={self.slow}"
                return await self.ask(streams, "POST", path, "Connection: close\r\n", self.slow + LIMIT)
            finally:
                streams[1].close()

        await asyncio.sleep(late)
        while self.going:
            await self.counted("slow POST", once())
            # One that fails at once is not to be repeated at once.
            await asyncio.sleep(0.02)

    # ------------------------------------------------------------------ HTTP/2

    async def h2_client(self) -> None:
        """GET and POST in turn on one HTTP/2 connection; a new one when the server says goodbye."""
        session = None
        while self.going:
            method = CHANCE.choice(("GET", "POST"))

            async def once(chosen: str = method) -> bool:
                nonlocal session
                while True:
                    session = session or await Session.open(self)
                    if await session.ask(chosen):
                        return session.usable
                    self.notes["h2 resent"] += 1
                    session = None

            if not await self.counted(f"h2 {method}", once()) and session:
                session.close()
                session = None
            await asyncio.sleep(CHANCE.uniform(0, LONGEST_PAUSE))

    # ------------------------------------------------------------------ WebSocket

    async def websocket_client(self) -> None:
        """A message and its echo every half second. One that the server closes is opened anew."""
        while self.going:
            await self.counted("websocket session", self.websocket())
            await asyncio.sleep(LONGEST_PAUSE)

    async def websocket(self) -> bool:
        """One session: it fails when it can't be opened, when an echo is wrong, or when it is cut too early."""
        opened = time.monotonic()
        reader, writer = await self.open()
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET /ws HTTP/1.1\r\nHost: {self.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT)
        if b" 101 " not in answer:
            raise Failed(answer.split(b"\r\n")[0].decode())
        container = answer.lower().partition(b"x-container: ")[2].partition(b"\r\n")[0].decode()
        try:
            while self.going:
                text = os.urandom(8).hex().encode()
                # RFC 6455 section 5.2: final text frame, masked (with zeros, so that the text stays as it is).
                writer.write(b"\x81" + bytes([0x80 | len(text)]) + b"\0\0\0\0" + text)
                echo = await asyncio.wait_for(reader.readexactly(2 + len(text)), LIMIT)
                if echo[2:] != text:
                    raise Failed("another echo")
                self.notes["websocket echoes"] += 1
                await asyncio.sleep(0.5)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            now = time.monotonic()
            lasted = now - self.last.get(container, self.began)
            if lasted < self.drain - SLACK:
                answered = f"{lasted:.1f} s after the last answer of {container}"
                raise Failed(f"cut {answered}, not {self.drain} s; it was {now - opened:.0f} s old") from error
            self.notes["websocket closed at the end of the drain"] += 1
        finally:
            writer.close()
        return True

    # ------------------------------------------------------------------ all of it

    async def run(self, kept: int, fresh: int, multiplexed: int, websockets: int) -> dict[str, Any]:
        """Everything at once, until standard input ends."""
        clients = [self.kept_client() for _ in range(kept)]
        clients += [self.fresh_client("POST" if number % 2 else "GET") for number in range(fresh)]
        clients += [self.h2_client() for _ in range(multiplexed)]
        if self.slow:
            # In turn, so that one is always on its way, however long the way to the server takes between two of them.
            clients += [self.slow_client(self.slow * number / 4) for number in range(4)]
        clients += [self.websocket_client() for _ in range(websockets)]
        tasks = [asyncio.create_task(client) for client in clients]
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self.going = False
        await asyncio.gather(*tasks)
        return {
            "requests": sum(self.good.values()) + sum(self.bad.values()),
            "failed": sum(self.bad.values()),
            **self.switches(),
            "good": dict(self.good),
            "bad": dict(self.bad),
            "notes": dict(self.notes),
            "when": dict(self.when),
            "seen": self.seen,
        }


class Session:
    """An HTTP/2 connection with one stream at a time, frame by frame (RFC 9113).

    The library h2 gives a connection up at the first GOAWAY, before the answers to what was sent have come.
    """

    def __init__(self, load: Load, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.load = load
        self.usable = True
        self._reader = reader
        self._writer = writer
        self._encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._stream = -1
        self._last: int | None = None
        self._buffer = bytearray()

    @classmethod
    async def open(cls, load: Load) -> Session:
        """Connect and greet."""
        reader, writer = await asyncio.wait_for(asyncio.open_connection(load.host, 443, ssl=load.h2), LIMIT)
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        session = cls(load, reader, writer)
        # A window that no test empties.
        session._send(frames.SettingsFrame(0), frames.WindowUpdateFrame(0, window_increment=2**30))
        return session

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._writer.close()

    async def ask(self, method: str) -> bool:
        """One request. False: the server said that it was not processed, and it may be sent again."""
        # What came while nobody asked: a goodbye, for one.
        if await self._said_goodbye():
            return False
        self._stream += 2
        head = [(":method", method), (":path", "/"), (":scheme", "https"), (":authority", self.load.host)]
        body = BODY if method == "POST" else b""
        flags = ["END_HEADERS"] if body else ["END_HEADERS", "END_STREAM"]
        sent: list[Any] = [frames.HeadersFrame(self._stream, data=self._encoder.encode(head), flags=flags)]
        if body:
            sent.append(frames.DataFrame(self._stream, data=body, flags=["END_STREAM"]))
        sent_at = time.monotonic()
        try:
            self._send(*sent)
            async with asyncio.timeout(LIMIT):
                answer = await self._answer()
        except (EOFError, ConnectionError):
            if self._last is not None and self._stream > self._last:
                return False
            raise
        if answer is not None:
            self.load.answered(answer, method, sent_at)
        return answer is not None

    async def _answer(self) -> bytes | None:
        """The body; None when the request was not processed."""
        status, body = "", b""
        while True:
            frame = await self._frame()
            if frame.stream_id != self._stream:
                if self._last is not None and self._stream > self._last:
                    return None
                continue
            if isinstance(frame, frames.RstStreamFrame):
                if frame.error_code == 7:  # REFUSED_STREAM: RFC 9113 section 8.7, not processed
                    self.usable = False
                    return None
                raise Failed(f"stream reset {frame.error_code}")
            if isinstance(frame, frames.HeadersFrame):
                status = str(dict(self._decoder.decode(frame.data))[":status"])
            if isinstance(frame, frames.DataFrame):
                body += frame.data
            if "END_STREAM" in frame.flags:
                if status != "200":
                    raise Failed(f"HTTP/2 {status}")
                return body

    async def _said_goodbye(self) -> bool:
        with contextlib.suppress(TimeoutError, EOFError, ConnectionError):
            async with asyncio.timeout(0.001):
                # Only whole frames are taken: nothing is lost when the time is up.
                while True:
                    await self._frame()
        return not self.usable or self._reader.at_eof()

    def _send(self, *sent: Any) -> None:
        self._writer.write(b"".join(frame.serialize() for frame in sent))

    async def _frame(self) -> Any:
        """The next frame; what concerns the connection alone is dealt with."""
        while len(self._buffer) < 9 or len(self._buffer) < 9 + int.from_bytes(self._buffer[:3], "big"):
            data = await self._reader.read(65536)
            if not data:
                raise EOFError("closed")
            self._buffer += data
        frame, length = frames.Frame.parse_frame_header(memoryview(bytes(self._buffer[:9])))
        frame.parse_body(memoryview(bytes(self._buffer[9 : 9 + length])))
        del self._buffer[: 9 + length]
        if isinstance(frame, frames.SettingsFrame) and "ACK" not in frame.flags:
            self._send(frames.SettingsFrame(0, flags=["ACK"]))
        elif isinstance(frame, frames.PingFrame) and "ACK" not in frame.flags:
            self._send(frames.PingFrame(0, opaque_data=frame.opaque_data, flags=["ACK"]))
        elif isinstance(frame, frames.GoAwayFrame):
            self.usable = False
            self._last = frame.last_stream_id
        return frame


def main() -> None:
    """Run what the first argument says."""
    options = json.loads(sys.argv[1])
    load = Load(options["host"], options["ca"], options.get("slow", 20), options.get("drain", 25))
    counts = (options.get("kept", 12), options.get("fresh", 4), options.get("h2", 8), options.get("websockets", 1))
    print(json.dumps(asyncio.run(load.run(*counts))))


if __name__ == "__main__":
    main()
