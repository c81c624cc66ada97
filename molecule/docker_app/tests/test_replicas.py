"""Several containers of one app."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def three(server, apps):
    """The shop with three replicas."""
    apps["shop"]["replicas"] = 3
    server.deploy(apps)
    return apps


def answers(server, local_get):
    """What each of the shop's ports says its version is."""
    live = server.live("shop")
    ports = [live["host_port"], *(replica["host_port"] for replica in live["others"])]
    found = [local_get(f"http://127.0.0.1:{port}/") for port in ports]
    return [json.loads(body)["version"] if status == 200 else None for status, body in found]


def test_all_of_them_serve_and_change_together(server, three, local_get):
    name = server.live("shop")["container"]
    assert server.running("shop") == [name, f"{name}-2", f"{name}-3"]
    assert answers(server, local_get) == ["1", "1", "1"]
    three["shop"]["image"] = server.image("2")
    server.deploy(three)
    assert answers(server, local_get) == ["2", "2", "2"]
    assert len(server.running("shop")) == 3


def test_one_that_ended_is_mended_by_the_next_run(server, vps, three, local_get):
    name = server.live("shop")["container"]
    vps.run_expect([0], "docker stop %s-2", name)
    assert answers(server, local_get) == ["1", None, "1"]
    done = server.deploy(three).app("shop")
    assert (done["action"], done["reason"]) == ("started", f"container {name}-2 is exited")
    assert answers(server, local_get) == ["1", "1", "1"]
    assert not server.deploy(three).said["changed"]


def test_one_that_fails_keeps_the_new_release_from_serving(server, squatter, three, local_get):
    before = server.live("shop")
    ports = [before["host_port"], *(replica["host_port"] for replica in before["others"])]
    three["shop"] |= {"image": server.image("2"), "host_ports": [*ports, 8123, 8124, 8125]}
    squatter(8125)
    assert "127.0.0.1:8125 is taken by something else" in server.refused(three)
    assert server.running("shop") == [before["container"], f"{before['container']}-2", f"{before['container']}-3"]
    assert answers(server, local_get) == ["1", "1", "1"]
