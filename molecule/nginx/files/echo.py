"""An app that says what it saw. Standard library only, so that it runs on both targets' own Python.

Every answer is JSON: method, path, headers (a list of pairs, as they came), length and SHA-256 of the body, and the
number of the connection, from which keep-alive shows. /status/404 answers that, /large/20000 with a cookie of
that size. /events is a stream of two events. /hand-out/kept/a.txt has nginx send what it knows as /kept/a.txt.
A WebSocket upgrade is accepted, and what comes is sent back. Given a directory with `crt` and `key`, it speaks https.
"""

import base64
import hashlib
import itertools
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

connections = itertools.count(1)
go = threading.Event()
WEBSOCKET = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        self.number = next(connections)

    def answer(self):
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.websocket()
            return
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(iter(self.chunk, b""))
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if path == "/events":
            self.events()
            return
        if path == "/go":
            go.set()
        if path.startswith("/hand-out/"):
            self.send_response(200)
            self.send_header("X-Accel-Redirect", path.removeprefix("/hand-out"))
            self.send_header("Content-Type", "text/x-handed-out")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if path.startswith("/status/"):
            self.send_response(int(path.rpartition("/")[2]))
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"the app")
            return
        seen = {
            "method": self.command,
            "path": self.path,
            "headers": [list(pair) for pair in self.headers.items()],
            "length": len(body),
            "sha256": hashlib.sha256(body).hexdigest(),
            "connection": self.number,
            "port": sys.argv[1],
        }
        text = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if path.startswith("/large/"):
            self.send_header("Set-Cookie", "a=" + "x" * int(path.rpartition("/")[2]))
        if "own-hsts" in self.path:
            self.send_header("Strict-Transport-Security", "max-age=31536000")
        if "own-headers" in self.path:
            self.send_header("X-Portside-Upstream", "forged")
            self.send_header("X-Content-Type-Options", "own")
            self.send_header("Referrer-Policy", "no-referrer")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def events(self):
        """The second event waits for a request to /go."""
        go.clear()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"data: one\n\n")
        go.wait(20)
        self.wfile.write(b"data: two\n\n")

    def chunk(self):
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def websocket(self):
        key = self.headers["Sec-WebSocket-Key"].encode()
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while data := self.connection.recv(4096):
            self.connection.sendall(data)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

    def log_message(self, *words):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512


server = Server(("127.0.0.1", int(sys.argv[1])), Echo)
for directory in sys.argv[2:]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(f"{directory}/crt", f"{directory}/key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
