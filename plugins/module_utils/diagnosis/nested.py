"""TLS inside TLS: what a client speaks to a host behind a proxy that is itself spoken to in TLS."""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable
from typing import Any

CHUNK = 65536


class Nested(io.RawIOBase):
    """TLS over a connection that is TLS already, with as much of a socket as http.client needs.

    SSLContext.wrap_socket takes over the file descriptor, below the TLS that is there: here the records go through it.

    Args:
        outer: the connection to the proxy, with the tunnel open.
        context: whom to trust.
        name: the host behind the proxy.

    Raises:
        ssl.SSLError, OSError: no handshake.
    """

    def __init__(self, outer: ssl.SSLSocket, context: ssl.SSLContext, name: str) -> None:
        self._outer = outer
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._inner = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._go(self._inner.do_handshake)

    def _go(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """One step of TLS, with as many records to and fro as it needs."""
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                records = self._outer.recv(CHUNK)
                if records:
                    self._incoming.write(records)
                else:
                    self._incoming.write_eof()
            finally:
                # An alert, too, that says why the handshake ends.
                self._flush()

    def _flush(self) -> None:
        records = self._outgoing.read()
        if records:
            self._outer.sendall(records)

    def readable(self) -> bool:
        """For io.BufferedReader."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Bytes of the answer; 0 at its end, also where the host closes without a word, as many do."""
        try:
            return int(self._go(self._inner.read, len(buffer), buffer))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return 0

    def sendall(self, data: bytes) -> None:
        """All of the bytes."""
        left = memoryview(data)
        while left:
            left = left[self._go(self._inner.write, left) :]

    def makefile(self, _mode: str = "rb", *_: Any) -> io.BufferedReader:
        """What http.client reads the answer from."""
        return io.BufferedReader(self)

    def settimeout(self, seconds: float | None) -> None:
        """How long one wait may last, in seconds."""
        self._outer.settimeout(seconds)

    def close(self) -> None:
        """The connection to the proxy is closed as well."""
        super().close()
        self._outer.close()
