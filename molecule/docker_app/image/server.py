"""An app that does what its environment says: is slow to start, is not healthy, ends, and tells what it was given."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("PROBE_VERSION", "?")
HEALTH = int(os.environ.get("HEALTH_STATUS", "200"))


class Handler(BaseHTTPRequestHandler):
    """GET /health, GET /slow?seconds=N, and for all else a description of request and environment."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        url = urlsplit(self.path)
        if url.path == "/health":
            self._answer(HEALTH, {"healthy": HEALTH == 200})
            return
        if url.path == "/ws":
            self._echo()
            return
        if url.path == "/slow":
            time.sleep(float(parse_qs(url.query)["seconds"][0]))
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode(errors="replace") if length else ""
        self._answer(
            200,
            {
                "version": VERSION,
                "container": socket.gethostname(),
                "host": self.headers.get("Host"),
                "proto": self.headers.get("X-Forwarded-Proto"),
                "env": sorted(os.environ),
                "body": body,
            },
        )

    do_POST = do_GET

    def _echo(self) -> None:
        """A WebSocket that sends back each short text it gets (RFC 6455)."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("X-Container", socket.gethostname())
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while len(head := self.rfile.read(6)) == 6:
            text = bytes(byte ^ head[2 + number % 4] for number, byte in enumerate(self.rfile.read(head[1] & 0x7F)))
            self.wfile.write(head[:1] + bytes([len(text)]) + text)

    def _answer(self, status: int, content: dict[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """Waits for its threads at the end, so that what was begun is answered."""

    daemon_threads = False
    request_queue_size = 128


def main() -> None:
    """Serve until SIGTERM."""
    for number in range(60):
        print(f"starting, line {number} of version {VERSION}", flush=True)
    time.sleep(float(os.environ.get("START_DELAY", "0")))
    if "EXIT_STATUS" in os.environ:
        # Docker copies the two streams side by side: of what was written at once, the later line may come first.
        time.sleep(0.5)
        print("giving up", file=sys.stderr, flush=True)
        sys.exit(int(os.environ["EXIT_STATUS"]))
    server = Server(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler)
    # shutdown() waits for the loop to end, and the loop is what the signal has interrupted.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever()
    server.server_close()


if __name__ == "__main__":
    main()
