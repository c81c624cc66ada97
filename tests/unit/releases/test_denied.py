"""What a program that was refused something is told to be lacking."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import denied
from ansible_collections.portside.vps.plugins.module_utils.releases.options import CAPABILITIES

from tests.unit.releases.release_fakes import FakeEngine, Host, app, releaser


@pytest.mark.parametrize(
    ("line", "name"),
    [
        # coreutils, gosu, su-exec, busybox, setpriv, nginx, Go, Python, iptables, iproute2, Vault, chrony, bubblewrap.
        ("chown: changing ownership of '/data': Operation not permitted", "CHOWN"),
        ("PermissionError: [Errno 1] Operation not permitted: os.chown('/data')", "CHOWN"),
        ("chmod: changing permissions of '/var/run/x': Operation not permitted", "FOWNER"),
        ("su-exec: setgroups: Operation not permitted", "SETGID"),
        ('error: failed switching user to "postgres": operation not permitted', "SETUID"),
        ("nginx: [emerg] setuid(101) failed (1: Operation not permitted)", "SETUID"),
        ("setgid(101) failed (1: Operation not permitted)", "SETGID"),
        ("nginx: [emerg] bind() to 0.0.0.0:80 failed (13: Permission denied)", "NET_BIND_SERVICE"),
        ("Error: listen tcp :443: bind: permission denied", "NET_BIND_SERVICE"),
        ("ping: socket: Operation not permitted", "NET_RAW"),
        ("RTNETLINK answers: Operation not permitted", "NET_ADMIN"),
        ("Error: failed to lock memory: operation not permitted", "IPC_LOCK"),
        ("adjtimex(0x8001) failed : Operation not permitted", "SYS_TIME"),
        ("mount: /mnt: permission denied; mount(2) Operation not permitted", "SYS_ADMIN"),
        ("chroot: cannot change root directory to '/x': Operation not permitted", "SYS_CHROOT"),
        ("open /data/file: permission denied", ""),
        ("bind: 0.0.0.0:8080: permission denied", ""),
        ("all is well", ""),
    ],
)
def test_the_capability_is_known_by_what_was_tried(line: str, name: str) -> None:
    assert denied.capability(line) == name


def test_the_line_to_write_has_what_the_app_has_already() -> None:
    said = denied.hint(["starting", "ping: socket: Operation not permitted"], ["CHOWN", "SETUID"], "")
    assert "likely lacks the capability NET_RAW" in said
    assert said.endswith("write `cap_add: [CHOWN, NET_RAW, SETUID]`")


def test_a_capability_that_gives_the_server_away_comes_with_the_consent_that_it_needs() -> None:
    said = denied.hint(["unshare: Operation not permitted"], [], "")
    assert "`cap_add: [SYS_ADMIN]`, and `host_access: [SYS_ADMIN]`" in said


def test_a_user_for_whom_no_capability_counts_is_named() -> None:
    said = denied.hint(["chown: /data: Operation not permitted"], CAPABILITIES, "1000:1000")
    assert "it runs as `user: 1000:1000`, for whom `cap_add` does nothing" in said
    assert denied.hint(["chown: /data: Operation not permitted"], CAPABILITIES, "0:0") == ""


def test_a_program_that_may_not_be_started_at_all_is_explained() -> None:
    said = denied.hint(["exec /usr/bin/vault: operation not permitted"], CAPABILITIES, "")
    assert "has capabilities of its own (`getcap` shows them)" in said


def test_what_is_not_known_says_where_to_look() -> None:
    assert "those in `cap_add` alone (none)" in denied.hint(["frob: Operation not permitted"], [], "")
    assert denied.hint(["all is well"], [], "") == ""


class Refused(FakeEngine):
    """A container that is refused something."""

    def logs(self, container: str, lines: int) -> list[str]:
        return ["chown: changing ownership of '/data': Operation not permitted"]


@pytest.mark.parametrize("change", [{}, {"before": (("migrate",),)}])
def test_a_rejected_release_says_which_capability_it_lacked(tmp_path: Path, change: dict[str, object]) -> None:
    host = Host(tmp_path / "apps", present={"shop:1": "one"}, crashing={"one"}, job_status=1)
    run = releaser(host)
    object.__setattr__(run._host, "engine", Refused(host))
    (outcome,) = run.run([app(cap_add=(), **change)])
    assert "likely lacks the capability CHOWN" in outcome.message
    assert "write `cap_add: [CHOWN]`" in outcome.message
