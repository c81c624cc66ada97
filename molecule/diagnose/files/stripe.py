"""Plays api.stripe.com on the client: https with a certificate of its own, 404 as Stripe answers, 503 under /broken."""

from __future__ import annotations

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every GET."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(503 if self.path.startswith("/broken") else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve on 443 until it is killed; the arguments are the certificate and the key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = ThreadingHTTPServer(("0.0.0.0", 443), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
