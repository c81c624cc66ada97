"""Tables of real dpkg and apt output in, decisions out."""

from __future__ import annotations

import os
import subprocess
from types import SimpleNamespace

import pytest
from ansible_collections.portside.vps.plugins.module_utils.apt import packages
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed
from ansible_collections.portside.vps.plugins.modules import apt_packages

DPKG = "ii \tnginx\t1.26.3-3+deb13u1\nrc \tufw\t0.36.2-9\nun \tdocker.io\t\nhi \tcertbot\t4.0.0-2\n"


def test_only_what_is_fully_installed_counts():
    assert packages.installed(DPKG) == {"nginx": "1.26.3-3+deb13u1", "certbot": "4.0.0-2"}


@pytest.mark.parametrize(
    ("wanted", "present", "expected"),
    [
        (["nginx", "ufw"], ["nginx"], ["ufw"]),
        (["ufw", "ufw"], [], ["ufw"]),
        (["nginx"], ["nginx", "ufw"], []),
    ],
)
def test_missing(wanted, present, expected):
    assert packages.missing(wanted, present) == expected


def test_a_name_that_apt_has_never_heard_of_is_unknown():
    assert packages.unknown(["nginx", "docker.io"], "nginx\nnginx-common\n") == ["docker.io"]


def test_names_cannot_become_options():
    argv = packages.install_argv(["nginx"], recommends=False)
    assert argv[-2:] == ["--", "nginx"]
    assert "--no-install-recommends" in argv


@pytest.mark.parametrize(
    ("status", "said", "locked"),
    [
        (100, "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 144 (apt-get)", True),
        (100, "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 144 (apt-get)", True),
        (100, "E: Unable to locate package ngnix", False),
        (0, "E: Could not get lock /some/thing of a package's own script", False),
    ],
)
def test_another_apt_at_work_is_recognised(status, said, locked):
    assert packages.is_locked(Completed(("apt-get",), status, "Reading package lists...", said)) is locked


@pytest.fixture
def apt(monkeypatch):
    """`apt(*statuses)`: apt ends with one after the other, 100 for its lock; returns the argvs and the passing time."""

    def answers(*statuses):
        left, calls, clock = list(statuses), [], SimpleNamespace(now=0.0)

        def run(argv, **_options):
            calls.append(argv)
            status = left.pop(0) if len(left) > 1 else left[0]
            return Completed(tuple(argv), status, "", "E: Could not get lock /x" if status == 100 else "")

        def sleep(seconds):
            clock.now += seconds

        monkeypatch.setattr(apt_packages, "run", run)
        monkeypatch.setattr(apt_packages, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=sleep))
        return calls, clock

    return answers


def test_another_apt_is_waited_for(apt):
    calls, _clock = apt(100, 100, 0)
    assert apt_packages._apt(["apt-get", "update"], 1).status == 0
    assert len(calls) == 3


def test_another_apt_that_does_not_end_is_reported_after_ten_minutes(apt):
    _calls, clock = apt(100)
    with pytest.raises(CommandError, match="Could not get lock"):
        apt_packages._refresh_lists()
    assert 600 < clock.now < 610


def test_archive_that_the_server_has_no_way_to_is_explained():
    output = (
        "E: Failed to fetch http://deb.example/x.deb  Cannot initiate the connection to deb.example:80 (192.0.2.1). - "
        "connect (101: Network is unreachable)\n"
    )
    first, last = packages.reasons(output).splitlines()
    assert first.startswith("E: Failed to fetch")
    assert "NAT64" in last


def test_the_reason_is_apts_own_error_line():
    output = "Reading package lists...\nE: Unable to locate package nginxx\n"
    assert packages.reasons(output) == "E: Unable to locate package nginxx"


@pytest.mark.parametrize(
    ("arguments", "process", "expected"),
    [
        (["nginx", "start"], os.getpid(), 101),
        (["--quiet", "nginx", "start", "5"], os.getpid(), 101),
        (["nginx.service", "restart"], os.getpid(), 101),
        (["nginxx", "start"], os.getpid(), 0),
        (["certbot.timer", "start"], os.getpid(), 0),
        # Nobody has this process id: Linux ends at 4,194,304.
        (["nginx", "start"], 99999999, 0),
    ],
)
def test_the_policy_forbids_the_named_services_while_the_installation_lasts(tmp_path, arguments, process, expected):
    script = tmp_path / "policy-rc.d"
    script.write_text(packages.policy(["nginx"], process))
    assert subprocess.run(["sh", script, *arguments], check=False).returncode == expected
