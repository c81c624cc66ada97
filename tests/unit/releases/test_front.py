"""nginx on the host: files, commands, and workers that finish."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed
from ansible_collections.portside.vps.plugins.module_utils.releases import front
from ansible_collections.portside.vps.plugins.module_utils.releases.front import FrontError, HostFront
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock

# /proc/<pid>/stat of an nginx worker on Debian 12, up to the fields that matter.
STAT = "{pid} (nginx) S {parent} {pid} {pid} 0 -1 4194368 242 0 0 0 0 0 0 0 20 0 1 0 5135 57389056 1013"
CHECK, RELOAD = ["nginx", "-t"], ["systemctl", "reload", "nginx"]


class Nginx:
    """A made-up /proc with an nginx in it, and the commands that act on it."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.pid_file = root / "nginx.pid"
        self.file = root / "shop.conf"
        self.file.write_text("old\n")
        self.ran: list[list[str]] = []
        self.seen: list[str] = []
        self.failing: dict[str, int] = {}
        self.takes = True
        self.now = 0.0
        self.later: list[tuple[float, int]] = []
        self.process(100, 1, "nginx: master process /usr/sbin/nginx")
        self.process(101, 100, "nginx: worker process")
        self.process(900, 800, "nginx: worker process")  # in somebody's container
        self.pid_file.write_text("100\n")

    def process(self, pid: int, parent: int, title: str) -> None:
        directory = self.proc / str(pid)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "stat").write_text(STAT.format(pid=pid, parent=parent))
        (directory / "cmdline").write_bytes(title.encode() + b"\0" * 9)

    def end(self, pid: int) -> None:
        for part in ("stat", "cmdline"):
            (self.proc / str(pid) / part).unlink()
        (self.proc / str(pid)).rmdir()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for item in [item for item in self.later if item[0] <= self.now]:
            self.later.remove(item)
            self.end(item[1])

    def execute(self, argv: Sequence[str]) -> Completed:
        self.ran.append(list(argv))
        self.seen.append(self.file.read_text() if self.file.exists() else "gone")
        if self.failing.get(argv[0], 0):
            self.failing[argv[0]] -= 1
            raise CommandError(f"`{argv[0]}` exited with status 1: emerg")
        if list(argv) == RELOAD and self.takes:
            self.process(101, 100, "nginx: worker process is shutting down")
            self.process(102, 100, "nginx: worker process")
        return Completed(tuple(argv), 0, "", "")

    def front(self, reload: Sequence[str] = RELOAD) -> HostFront:
        clock = Clock(lambda: self.now, self.sleep)
        return HostFront(CHECK, reload, clock, pid_file=self.pid_file, execute=self.execute, proc=self.proc)


@pytest.fixture
def nginx(tmp_path: Path) -> Nginx:
    return Nginx(tmp_path)


def test_only_workers_of_the_hosts_own_nginx_count(nginx: Nginx) -> None:
    assert front.nginx_workers(nginx.pid_file, nginx.proc) == {101: "nginx: worker process"}
    nginx.pid_file.unlink()
    assert front.nginx_workers(nginx.pid_file, nginx.proc) == {}


def test_a_switch_writes_checks_and_reloads(nginx: Nginx) -> None:
    nginx.front().point(str(nginx.file), "new\n")
    assert nginx.ran == [CHECK, RELOAD]
    assert nginx.seen == ["new\n", "new\n"]
    assert nginx.file.stat().st_mode & 0o777 == 0o644


def test_a_drain_waits_for_the_old_workers_and_not_longer(nginx: Nginx) -> None:
    server = nginx.front()
    server.point(str(nginx.file), "new\n")
    nginx.later = [(7.0, 101)]
    assert server.drain(30)
    assert 7.0 <= nginx.now < 7.2


def test_a_drain_ends_at_its_limit(nginx: Nginx) -> None:
    server = nginx.front()
    server.point(str(nginx.file), "new\n")
    assert not server.drain(5)
    assert 5.0 <= nginx.now < 5.2


def test_before_any_reload_a_drain_waits_for_the_workers_of_an_earlier_run(nginx: Nginx) -> None:
    assert nginx.front().drain(5)
    assert nginx.now == 0
    nginx.process(99, 100, "nginx: worker process is shutting down")
    nginx.later = [(3.0, 99)]
    assert nginx.front().drain(5)
    assert nginx.now >= 3.0


def test_a_refused_configuration_is_put_back_without_a_reload(nginx: Nginx) -> None:
    nginx.failing["nginx"] = 1
    with pytest.raises(FrontError, match=r"would not accept its configuration: .*emerg"):
        nginx.front().point(str(nginx.file), "new\n")
    assert nginx.file.read_text() == "old\n"
    assert nginx.ran == [CHECK]


def test_a_failed_reload_is_put_back_and_said_to_nginx(nginx: Nginx) -> None:
    nginx.failing["systemctl"] = 1
    with pytest.raises(FrontError, match="could not be reloaded"):
        nginx.front().point(str(nginx.file), "new\n")
    assert nginx.file.read_text() == "old\n"
    assert nginx.ran == [CHECK, RELOAD, RELOAD]
    assert nginx.seen[-1] == "old\n"


def test_an_nginx_that_does_not_take_the_new_configuration_is_noticed(nginx: Nginx) -> None:
    nginx.takes = False
    with pytest.raises(FrontError, match="its old workers still accept connections 15 s later"):
        nginx.front().point(str(nginx.file), "new\n")
    assert nginx.file.read_text() == "old\n"


def test_a_file_that_was_not_there_is_not_there_again(nginx: Nginx) -> None:
    nginx.file.unlink()
    nginx.failing["nginx"] = 1
    with pytest.raises(FrontError):
        nginx.front().point(str(nginx.file), "new\n")
    assert not nginx.file.exists()


def test_a_directory_that_is_not_there_is_named(nginx: Nginx, tmp_path: Path) -> None:
    with pytest.raises(FrontError, match="the directory of `upstream_file` has to be there"):
        nginx.front().point(str(tmp_path / "nowhere" / "shop.conf"), "new\n")


def test_without_commands_the_file_is_just_written(nginx: Nginx) -> None:
    HostFront([], [], Clock(lambda: 0, lambda _: None), execute=nginx.execute).point(str(nginx.file), "new\n")
    assert (nginx.file.read_text(), nginx.ran) == ("new\n", [])


@pytest.mark.parametrize(("failing", "left"), [(0, False), (1, True)])
def test_a_file_is_withdrawn_unless_nginx_wants_it(nginx: Nginx, failing: int, left: bool) -> None:
    nginx.failing["nginx"] = failing
    nginx.front().withdraw(str(nginx.file))
    assert nginx.file.exists() is left
