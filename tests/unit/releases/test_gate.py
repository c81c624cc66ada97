"""The health gate: what passes, what does not, and what is said of it."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.engine.base import Condition
from ansible_collections.portside.vps.plugins.module_utils.releases import gate, spoken
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Answer, Clock, NotHealthyError
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health

RUNNING = Condition("running")


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.clock = Clock(lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def wait(
    answers: list[Answer | int], conditions: list[Condition] | None = None, port: int | None = 18000, **health: object
) -> float:
    """Seconds until healthy, with these answers one after the other; the last one is repeated."""
    time = Time()
    told = [Answer(status=item) if isinstance(item, int) else item for item in answers]
    states = conditions or [RUNNING]

    def ask(address: str, port: int, health: Health) -> Answer:
        return told.pop(0) if len(told) > 1 else told[0]

    app = App("shop", "shop:1", port=8000, health=Health(**health))  # type: ignore[arg-type]
    gate.wait_healthy(app, port, lambda: states.pop(0) if len(states) > 1 else states[0], ask, time.clock)
    return time.now


def refused(*arguments: object, **health: object) -> str:
    with pytest.raises(NotHealthyError) as caught:
        wait(*arguments, **health)  # type: ignore[arg-type]
    return str(caught.value)


def test_two_good_answers_in_a_row_pass() -> None:
    assert wait([200]) == pytest.approx(0.2)


def test_a_good_answer_between_bad_ones_does_not_pass() -> None:
    assert wait([200, 503, 200, 200]) == pytest.approx(0.6)


def test_an_app_that_needs_time_gets_it() -> None:
    refused_at_first: list[Answer | int] = [Answer(error="Connection refused")] * 10
    assert wait([*refused_at_first, 200]) == pytest.approx(2.2)


def test_a_redirect_is_not_healthy_unless_it_is_listed() -> None:
    assert "GET / (Host: localhost) on port 8000 answered 301 and not 200 for 5 s" in refused([301], timeout=5)
    assert wait([301], status=(200, 301)) == pytest.approx(0.2)


def test_no_answer_asks_where_the_app_listens() -> None:
    said = refused([Answer(error="Connection reset by peer")], timeout=5)
    assert "got no answer for 5 s (Connection reset by peer). Does the app listen on that port" in said
    assert "0.0.0.0:8000" in said


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (Condition("exited", exit_code=3), "it ended with exit status 3"),
        (Condition("exited", exit_code=137, out_of_memory=True), "exit status 137 (out of memory)"),
        (Condition("exited", exit_code=127, error="no such file"), "exit status 127: no such file"),
        (Condition("restarting", exit_code=1), "keeps ending and being started again (last exit status 1)"),
        (Condition("running", restarts=2, exit_code=1), "keeps ending and being started again"),
        (Condition("dead"), "it ended with exit status 0"),
    ],
)
def test_a_container_that_ends_fails_at_once(condition: Condition, message: str) -> None:
    assert message in refused([503], [RUNNING, condition], timeout=600)


def test_a_worker_has_to_stay_up_for_a_while() -> None:
    assert wait([0], port=None, grace=2) == pytest.approx(2.0, abs=0.25)
    assert "it ended" in refused([0], [RUNNING, RUNNING, Condition("exited")], None, grace=2)


def test_a_container_that_is_not_running_yet_is_waited_for() -> None:
    assert wait([200], [Condition("created"), RUNNING]) == pytest.approx(0.4)
    assert "it is created, and not running" in refused([200], [Condition("created")], None, timeout=3)


class Echo(BaseHTTPRequestHandler):
    """Notes what it is asked."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.seen.append({"path": self.path, **dict(self.headers.items())})
        self.send_response(418)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def echo() -> Iterator[HTTPServer]:
    Echo.seen = []
    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_probe_asks_as_nginx_would_and_never_through_a_proxy(
    echo: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    answer = gate.probe("127.0.0.1", echo.server_port, Health(path="/health?x=1", host="api.example.com"))
    assert answer == Answer(status=418)
    (seen,) = Echo.seen
    assert (seen["path"], seen["Host"], seen["X-Forwarded-Proto"]) == ("/health?x=1", "api.example.com", "https")


def test_a_port_without_a_listener_is_no_exception() -> None:
    answer = gate.probe("127.0.0.1", 1, Health())
    assert answer.status is None
    assert "refused" in answer.error


def test_a_path_that_no_request_can_hold_is_no_traceback(echo: HTTPServer) -> None:
    answer = gate.probe("127.0.0.1", echo.server_port, Health(path="/größe"))
    assert not answer.good(Health())
    assert answer.error


def test_the_method_can_be_chosen(echo: HTTPServer) -> None:
    Echo.do_HEAD = Echo.do_GET  # type: ignore[attr-defined]
    health = Health(method="HEAD", status=(418,))
    assert gate.probe("127.0.0.1", echo.server_port, health).good(health)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[HTTPServer]:
    """A server that speaks https alone, with a certificate of its own."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    made = ["-keyout", str(key), "-out", str(certificate), "-subj", "/CN=shop", "-days", "1"]
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", *made]
    subprocess.run(argv, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = HTTPServer(("127.0.0.1", 0), Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_container_that_speaks_https_alone_is_told_so(secured: HTTPServer) -> None:
    port = secured.server_port
    health = Health(timeout=1, request_timeout=0.3)
    answer = gate.probe("127.0.0.1", port, health)
    assert answer.status is None
    said = refused([answer], port=port, timeout=1)
    assert "It speaks https on that port" in said


def test_container_that_is_silent_or_says_400_in_http_is_not_taken_for_https(echo: HTTPServer) -> None:
    assert spoken.spoken("127.0.0.1", echo.server_port) == spoken.HTTP
    assert not spoken.spoken("127.0.0.1", 1)
    assert "https" not in refused([400], port=echo.server_port, timeout=1)


def test_tcp_passes_where_the_connection_stays_open(echo: HTTPServer) -> None:
    health = Health(check="tcp")
    assert gate.probe("127.0.0.1", echo.server_port, health).good(health)
    assert not gate.probe("127.0.0.1", 1, health).good(health)


def test_tcp_is_not_fooled_by_a_proxy_that_accepts_and_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "CLOSES_WITHIN", 10)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            listening.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        health = Health(check="tcp")
        answer = gate.probe("127.0.0.1", listening.getsockname()[1], health)
        thread.join()
    assert not answer.good(health)
    assert "closed at once" in answer.error


def test_the_healthcheck_of_the_image_decides() -> None:
    states = [Condition("running", health=word) for word in ("starting", "starting", "healthy")]
    assert wait([0], states, check="image") == pytest.approx(0.4)
    assert wait([0], [Condition("running", health="healthy")], None, check="image") == 0


@pytest.mark.parametrize(
    ("health", "message"),
    [
        ("unhealthy", "failed as often as the image allows"),
        ("", "needs an image with a HEALTHCHECK"),
        ("starting", "HEALTHCHECK said `starting` for 60 s"),
    ],
)
def test_a_healthcheck_that_does_not_pass_is_said(health: str, message: str) -> None:
    assert message in refused([0], [Condition("running", health=health)], check="image")


def test_a_tcp_check_that_fails_names_the_port() -> None:
    assert "a connection to port 8000 got no answer" in refused([Answer(error="refused")], check="tcp", timeout=1)
