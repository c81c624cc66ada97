"""Releases as a user makes them: by changing the list and running the playbook again."""

from __future__ import annotations


def test_check_mode_predicts_nothing_on_a_finished_host(server):
    done = server.role(None, "--check", "--diff")
    assert done.status == 0, done.output
    assert done.changed[server.name] == 0, done.output


def test_twenty_apps_are_released_in_one_call_and_are_no_more_calls_than_one_when_nothing_changes(server, apps):
    more = {f"w{number}": {**apps["worker"], "name": f"w{number}", "health": {"grace": 0}} for number in range(20)}
    done = server.deploy({**apps, **more})
    assert {app["action"] for app in done.said["apps"] if app["name"] in more} == {"deployed"}
    assert server.all_running() >= {f"{name}-r1" for name in more}
    done = server.role({**apps, **more})
    assert done.status == 0, done.output
    assert done.changed[server.name] == 0, done.output
    # Two for Docker, two for the apps; one asks which release of the operating system this is.
    assert done.calls_on(server.name) <= 5, done.calls


def test_a_new_tag_is_deployed_by_running_the_playbook_again(server, apps):
    apps["shop"]["image"] = server.image("2")
    done = server.role(apps, "--diff")
    assert done.status == 0, done.output
    assert server.ask("shop")[1]["version"] == "2"
    assert '+  "image": "registry.lab.test:5000/probe:2"' in done.output


def test_a_release_that_fails_is_reported_with_status_and_log_and_the_run_fails(server, apps):
    apps["shop"]["env"]["HEALTH_STATUS"] = "503"
    apps["shop"]["health"]["timeout"] = 10
    done = server.role(apps)
    assert done.status == 2, done.output
    said = " ".join(done.output.split())
    assert "app `shop`" in said
    assert "answered 503 and not 200" in said
    assert "starting, line 59" in said


def test_bad_input_is_refused_before_anything_is_changed(server, apps):
    """All of it in one message, which names app, key, and what is allowed."""
    before = server.live("worker")["number"]
    apps["worker"]["env"] = {"CHANGED": "yes"}
    apps["shop"] |= {"prot": 8000, "bind": "0.0.0.0", "secrets": {"KEY": "short"}}
    apps["single"]["port"] = "0.0.0.0:8000:8000"
    del apps["six"]["image"]
    done = server.role(apps)
    assert done.status == 2, done.output
    said = " ".join(done.output.split())
    for message in (
        "app `shop`: unknown key `prot`: did you mean `port`?",
        "app `single`: `port: 0.0.0.0:8000:8000` is an address, not a port",
        "app `six`: `image` is missing",
    ):
        assert message in said
    assert done.changed[server.name] == 0
    assert server.live("worker")["number"] == before


def test_a_variable_that_may_be_misspelt_is_warned_of(server):
    before = server.live("worker")["number"]
    done = server.role(docker_app_lst=[])
    assert done.status == 0, done.output
    assert server.live("worker")["number"] == before
    assert "did you mean `docker_app_list`?" in " ".join(done.output.split())
