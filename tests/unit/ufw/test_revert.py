"""The program that takes a change back, run for real on files of its own; on real hosts molecule/ufw runs it."""

import os
import subprocess

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw import change, revert

OLD, NEW = "the firewall of before\n", "the change\n"
FILES = ("conf", "rules4", "rules6", "after4")


class Host:
    """Files of a firewall that was changed, and programs that fail where the test says so."""

    def __init__(self, folder):
        self.folder, self.bin = folder, folder / "bin"
        self.state = folder / "state"
        self.paths = {name: folder / "etc" / f"{name}.rules" for name in FILES}
        for directory in (self.bin, self.state, folder / "etc"):
            directory.mkdir()
        for name in ("systemctl", "systemd-run", "ufw-init", "iptables-restore", "ip6tables-restore"):
            self.program(name, 'echo "$(basename "$0") $*" >> "$CALLS"; [ "$*" != "is-active --quiet" ] || exit 1')
        self.program("systemctl", 'echo "systemctl $*" >> "$CALLS"; [ "$1" != is-active ] || exit 3')

    def program(self, name, body):
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def take_back(self, *arguments):
        there = next(path for path in (revert.REVERTING, revert.PENDING) if path.exists())
        environment = {"PATH": f"{self.bin}:{os.environ['PATH']}", "CALLS": str(self.folder / "calls")}
        return subprocess.run(
            ["/bin/sh", str(there / "revert"), *arguments], env=environment, capture_output=True, text=True, check=False
        )

    def said_to_systemd(self):
        return (self.folder / "calls").read_text().splitlines()

    def files(self):
        return {name: path.read_text() for name, path in self.paths.items()}


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A host whose firewall was changed; nobody has confirmed that."""
    host = Host(tmp_path)
    state, at_boot = host.state, tmp_path / "boot.service"
    places = {
        "STATE_DIR": state,
        "PENDING": state / "pending",
        "REVERTING": state / "reverting",
        "STATE_FILE": state / "state.json",
        "BOOT_LINK": tmp_path / "boots",
        "UFW_INIT": "ufw-init",
        "AT_BOOT": at_boot,
        "AT_BOOT_LINK": tmp_path / "wants" / "boot.service",
        "FILES": {**{name: str(path) for name, path in host.paths.items()}, "after6": str(tmp_path / "etc/none")},
    }
    for name, value in places.items():
        for module in (change, revert):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, value)
    for path in host.paths.values():
        path.write_text(OLD)
    change._save_for_revert()
    for path in host.paths.values():
        path.write_text(NEW)
    places["STATE_FILE"].write_text("{}")
    return host


def test_a_full_disk_keeps_no_firewall_from_coming_back(host):
    """Nothing is written: what is copied would find no space."""
    host.program("cp", 'echo "cp: No space left on device" >&2; exit 1')
    done = host.take_back()
    assert done.returncode == 0, done.stderr
    assert "is back" in done.stderr
    assert set(host.files().values()) == {OLD}
    assert not revert.REVERTING.exists()
    assert not (host.state / "state.json").exists(), "there was none before the change"
    assert f"systemctl stop {revert.REVERT_UNIT}.timer" in host.said_to_systemd()


@pytest.fixture
def stuck(host):
    """One file can't be put back."""
    host.program("mv", f'for last; do :; done; [ "$last" != "{host.paths["rules4"]}" ] || exit 1; exec /bin/mv "$@"')
    return host


def test_a_firewall_that_could_not_be_put_back_is_kept_and_tried_again(stuck):
    failed = stuck.take_back()
    assert failed.returncode != 0
    assert stuck.files()["rules4"] == NEW
    (stuck.bin / "mv").unlink()
    assert stuck.take_back("again").returncode == 0
    assert set(stuck.files().values()) == {OLD}


def test_what_could_not_be_put_back_is_reported_as_it_is(stuck):
    failed = stuck.take_back()
    assert f"NOT back, failed: {stuck.paths['rules4']}" in failed.stderr
    assert "is back" not in failed.stderr


def test_a_revert_that_failed_stays_armed_for_timer_and_boot(stuck):
    stuck.take_back()
    [timer] = [line for line in stuck.said_to_systemd() if line.startswith("systemd-run")]
    assert f"{revert.REVERTING}/revert again" in timer
    assert not any(line.startswith("systemctl stop") for line in stuck.said_to_systemd())
    assert revert.AT_BOOT.exists()
    assert revert.AT_BOOT_LINK.is_symlink()
    (stuck.bin / "mv").unlink()
    stuck.take_back("boot")
    assert set(stuck.files().values()) == {OLD}
    assert not revert.AT_BOOT.exists()


def test_a_firewall_that_does_not_load_is_no_firewall_that_is_back(host):
    for path in host.paths.values():
        revert.saved_beside(path).write_text("ENABLED=yes\n")
    host.program("ufw-init", '[ "$1" != start ] || exit 1')
    failed = host.take_back()
    assert failed.returncode != 0
    assert "NOT back, failed: loading" in failed.stderr
    host.program("ufw-init", "exit 0")
    assert host.take_back("again").returncode == 0


def test_a_confirmed_change_leaves_nothing_of_the_old_firewall(host, monkeypatch):
    monkeypatch.setattr(change, "run", lambda *_words, **_options: None)
    monkeypatch.setattr(change, "KEPT", host.state / "confirmed")
    monkeypatch.setattr(change, "CONFIRMED", host.state / "confirmed-changes")
    assert change._keep()
    assert {path.name for path in (host.folder / "etc").iterdir()} == {path.name for path in host.paths.values()}
    assert set(host.files().values()) == {NEW}


def test_a_firewall_that_can_not_be_saved_is_not_changed(host, monkeypatch):
    revert.REVERTING.mkdir()
    change.remove_tree(revert.REVERTING)
    change.remove_tree(revert.PENDING)

    def full(*_words, **_options):
        raise OSError("No space left on device")

    monkeypatch.setattr(change, "write_atomic", full)
    monkeypatch.setattr(change, "run", lambda *_words, **_options: None)
    with pytest.raises(change.ApplyError, match=r"could not be saved, and nothing was changed. No space left"):
        change.apply(None, None, "", 60)
    assert set(host.files().values()) == {NEW}
