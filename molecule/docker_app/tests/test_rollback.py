"""Rollback on real Docker: without a registry, through the gate, killed anywhere."""

from __future__ import annotations

import pytest

from lab.app_release import KILLED


def test_rollback_works_without_the_registry_and_after_the_tag_was_removed(server, vps, apps):
    before = server.live("shop")
    apps["shop"] |= {"image": server.image("2"), "env": {"STEP": "two"}}
    server.deploy(apps)
    vps.run_expect([0], "docker rmi --force %s", server.image("1"))
    vps.run_expect([0], "echo '127.0.0.1 registry.lab.test' >> /etc/hosts")
    try:
        done = server.deploy(apps, rollback="shop")
    finally:
        vps.run_expect([0], "grep -v registry.lab.test /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts")
    assert done.app("shop")["action"] == "rolled back"
    status, answer = server.ask("shop")
    assert (status, answer["version"]) == (200, "1")
    assert "STEP" not in answer["env"]
    assert server.live("shop")["digest"] == before["digest"]
    assert server.deploy(apps, retry=[]).app("shop")["action"] == "held"


def test_a_rollback_killed_after_any_step_leaves_the_app_served_and_can_be_repeated(server, apps):
    for step in range(1, 60):
        two = {"shop": {**apps["shop"], "env": {f"STEP_{step}": "1"}}}
        server.deploy(two, only=["shop"])
        cut = server.release(two, kill_at=step, rollback="shop")
        assert server.ask("shop")[0] == 200, f"nobody serves after {step} steps"
        server.deploy(two, only=["shop"], retry=[])
        assert server.running("shop") == [server.live("shop")["container"]]
        if cut.status != KILLED:
            assert f"STEP_{step}" not in server.ask("shop")[1]["env"]
            return
    pytest.fail("the run never came to its end")
