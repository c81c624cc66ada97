"""Modules that are packed while the first tasks of a play run."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.vars.manager import VariableManager
from ansible_collections.portside.vps.plugins.plugin_utils import ahead

ROOT = Path(__file__).resolve().parents[3]
TASKS = [
    {"ansible.builtin.assert": {"that": True}},
    {"portside.vps.os_facts": {}},
    {
        "block": [{"portside.vps.apt_packages": {"name": ["nginx"]}}, {"portside.vps.os_facts": {}}],
        "always": [{"portside.vps.docker_daemon": {}}],
    },
    {"portside.vps.app_releases": {}, "when": "rejections"},
    {"block": [{"portside.vps.certbot_venv": {"requirements": ""}}], "when": "pypi"},
]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The directory in which Ansible keeps packed modules."""
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path / "ansiballz_cache"


def play(**settings):
    return Play.load({"hosts": "all", "tasks": TASKS, **settings}, loader=DataLoader())


def test_what_a_play_is_sure_to_need_in_the_order_of_its_tasks():
    assert ahead.modules(play()) == [f"portside.vps.{name}" for name in ("os_facts", "apt_packages", "docker_daemon")]


def test_the_site_playbook_needs_these():
    loader = DataLoader()
    loader.set_basedir(str(ROOT / "playbooks"))
    whole = loader.load_from_file(str(ROOT / "playbooks" / "site.yml"))[0]
    variables = VariableManager(loader=loader, inventory=InventoryManager(loader=loader, sources=["one,"]))
    names = ahead.modules(Play.load(whole, variable_manager=variables, loader=loader))
    assert [name.removeprefix("portside.vps.") for name in names] == [
        "os_facts",
        "apt_packages",
        "ufw_policy",
        "docker_daemon",
        "nginx_sites",
        "app_release",
        "certbot_certificates",
    ]


def test_a_module_that_was_packed_is_not_packed_again(cache):
    ahead.pack(["portside.vps.os_facts"])
    (packed,) = (path for path in cache.iterdir() if path.suffix != ".lock")
    os.utime(packed, (0, 0))
    ahead.pack(["portside.vps.os_facts"])
    assert packed.stat().st_mtime == 0


def test_ansible_changed_inside_is_no_reason_to_fail(cache, monkeypatch, capfd):
    monkeypatch.setattr("ansible.executor.module_common.modify_module", None)
    process = multiprocessing.get_context("fork").Process(target=ahead._quietly, args=(["portside.vps.os_facts"],))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert "".join(capfd.readouterr()) == ""


def test_a_run_that_is_interrupted_hears_nothing_of_it(cache, monkeypatch, capfd):
    fork = multiprocessing.get_context("fork")
    packs = fork.Event()
    monkeypatch.setattr(ahead, "pack", lambda _: packs.set() or time.sleep(60))
    process = fork.Process(target=ahead._quietly, args=([],))
    process.start()
    assert packs.wait(30)
    os.kill(process.pid, signal.SIGINT)
    process.join(0.5)
    assert process.is_alive()
    process.terminate()
    process.join(5)
    assert process.exitcode == -signal.SIGTERM
    assert "".join(capfd.readouterr()) == ""


def test_nothing_is_packed_for_mitogen(monkeypatch):
    started = []
    monkeypatch.setattr("multiprocessing.get_context", started.append)
    ahead.start(play(strategy="mitogen_linear"))
    assert started == []
