"""Webhooks that nginx hands to another app than the one that declares them are asked of that one."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import host

from tests.unit.diagnosis.observations import APP


class Receiver(BaseHTTPRequestHandler):
    """Knows one path."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        good = self.path == "/stripe" and self.headers["X-Forwarded-Prefix"] == "/api"
        self.send_response(400 if good else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def place() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_one_that_a_path_belongs_to_is_asked_by_the_path_that_it_knows(place, tmp_path):
    (tmp_path / "api.conf").write_text(f"server {place};\n")
    target = {"app": "api", "file": str(tmp_path / "api.conf"), "servers": [], "path": "/stripe", "prefix": "/api"}
    app = {**APP, "webhooks": ["/api/stripe"], "targets": {"/api/stripe": target}, "secret": ""}
    seen = host.elsewhere(app, [], tmp_path)["/api/stripe"]
    assert seen["status"] == 400
    assert seen["by"] == {"app": "api", "place": place, "container": "", "log": []}
    assert host.answers(app, place)["webhooks"] == {}, "its own app is not asked"


def test_a_socket_is_not_asked(tmp_path):
    target = {"app": "", "file": "", "servers": ["unix:/run/tool.sock"], "path": "/tool/hook", "prefix": ""}
    app = {**APP, "webhooks": ["/tool/hook"], "targets": {"/tool/hook": target}}
    assert host.elsewhere(app, [], tmp_path) == {}
