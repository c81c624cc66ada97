"""Reboots, runs that were killed, and Docker restarted."""

from __future__ import annotations

import pytest

from lab.app_release import KILLED


def test_a_bad_release_that_is_killed_after_any_step_leaves_the_old_one_served_and_is_given_up_by_the_next(
    server, apps
):
    """kill -9 after the first effect on the host, after the second, and so on, until a run comes to its end. The same
    with good releases, and nginx in front: molecule/site/tests/test_killed.py."""
    wanted = {"shop": {**apps["shop"], "image": server.image("2"), "env": {"EXIT_STATUS": "1"}}}
    for step in range(1, 60):
        cut = server.release(wanted, kill_at=step, only=["shop"])
        assert server.ask("shop")[0] == 200, f"nobody serves after {step} steps"
        done = server.release(wanted, only=["shop"])
        assert done.status == 1, done.message
        assert server.running("shop") == [server.live("shop")["container"]]
        assert server.ask("shop")[1]["version"] == "1"
        ended = {"live", "retired", "failed", "rejected"}
        assert {release["state"] for release in server.state("shop")["releases"]} <= ended
        if cut.status != KILLED:
            assert step > 10, "it was cut off hardly ever"
            return
    pytest.fail("the run never came to its end")


def test_containers_outlive_a_restart_of_docker(server, vps):
    started = "docker inspect --format '{{.State.StartedAt}}' %s"
    container = server.live("shop")["container"]
    before = vps.check_output(started, container)
    vps.run_expect([0], "systemctl restart docker")
    assert server.ask("shop")[0] == 200
    assert vps.check_output(started, container) == before


def test_a_reboot_brings_back_the_live_releases_and_nothing_else(server, apps, reboot, wait_until):
    apps["shop"]["image"] = server.image("2")
    server.deploy(apps)
    reboot(power_cut=True)
    wait_until(lambda: server.ask("shop")[0] == 200, "the app answers again")
    assert server.ask("shop")[1]["version"] == "2"
    for name in apps:
        expected = [server.live(name)["container"]]
        wait_until(lambda name=name, expected=expected: server.running(name) == expected, f"{name} runs again")
