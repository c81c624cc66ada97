"""The app behind /socket: accepts the WebSocket of clients.py and keeps it."""

import asyncio
import contextlib
import resource

# To the key that RFC 6455, section 1.3, has as its example.
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection: the upgrade, then nothing until the client goes."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        head = await reader.readuntil(b"\r\n\r\n")
        wanted = b"\r\nupgrade: websocket\r\n" in head.lower()
        writer.write(ACCEPTED if wanted else REFUSED)
        while wanted and await reader.read(1024):
            pass
    writer.close()


async def main() -> None:
    """Listen where the backend sends /socket."""
    server = await asyncio.start_server(serve, "127.0.0.1", 9001, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main())
