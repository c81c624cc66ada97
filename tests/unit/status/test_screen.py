"""The screen of a server, and what is collected for it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases.state import LIVE, AppState, Release, Replica
from ansible_collections.portside.vps.plugins.module_utils.status import host, screen
from ansible_collections.portside.vps.plugins.module_utils.status.board import FACT, LOOK, Board

APP = {
    "name": "shop-api",
    "release": 7,
    "image": "acme/shop:1",
    "canary": None,
    "containers": ["shop-api-r7"],
    "ports": ["127.0.0.1:18000"],
    "healthy": True,
    "health": "200 in 4 ms",
    "host_access": [],
}
SERVER = {
    "apps": [APP, {**APP, "name": "worker", "ports": [], "healthy": False, "health": "no container"}],
    "disks": [{"path": "/", "total": 40_000_000_000, "free": 2_000_000_000, "used": 95}],
    "ports": [
        {"port": 443, "protocol": "tcp", "family": family, "who": ["nginx"], "open_to": ["anyone"]} for family in "46"
    ],
    "ports_error": "",
    "docker": "",
    "system": {"name": "Debian 13", "up": 90061, "reboot": True, "failed": ["cron.service"]},
}
DRIFT = {"kind": "file", "name": "/etc/a", "what": "is missing"}


def shown(drift: list[dict[str, str]], server: dict[str, Any] | None = None) -> dict[str, str]:
    status = {
        "server": SERVER if server is None else server,
        "certificates": [{"name": "shop-api", "days_left": 3}],
        "drift": drift,
    }
    return dict(screen.lines(status))


def test_apps_disks_ports_and_system_stand_on_one_screen_with_what_needs_a_look_marked() -> None:
    lines = shown([])
    assert lines["shop-api  r7       acme/shop:1  200 in 4 ms   3 days left  127.0.0.1:18000"] == screen.WARNING
    assert lines["worker    r7       acme/shop:1  no container  -            -"] == screen.BROKEN
    assert lines["disk    /: 95 % of 40.0 GB used, 2.0 GB free"] == screen.WARNING
    assert lines["ports   443/tcp to anyone"] == screen.PLAIN
    system = "system  Debian 13, up 1 d 1 h, a reboot is due, failed: cron.service (`systemctl status` says why)"
    assert lines[system] == screen.WARNING
    assert lines["Nothing differs from the inventory."] == screen.OK


def test_an_app_that_has_the_server_stands_out_with_what_gives_it_that() -> None:
    agent = {**APP, "name": "agent", "host_access": ["SYS_ADMIN", "/var/run/docker.sock"]}
    lines = shown([], {**SERVER, "apps": [APP, agent]})
    said = "rights  agent has SYS_ADMIN, /var/run/docker.sock: whoever gets into it has the server"
    assert lines[said] == screen.WARNING
    assert not any(line.startswith("rights  shop-api") for line in lines)


def test_what_differs_is_listed_also_when_the_server_could_not_be_looked_at() -> None:
    assert shown([DRIFT], {})["  file  /etc/a is missing"] == screen.BROKEN
    assert screen.title([DRIFT]) == "1 thing differs"
    assert screen.title([DRIFT] * 2) == "2 things differ"


def test_a_run_that_is_no_status_collects_nothing() -> None:
    board = Board()
    board.keep("web1", "portside.vps.apt_packages", "Packages", {"changed": True, "installed": ["ufw"]})
    assert board.hosts == {}
    assert (board.differs, board.exit_status) == (False, 0)


def test_the_exit_status_tells_a_server_that_differs_from_one_that_cannot_be_reached() -> None:
    board = Board()
    board.keep("web1", "set_fact", "begin", {"ansible_facts": {FACT: {"report": ""}}})
    assert board.exit_status == 0
    board.keep("web1", "portside.vps.apt_packages", "Packages", {"changed": True, "installed": ["ufw"], "diff": []})
    assert board.exit_status == 2
    board.lost("web2", "no route")
    assert board.exit_status == 4


def test_the_json_report_holds_what_the_screen_shows(tmp_path) -> None:
    board = Board()
    board.keep("web1", "set_fact", "begin", {"ansible_facts": {FACT: {"report": str(tmp_path / "status.json")}}})
    board.keep("web1", LOOK, "look", SERVER)
    board.keep("web1", "portside.vps.apt_packages", "Packages", {"changed": True, "installed": ["ufw"], "diff": []})
    board.lost("web2", "no route")
    board.write()
    assert (tmp_path / "status.json").stat().st_mode & 0o777 == 0o600
    report = json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))
    assert report["ok"] is False
    assert report["hosts"]["web1"]["server"]["apps"][0]["release"] == 7
    assert report["hosts"]["web1"]["drift"] == [{"kind": "package", "name": "ufw", "what": "is not installed"}]
    assert "no route" in report["hosts"]["web2"]["drift"][0]["what"]


def test_a_file_system_that_several_places_share_is_listed_once() -> None:
    assert len(host.disks(["/", "/usr/..", "/nowhere"])) == 1


RELEASE = Release(7, LIVE, "h", "acme/shop:1", "i", "", "a-r7", None, "", {})
WORKER = {"name": "a", "bind": "127.0.0.1", "port": None, "health": {"check": "http"}}
RUNS = {"status": "running", "exit_code": 0, "health": ""}


def test_a_canary_stands_beside_the_live_release() -> None:
    app = {**APP, "canary": {"release": 8, "share": 20}, "ports": ["127.0.0.1:18000", "127.0.0.1:18001"]}
    lines = shown([], {**SERVER, "apps": [app]})
    assert any("r7, r8 for 20 %" in line and "127.0.0.1:18000, 127.0.0.1:18001" in line for line in lines)


@pytest.mark.parametrize(
    ("containers", "healthy", "said"),
    [
        ({}, False, "2 of 2: no container"),
        ({"a-r7": RUNS}, False, "1 of 2: no container"),
        (
            {"a-r7": RUNS, "a-r7-2": {**RUNS, "status": "exited", "exit_code": 3}},
            False,
            "1 of 2: exited (exit status 3)",
        ),
        ({"a-r7": RUNS, "a-r7-2": RUNS}, True, "2 of 2: running"),
    ],
)
def test_an_app_is_healthy_when_all_its_replicas_are(containers, healthy, said) -> None:
    state = AppState("a", releases=(replace(RELEASE, others=(Replica("a-r7-2"),)),))
    seen = host.app_status(WORKER, state, containers)
    assert (seen["healthy"], seen["health"]) == (healthy, said)


def test_the_rights_are_those_of_the_release_that_runs() -> None:
    spec = {"cap_add": ["CHOWN", "SYS_ADMIN"], "volumes": ["/:/host:ro", "data:/data"]}
    state = AppState("a", releases=(replace(RELEASE, spec=spec),))
    assert host.app_status(WORKER, state, {})["host_access"] == ["SYS_ADMIN", "/"]
    assert host.app_status(WORKER, AppState("a", releases=(RELEASE,)), {})["host_access"] == []


def test_an_app_of_which_nothing_is_known_has_no_container() -> None:
    seen = host.app_status(WORKER, None, {})
    assert (seen["healthy"], seen["health"], seen["release"]) == (False, "no container", None)
