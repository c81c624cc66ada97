"""What the machine must have: installed where that is allowed, else said."""

from pathlib import Path

import pytest

from lab import machine
from lab.errors import LabError


def test_who_may_not_install_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_debian_root", lambda: False)
    with pytest.raises(
        LabError, match=r"lacks docker\.io, mmdebstrap .* As root: apt-get install docker\.io mmdebstrap"
    ):
        machine.ensure_packages(["mmdebstrap", "docker.io", "mmdebstrap"])


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "is_debian_root", lambda: False)
    machine.ensure_programs({"sh": "dash"})


@pytest.mark.parametrize(("before", "after"), [("128\n", 1024), ("8192\n", 8192)])
def test_inotify_is_raised_and_never_lowered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: int
) -> None:
    limit = tmp_path / "max_user_instances"
    limit.write_text(before)
    monkeypatch.setattr(machine.os, "getuid", lambda: 0)
    machine.ensure_inotify(limit)
    assert int(limit.read_text()) == after
