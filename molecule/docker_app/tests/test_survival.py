"""Reboots, and runs that were killed."""

from __future__ import annotations

import threading

import pytest

SLOW_REQUEST = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:%s/slow?seconds=8')"


def test_a_reboot_brings_back_the_live_release_and_nothing_else(server, apps, reboot, wait_until):
    apps["shop"]["image"] = "{{ lab_registry }}/probe:2"
    server.deploy(apps)
    reboot(power_cut=True)
    wait_until(lambda: server.ask("shop")[0] == 200, "the app answers again")
    assert server.ask("shop")[1]["version"] == "2"
    for name in apps:
        expected = [server.live(name)["container"]]
        wait_until(lambda name=name, expected=expected: server.running(name) == expected, f"{name} runs again")


# When the run is killed, by what the server then shows of it; the number is that of the new release.
MOMENTS = {
    "it is remembered": "grep -q '\"number\": {number},' /var/lib/portside/apps/shop/state.json",
    "its container starts": 'test -n "$(docker ps --quiet --filter name=^shop-r{number}$)"',
    "the old one is stopped": "grep -q retired /var/lib/portside/apps/shop/state.json",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_killed_is_repaired_by_the_next(server, vps, apps, moment):
    server.deploy([{"name": "shop", "state": "absent"}])
    server.deploy(apps)
    before = server.live("shop")
    # The old container takes its time to stop: it has something to answer.
    vps.run_expect([0], "systemd-run python3 -c %s", SLOW_REQUEST % before["host_port"])
    apps["shop"]["image"] = "{{ lab_registry }}/probe:2"
    apps["shop"]["env"]["START_DELAY"] = "2"
    results = []
    thread = threading.Thread(target=lambda: results.append(server.role(apps)))
    thread.start()
    seen = MOMENTS[moment].format(number=before["number"] + 1)
    vps.run_expect([0], f"for try in $(seq 600); do {seen} && exit 0; sleep 0.05; done; exit 1")
    vps.run_expect([0], "kill -9 $(sed -n 's/^pid \\([0-9]*\\).*/\\1/p' /var/lib/portside/apps/.lock)")
    thread.join()
    assert results[0].status != 0, results[0].output
    assert server.ask("shop")[0] == 200, "somebody serves"
    server.deploy(apps)
    assert server.running("shop") == [server.live("shop")["container"]]
    assert server.ask("shop")[1]["version"] == "2"
    assert {release["state"] for release in server.state("shop")["releases"]} <= {"live", "retired", "failed"}
