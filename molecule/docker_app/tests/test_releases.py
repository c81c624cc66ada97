"""What becomes of the containers at a release, and at one that fails."""

from __future__ import annotations

import pytest


def test_a_new_image_is_a_new_release_and_the_old_container_stops(server, apps):
    before = server.live("shop")
    apps["shop"]["image"] = server.image("2")
    done = server.deploy(apps)
    after = server.live("shop")
    assert done.app("shop")["reason"] == "changed: image"
    assert after["number"] > before["number"]
    assert after["host_port"] != before["host_port"]
    assert server.running("shop") == [after["container"]]
    assert server.ask("shop")[1]["version"] == "2"


@pytest.mark.parametrize("kind", ["env", "secrets"])
def test_a_changed_variable_is_a_new_release(server, apps, kind):
    before = server.live("shop")["number"]
    apps["shop"][kind] = {**apps["shop"][kind], "ANOTHER": "another value"}
    done = server.deploy(apps)
    assert server.live("shop")["number"] > before
    assert [app["name"] for app in done.said["apps"] if app["changed"]] == ["shop"]


def test_failing_health_leaves_the_old_release_serving_and_shows_status_and_log(server, apps):
    before, worker = server.live("shop"), server.live("worker")["number"]
    apps["shop"]["image"] = server.image("2")
    apps["shop"]["env"]["HEALTH_STATUS"] = "503"
    apps["shop"]["health"]["timeout"] = 10
    apps["worker"]["env"] = {"CHANGED": "yes"}
    said = server.refused(apps)
    assert "app `shop`: release" in said
    assert "GET /health (Host: api.example.com) on port 8000 answered 503 and not 200 for 10 s" in said
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
    said = server.refused(apps)
    assert "it ended with exit status 3" in said
    assert "giving up" in said
    assert server.live("shop") == before


def test_an_app_that_listens_elsewhere_is_explained(server, apps):
    apps["shop"]["env"]["PORT"] = "9000"
    apps["shop"]["health"]["timeout"] = 2
    assert "Does the app listen on that port" in server.refused(apps)


def test_an_image_that_does_not_exist_leaves_the_old_release_serving(server, apps):
    before = server.live("shop")
    apps["shop"]["image"] = server.image("nosuch")
    assert "the registry has no such tag" in server.refused(apps)
    assert server.live("shop") == before


def test_a_program_that_is_not_in_the_image_is_said(server, apps):
    apps["shop"]["command"] = ["/no/such/program"]
    assert "/no/such/program" in server.refused(apps)


def test_with_one_port_the_old_release_makes_room(server, apps):
    apps["single"]["image"] = server.image("2")
    server.deploy(apps)
    assert server.running("single") == [server.live("single")["container"]]
    assert (server.live("single")["host_port"], server.ask("single")[1]["version"]) == (8000, "2")


def test_with_one_port_the_old_release_comes_back_when_the_new_one_fails(server, apps, wait_until):
    apps["single"]["env"] = {"EXIT_STATUS": "1"}
    server.refused(apps)
    wait_until(lambda: server.ask("single")[0] == 200, "the old release serves again")


def test_a_port_that_a_stranger_holds_is_named(server, squatter, apps):
    squatter(8123)
    apps["six"] |= {"bind": "127.0.0.1", "host_ports": [8123, 8124]}
    assert "127.0.0.1:8123 is taken by something else" in server.refused(apps)


def test_a_container_that_somebody_stopped_is_started_again(server, vps, apps):
    before = server.live("shop")
    vps.run_expect([0], "docker stop %s", before["container"])
    done = server.deploy(apps)
    assert done.app("shop")["action"] == "started"
    assert server.running("shop") == [before["container"]]


def test_a_container_that_somebody_removed_is_made_again(server, vps, apps):
    vps.run_expect([0], "docker rm --force %s", server.live("shop")["container"])
    server.deploy(apps)
    assert server.ask("shop")[0] == 200


def test_state_that_is_lost_is_taken_from_the_running_container(server, vps, apps):
    before = server.live("shop")["container"]
    vps.run_expect([0], "mv /var/lib/portside/apps/shop /root/lost")
    try:
        done = server.deploy(apps)
        assert server.running("shop") == [before], done.app("shop")
        assert done.app("shop")["action"] == "repaired"
        assert server.deploy(apps).app("shop")["changed"] is False
    finally:
        vps.run_expect([0], "rm -r /root/lost")


def test_old_releases_and_their_images_go(server, vps, apps):
    # An image that has another name too stays: somebody wants it.
    vps.run("docker rmi built-here/shop:3")
    for version in ("3", "2", "1"):
        apps["shop"]["image"] = server.image(version)
        server.deploy(apps, keep=2)
    kept = [release["number"] for release in server.state("shop")["releases"]]
    assert len(kept) == 2
    containers = vps.check_output("docker ps --all --filter label=portside.app=shop --format '{{.Names}}'").split()
    assert sorted(containers) == sorted(f"shop-r{number}" for number in kept)
    assert server.image("3") not in vps.check_output("docker images --format '{{.Repository}}:{{.Tag}}'").split()


def test_an_app_that_is_absent_leaves_nothing_but_its_volumes(server, vps, apps):
    apps["shop"] = {"name": "shop", "state": "absent"}
    server.deploy(apps)
    assert server.running("shop") == []
    assert not vps.file("/var/lib/portside/apps/shop").exists
    assert "shop-data" in vps.check_output("docker volume ls")


def test_an_app_that_left_the_list_is_reported_and_removed_on_demand(server, apps):
    del apps["worker"]
    assert server.deploy(apps).said["orphans"] == ["worker"]
    assert server.running("worker")
    server.deploy(apps, purge=True)
    assert server.running("worker") == []


def test_a_choice_of_apps_leaves_the_others_alone(server, apps):
    before = server.live("shop")["number"]
    for app in apps.values():
        app["env"] = {"CHANGED": "yes"}
    server.deploy(apps, only=["six"], purge=True)
    assert server.live("shop")["number"] == before
    assert server.live("six")["spec"]["env"] == {"CHANGED": "yes"}
    assert server.running("worker")
