"""The program that systemd runs for every reload of nginx."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import reload

from tests.unit.nginx.rendering import tree


class Host:
    """A made-up /proc and PID file; nginx's workers retire when the signal has come."""

    def __init__(self, root, monkeypatch, *, idle=(0,), status=0):
        self.proc = root / "proc"
        self.flag = root / "closing"
        self.asked = list(idle)
        self.events = []
        self.status = status
        (root / "nginx.pid").write_text("10\n")
        for pid, parent, title in (
            (10, 1, "nginx: master process"),
            (11, 10, "nginx: worker process"),
            (12, 9, "nginx"),
        ):
            self.process(pid, parent, title)
        monkeypatch.setattr(reload, "FLAG", self.flag)
        monkeypatch.setattr(reload, "PID_FILE", root / "nginx.pid")
        monkeypatch.setattr(reload, "PROC", self.proc)
        monkeypatch.setattr(reload, "POLL", 0)
        monkeypatch.setattr(reload, "idle", self.idle)
        monkeypatch.setattr(subprocess, "run", self.run)

    def process(self, pid, parent, title):
        entry = self.proc / str(pid)
        entry.mkdir(parents=True, exist_ok=True)
        (entry / "stat").write_text(f"{pid} (ng) inx) S {parent} 1 1")
        (entry / "cmdline").write_bytes(title.encode() + b"\0")

    def idle(self):
        self.events.append(("idle", self.flag.exists()))
        return self.asked.pop(0) if len(self.asked) > 1 else self.asked[0]

    def run(self, argv, *, check):
        self.events.append((argv[-1], self.flag.exists()))
        self.process(11, 10, "nginx: worker process is shutting down")
        self.process(13, 10, "nginx: worker process")
        return subprocess.CompletedProcess(argv, self.status)


def test_clients_are_asked_to_close_until_none_waits_and_then_nginx_reloads(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch, idle=(3, 1, 0))
    assert reload.main() == 0
    assert host.events == [("idle", True), ("idle", True), ("idle", True), ("reload", True)]
    assert not host.flag.exists()


def test_clients_that_stay_are_waited_for_a_second_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr(reload, "ASKED", 0.02)
    host = Host(tmp_path, monkeypatch, idle=(5,))
    assert reload.main() == 0
    assert host.events[-1] == ("reload", True)


def test_a_reload_that_fails_says_so_and_leaves_no_flag(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch, status=1)
    assert reload.main() == 1
    assert not host.flag.exists()


def test_only_the_masters_children_count(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch)
    assert reload.workers(reload.PID_FILE, host.proc) == {11: b"nginx: worker process "}


SITE = {
    "name": "shop",
    "domains": ["a.example.com", "b.example.com"],
    "upstream": {"servers": ["127.0.0.1:1"]},
    "local_port": 8000,
    "webhooks": [{"path": "/hook"}],
    "redirects": [{"from": "/old", "to": "/new"}],
    "static": [{"path": "/files", "directory": "/srv/files"}],
    "locations": [{"path": "/blog", "upstream": {"servers": ["127.0.0.1:2"]}}],
}


@pytest.mark.parametrize("release", ["Debian_12", "Debian_13"])
def test_every_location_that_answers_heeds_the_flag_and_systemd_runs_the_program(release):
    files = tree(SITE, release=release)
    text = files["sites-enabled/portside-shop.conf"]
    assert text.count("\nserver {") == text.count("include snippets/portside-closing.conf;")
    for head, body in re.findall(r"^    location (.+) \{\n(.*?)^    \}", text, re.MULTILINE | re.DOTALL):
        assert ("include snippets/portside-close.conf;" in body) is ("internal;" not in body), head
    assert f"set $portside_flag {reload.FLAG};" in files["snippets/portside-closing.conf"]
    unit = files["/etc/systemd/system/nginx.service.d/portside-reload.conf"]
    assert "ExecReload=\n" in unit
    assert "ExecReload=+/usr/bin/python3 /usr/local/lib/portside/nginx-reload" in unit
    assert str(reload.FLAG) in files["/etc/apt/apt.conf.d/90portside-nginx"]


def test_nginx_with_keepalive_min_timeout_has_nothing_of_it():
    files = tree(SITE, release="Ubuntu_26")
    text = files["sites-enabled/portside-shop.conf"]
    assert text.count("\nserver {") == text.count("keepalive_min_timeout 2s;")
    assert not any("portside-reload" in path or str(reload.FLAG) in content for path, content in files.items())
    assert "599" not in "".join(files.values())


@pytest.mark.parametrize("release", ["Debian_12", "Debian_13", "Ubuntu_24", "Ubuntu_26"])
def test_nothing_that_means_something_to_nginx_is_borrowed(release):
    """https://nginx.org/en/docs/http/ngx_http_ssl_module.html#errors, and 494 and 499 of its source."""
    text = "".join(tree(SITE, release=release).values())
    for statuses in re.findall(r"error_page ([0-9 ]+)", text):
        assert not {int(status) for status in statuses.split()} & set(range(490, 500))
    assert not re.search(r"return 49[0-9]", text)


def test_workers_may_open_the_flag_whatever_the_umask(tmp_path, monkeypatch):
    host = Host(tmp_path, monkeypatch)
    modes = []
    monkeypatch.setattr(reload, "idle", lambda: modes.append(host.flag.stat().st_mode & 0o777) or 0)
    before = os.umask(0o077)
    try:
        assert reload.main() == 0
    finally:
        os.umask(before)
    assert set(modes) == {0o644}


def test_clients_are_asked_only_when_every_worker_has_seen_the_flag(tmp_path, monkeypatch):
    """Workers look once in a second of the clock."""
    host = Host(tmp_path, monkeypatch)
    clock = iter([100.2, 100.9, 101.0, 101.06])
    monkeypatch.setattr(reload.time, "time", lambda: next(clock))
    assert reload.main() == 0
    assert host.events == [("idle", True), ("reload", True)]
    assert list(clock) == []
