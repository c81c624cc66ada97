"""Releases as a user makes them: by changing the list and running the playbook again."""

from __future__ import annotations

import pytest


def test_a_second_run_changes_nothing(server):
    done = server.deploy(None)
    assert done.changed[server.name] == 0, done.output
    # One of them asks which release of the operating system this is; the site playbook does that once for all roles.
    assert done.calls_on(server.name) <= 5, done.calls


def test_check_mode_predicts_nothing_on_a_finished_host(server):
    done = server.deploy(None, "--check", "--diff")
    assert done.changed[server.name] == 0, done.output


def test_twenty_apps_are_no_more_calls_than_one(server, apps):
    apps |= {f"w{number}": {**apps["worker"], "name": f"w{number}", "health": {"grace": 0}} for number in range(20)}
    server.deploy(apps)
    again = server.deploy(apps)
    assert again.changed[server.name] == 0, again.output
    assert again.calls_on(server.name) <= 5, again.calls


def test_a_new_image_is_a_new_release_and_the_old_container_stops(server, apps):
    before = server.live("shop")
    apps["shop"]["image"] = "{{ lab_registry }}/probe:2"
    done = server.deploy(apps, "--diff")
    after = server.live("shop")
    assert after["number"] > before["number"]
    assert after["host_port"] != before["host_port"]
    assert server.running("shop") == [after["container"]]
    assert server.ask("shop")[1]["version"] == "2"
    assert "probe:2" in done.output


@pytest.mark.parametrize("kind", ["env", "secrets"])
def test_a_changed_variable_is_a_new_release(server, apps, kind):
    before = server.live("shop")["number"]
    apps["shop"][kind] = {**apps["shop"][kind], "ANOTHER": "another value"}
    done = server.deploy(apps)
    assert server.live("shop")["number"] > before
    assert done.changed[server.name] == 1


def test_failing_health_leaves_the_old_release_serving_and_shows_status_and_log(server, apps):
    before, worker = server.live("shop"), server.live("worker")["number"]
    apps["shop"]["image"] = "{{ lab_registry }}/probe:2"
    apps["shop"]["env"]["HEALTH_STATUS"] = "503"
    apps["shop"]["health"]["timeout"] = 3
    apps["worker"]["env"] = {"CHANGED": "yes"}
    said = server.refuse(apps)
    assert "app `shop`" in said
    assert "GET /health (Host: api.example.com) on port 8000 answered 503 and not 200 for 3 s" in said
    assert "starting, line 59 of version 2" in said
    assert "starting, line 3 of version 2" not in said, "the last 50 lines are enough"
    assert server.live("shop") == before
    assert server.running("shop") == [before["container"]]
    assert server.ask("shop")[1]["version"] == "1"
    assert server.live("worker")["number"] > worker, "the other apps are worked on"


def test_a_container_that_ends_fails_at_once(server, apps):
    before = server.live("shop")
    apps["shop"]["env"]["EXIT_STATUS"] = "3"
    apps["shop"]["health"]["timeout"] = 300
    said = server.refuse(apps)
    assert "it ended with exit status 3" in said
    assert "giving up" in said
    assert server.live("shop") == before


def test_an_app_that_listens_elsewhere_is_explained(server, apps):
    apps["shop"]["env"]["PORT"] = "9000"
    apps["shop"]["health"]["timeout"] = 2
    assert "Does the app listen on that port" in server.refuse(apps)


def test_an_image_that_does_not_exist_leaves_the_old_release_serving(server, apps):
    before = server.live("shop")
    apps["shop"]["image"] = "{{ lab_registry }}/probe:nosuch"
    assert "the registry has no such tag" in server.refuse(apps)
    assert server.live("shop") == before


def test_with_one_port_the_old_release_makes_room(server, apps):
    apps["single"]["image"] = "{{ lab_registry }}/probe:2"
    server.deploy(apps)
    assert server.running("single") == [server.live("single")["container"]]
    assert (server.live("single")["host_port"], server.ask("single")[1]["version"]) == (8000, "2")


def test_with_one_port_the_old_release_comes_back_when_the_new_one_fails(server, apps, wait_until):
    apps["single"]["env"] = {"EXIT_STATUS": "1"}
    server.refuse(apps)
    wait_until(lambda: server.ask("single")[0] == 200, "the old release serves again")


def test_a_port_that_a_stranger_holds_is_named(server, vps, apps):
    vps.run_expect([0], "systemd-run --unit squatter python3 -m http.server 8123 --bind 127.0.0.1")
    apps["six"] |= {"bind": "127.0.0.1", "host_ports": [8123, 8124]}
    try:
        assert "127.0.0.1:8123 is taken by something else" in server.refuse(apps)
    finally:
        vps.run_expect([0], "systemctl stop squatter")


def test_an_app_that_is_absent_leaves_nothing_but_its_volumes(server, vps, apps):
    apps["shop"] = {"name": "shop", "state": "absent"}
    server.deploy(apps)
    assert server.running("shop") == []
    assert not vps.file("/var/lib/portside/apps/shop").exists
    assert "shop-data" in vps.check_output("docker volume ls")


def test_an_app_that_left_the_list_is_reported_and_removed_on_demand(server, apps):
    del apps["worker"]
    done = server.deploy(apps)
    assert "not in the list of apps: worker" in " ".join(done.output.split())
    assert server.running("worker")
    server.deploy(apps, docker_app_purge=True)
    assert server.running("worker") == []


def test_a_choice_of_apps_leaves_the_others_alone(server, apps):
    before = server.live("shop")["number"]
    for app in apps.values():
        app["env"] = {"CHANGED": "yes"}
    server.deploy(apps, docker_app_only=["six"], docker_app_purge=True)
    assert server.live("shop")["number"] == before
    assert server.live("six")["spec"]["env"] == {"CHANGED": "yes"}
    assert server.running("worker")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prot": 8000}, "app `shop`: unknown key `prot`: did you mean `port`?"),
        ({"health": {"pth": "/"}}, "app `shop`: `health`: unknown key `pth`: did you mean `path`?"),
        ({"port": "0.0.0.0:8000:8000"}, "is an address, not a port"),
        ({"bind": "0.0.0.0"}, "Docker's own firewall rules let published ports past ufw"),
        ({"image": None}, "app `shop`: `image` is missing"),
        ({"secrets": {"KEY": "short"}}, "put it under `env`"),
        ({"name": "worker"}, "two apps are called `worker`"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_input_is_refused_before_anything_is_changed(server, apps, change, message):
    before = server.live("worker")["number"]
    apps["shop"] |= change
    apps["worker"]["env"] = {"CHANGED": "yes"}
    assert message in server.refuse(apps)
    assert server.live("worker")["number"] == before
