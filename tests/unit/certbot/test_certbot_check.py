"""The check, as the program that its timer runs: a real TLS server on loopback, real certificates."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import check

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def make(folder: Path, days: str = "90") -> Path:
    """A certificate in a directory like a lineage's."""
    folder.mkdir(parents=True, exist_ok=True)
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-days", days, "-subj", "/CN=shop.example", "-keyout", str(folder / "privkey.pem")]
    subprocess.run([*argv, "-out", str(folder / "fullchain.pem")], check=True, capture_output=True)
    return folder


class Handler(BaseHTTPRequestHandler):
    """Remembers what it was told."""

    told: list[tuple[str, str]] = []  # noqa: RUF012  # emptied by the fixture

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.told.append((self.headers["Title"], body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def http_server() -> Iterator[HTTPServer]:
    Handler.told.clear()
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def tls(server: HTTPServer, folder: Path) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "fullchain.pem", folder / "privkey.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return f"127.0.0.1:{server.server_port}"


def watched(folder: Path, *served_at: str) -> check.Watched:
    return check.Watched("shop", str(folder), ("shop.example",), served_at)


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "PAUSE", 0.0)


def test_the_certificate_on_disk_is_the_one_served(tmp_path: Path, http_server: HTTPServer) -> None:
    folder = make(tmp_path / "live")
    (found,) = check.examine([watched(folder, tls(http_server, folder))], datetime.now(UTC))
    assert (found["problems"], found["days_left"]) == ([], 89)


def test_another_certificate_is_served(tmp_path: Path, http_server: HTTPServer) -> None:
    served, folder = make(tmp_path / "served"), make(tmp_path / "live")
    place = tls(http_server, served)
    (problem,) = check.examine([watched(folder, place)], datetime.now(UTC))[0]["problems"]
    assert problem.startswith(f"shop.example at {place} shows another certificate: serial ")
    assert f"on disk is serial {check.on_disk(str(folder)).serial}" in problem


def test_nothing_answers(tmp_path: Path) -> None:
    (problem,) = check.examine([watched(make(tmp_path), "127.0.0.1:9")], datetime.now(UTC))[0]["problems"]
    assert "shop.example at 127.0.0.1:9: no certificate is shown" in problem
    assert "Connection refused" in problem


def test_many_certificates_of_a_server_that_is_down_are_waited_for_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(check.time, "sleep", waited.append)
    folder = str(make(tmp_path))
    many = [check.Watched(f"n{number}", folder, ("shop.example",), ("127.0.0.1:9",)) for number in range(20)]
    found = check.examine(many, datetime.now(UTC))
    assert [(entry["name"], len(entry["problems"])) for entry in found] == [(one.name, 1) for one in many]
    assert len(waited) == check.TRIES - 1


@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_no_certificate_on_disk(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "fullchain.pem").write_text(text)
    (found,) = check.examine([watched(tmp_path)], NOW)
    assert (found["serial"], len(found["problems"])) == (None, 1)
    assert found["problems"][0].startswith("there is none: ")


@pytest.mark.parametrize(
    ("lifetime", "left", "words"),
    [
        # Renewed with 30 days left; alarm when that has not worked for half of that time.
        (90, 16, None),
        (90, 14, "14.0 of 90 days are left"),
        (45, 8, None),
        (45, 7, "7.0 of 45 days are left"),
        # Half of the lifetime is left when it is renewed.
        (6, 2, None),
        (6, 1.4, "1.4 of 6 days are left"),
        # Nobody renews it: said three weeks before.
        (398, 22, None),
        (398, 20, "20.0 of 398 days are left"),
        (90, 0, "it expired at 2026-11-22 00:00 UTC"),
        (90, -3, "it expired at 2026-11-19 00:00 UTC"),
    ],
)
def test_time_left(lifetime: float, left: float, words: str | None) -> None:
    ends = NOW + timedelta(days=left)
    found = check.too_late(check.Leaf("0A", ends - timedelta(days=lifetime), ends, ""), NOW)
    assert (found is None) if words is None else (found is not None and words in found)


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["a.example", "www.a.example"], ["a.example", "www.a.example"]),
        (["*.a.example"], ["portside-check.a.example"]),
        (["192.0.2.1", "2001:db8::1"], [""]),
    ],
)
def test_names_to_ask_for(names: list[str], asked: list[str]) -> None:
    assert check.server_names(names) == asked


def run(folder: Path, config: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    file = folder / "check.json"
    file.write_text(json.dumps({"certificates": [], "alarm_command": [], "alarm_url": "", **config}))
    argv = [sys.executable, str(Path(check.__file__)), "--config", str(file), *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def test_program_fails_and_names_the_certificate(tmp_path: Path) -> None:
    item = {"name": "shop", "directory": str(tmp_path / "none"), "names": ["shop.example"], "served_at": []}
    done = run(tmp_path, {"certificates": [item]})
    assert done.returncode == 1
    assert done.stderr.startswith("certificate shop: there is none: ")
    told = json.loads(run(tmp_path, {"certificates": [item]}, "--json").stdout)
    assert [entry["name"] for entry in told] == ["shop"]
    good = {**item, "directory": str(make(tmp_path / "live"))}
    assert run(tmp_path, {"certificates": [good]}).returncode == 0


def test_alarm_tells_command_and_url(tmp_path: Path, http_server: HTTPServer) -> None:
    config = {
        "alarm_command": ["sh", "-c", f"cat > {tmp_path}/told"],
        "alarm_url": f"http://127.0.0.1:{http_server.server_port}/secret",
    }
    done = run(tmp_path, config, "--alarm", "certbot.service")
    assert (done.returncode, done.stderr) == (0, "")
    assert "certbot.service failed" in (tmp_path / "told").read_text()
    ((title, body),) = Handler.told
    assert "certbot.service failed" in title
    assert "certbot.service failed" in body


def test_alarm_that_can_not_be_raised_is_said_without_its_url(tmp_path: Path) -> None:
    config = {"alarm_command": ["no-such-program"], "alarm_url": "http://127.0.0.1:9/secret"}
    done = run(tmp_path, config, "--alarm", "certbot.service")
    assert done.returncode == 1
    assert "no-such-program" in done.stderr
    assert "alarm URL: " in done.stderr
    assert "secret" not in done.stderr
