"""nginx has to say itself that it sends requests to the new release."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import proof, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.proof import Seen
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

from tests.unit.releases.release_fakes import Host, app, releaser

NEW, OLD = {"127.0.0.1:18001", "172.18.0.3:8000"}, {"127.0.0.1:18000"}


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("127.0.0.1:18001;200", Seen("127.0.0.1:18001", 200)),
        ("127.0.0.1:18001, 172.18.0.3:8000;502, 200", Seen("172.18.0.3:8000", 200)),
        ("127.0.0.1:9 : [::1]:18001;502 : 204", Seen("[::1]:18001", 204)),
        ("127.0.0.1:18001;", Seen("127.0.0.1:18001", 0)),
        ("", Seen()),
    ],
)
def test_what_nginx_says_is_read(header: str, found: Seen) -> None:
    assert proof.seen(header) == found


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (Seen("127.0.0.1:18001", 200), ""),
        (Seen("172.18.0.3:8000", 301), ""),
        (Seen("127.0.0.1:18001", 502), "nginx got no answer from 127.0.0.1:18001 (502)"),
        (Seen("127.0.0.1:18001", 504), "no answer"),
        (Seen("127.0.0.1:18000", 200), "nginx still asks 127.0.0.1:18000, the release before"),
        (Seen("127.0.0.1:9", 200), ""),
        (Seen(), ""),
        (Seen(refused=True), "nobody listens there"),
    ],
    ids=["proven", "another status", "nobody", "late", "old", "another app", "something before the app", "refused"],
)
def test_what_proves_the_contrary(found: Seen, words: str) -> None:
    said = proof.problem(found, NEW, OLD)
    assert words in said
    assert bool(said) == bool(words)


def test_the_servers_of_an_upstream_file() -> None:
    text = "# x\nhash $remote_addr;\nserver 127.0.0.1:1 max_fails=0;\nserver [::1]:2;\nserver 172.18.0.2:8 backup;\n"
    assert proof.servers(text) == {"127.0.0.1:1", "[::1]:2", "172.18.0.2:8"}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two"})


@pytest.fixture
def fixed(tmp_path: Path) -> dict[str, Any]:
    return {"upstream_file": str(tmp_path / "shop.conf"), "front_host": "shop.example.com"}


def deploy(host: Host, wanted: App) -> Outcome:
    return releaser(host).run([wanted])[0]


def running(host: Host) -> list[str]:
    return sorted(box.name for box in host.up("shop"))


def nobody_at(*ports: int) -> Callable[[App], Seen]:
    """nginx, which gets no answer from these ports."""
    return lambda wanted: Seen(
        next(iter(proof.servers(Path(wanted.upstream_file).read_text()) & {f"127.0.0.1:{port}" for port in ports}), ""),
        502,
    )


@pytest.mark.parametrize("how", [{}, {"strategy": "recreate", "host_ports": (8000, 8001)}], ids=["beside", "recreate"])
def test_a_release_that_nginx_does_not_reach_is_given_up(
    host: Host, fixed: dict[str, Any], how: dict[str, Any]
) -> None:
    deploy(host, app(**fixed, **how))
    host.front_door = nobody_at(18001, 8000)
    outcome = deploy(host, app(image="shop:2", **fixed, **how))
    assert outcome.failed
    for words in (
        "release 2 (shop:2) was given up: asked for https://shop.example.com/ on 127.0.0.1:443 after the switch",
        "nginx got no answer from 127.0.0.1:",
        "/var/log/nginx/error.log",
        "Release 1 goes on serving",
    ):
        assert words in outcome.message
    assert (running(host), host.answer(fixed["upstream_file"])) == (["shop-r1"], 200)
    state = Store(host.root).load("shop")
    assert state
    assert ([release.state for release in state.releases], state.switching) == (["live", "failed"], False)
    host.front_door = lambda _: Seen()
    assert deploy(host, app(image="shop:2", **fixed, **how)).action == "deployed", "it was not rejected"


def test_the_old_one_serves_until_nginx_is_pointed_back(host: Host, fixed: dict[str, Any]) -> None:
    deploy(host, app(**fixed))
    host.front_door = nobody_at(18001)
    seen: list[tuple[str, list[str]]] = []
    host.watch = lambda now: seen.append((now.effects[-1], running(now)))
    deploy(host, app(image="shop:2", **fixed))
    removed = [step for step, _ in seen].index("remove")
    assert [step for step, _ in seen[:removed]].count("reload") == 2
    assert all("shop-r1" in names for _, names in seen)


def test_an_nginx_that_needs_a_moment_is_asked_again(host: Host, fixed: dict[str, Any]) -> None:
    answers = [Seen(refused=True), Seen("127.0.0.1:18000", 502), Seen("127.0.0.1:18000", 200)]
    host.front_door = lambda _: answers.pop(0)
    assert (deploy(host, app(**fixed)).action, answers) == ("deployed", [])


def test_a_canary_that_nginx_does_not_reach_is_not_promoted(host: Host, fixed: dict[str, Any]) -> None:
    deploy(host, app(canary=10, **fixed))
    wanted = app(image="shop:2", canary=10, **fixed)
    deploy(host, wanted)
    before = Path(fixed["upstream_file"]).read_text()
    host.front_door = nobody_at(18001)
    (outcome,) = releaser(host).promote(wanted)
    assert outcome.failed
    assert (running(host), host.loaded[fixed["upstream_file"]]) == (["shop-r1", "shop-r2"], before)
    host.front_door = lambda _: Seen()
    assert deploy(host, wanted).action == "unchanged"
    assert releaser(host).promote(wanted)[0].action == "promoted"


def test_an_app_without_a_public_name_is_not_asked_for(host: Host, fixed: dict[str, Any]) -> None:
    host.front_door = lambda _: Seen(refused=True)
    assert deploy(host, app(upstream_file=fixed["upstream_file"])).action == "deployed"


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"`front\.host: a b` is not a host name"):
        validate.apps([{"name": "shop", "image": "shop:1", "port": 8000, "front": {"host": "a b"}}])


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """Something that speaks https on loopback, with a certificate that nobody trusts; its port, and what it got."""
    made = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -keyout key -out crt"
    )
    subprocess.run(made.split(), cwd=tmp_path, check=True, capture_output=True)
    asked: list[dict[str, str]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append({"path": self.path, **{key.lower(): value for key, value in self.headers.items()}})
            self.send_response(204)
            self.send_header("X-Portside-Upstream", "127.0.0.1:18001;204")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    context.sni_callback = lambda _, name, __: asked.append({"sni": str(name)})
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, asked
        server.shutdown()


def test_it_is_asked_by_https_under_the_public_name_and_never_through_a_proxy(
    nginx: tuple[int, list[dict[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    port, asked = nginx
    wanted = app(front_host="shop.example.com", front_port=port)
    wanted = replace(wanted, health=replace(wanted.health, path="/health"))
    assert proof.ask(wanted) == Seen("127.0.0.1:18001", 204)
    (hello, request) = asked
    assert hello == {"sni": "shop.example.com"}
    assert (request["path"], request["host"], request["x-portside-proof"]) == ("/health", "shop.example.com", "1")


def test_an_app_that_speaks_grpc_is_asked_as_one(nginx: tuple[int, list[dict[str, str]]]) -> None:
    port, asked = nginx
    assert proof.ask(app(front_host="shop.example.com", front_port=port, front_protocol="grpc")).status == 204
    request = asked[1]
    assert (request["path"], request["content-type"]) == ("/grpc.health.v1.Health/Check", "application/grpc")


def test_nobody_listens() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    assert proof.ask(app(front_host="shop.example.com", front_port=port)) == Seen(refused=True)


def test_a_rollback_is_proven_under_the_name_of_today(host: Host, fixed: dict[str, Any]) -> None:
    upstream = fixed["upstream_file"]
    deploy(host, app(upstream_file=upstream))
    wanted = app(image="shop:2", **fixed)
    deploy(host, wanted)
    asked: list[str] = []

    def door(item: App) -> Seen:
        asked.append(item.front_host)
        return Seen()

    host.front_door = door
    (outcome,) = releaser(host).roll_back(wanted, None)
    assert (outcome.action, asked) == ("rolled back", ["shop.example.com"])
