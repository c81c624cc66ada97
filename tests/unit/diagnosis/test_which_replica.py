"""Which of an app's replicas a diagnosis looks at."""

from __future__ import annotations

import socket

import pytest
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import host
from ansible_collections.portside.vps.plugins.module_utils.releases.state import (
    CANARY,
    LIVE,
    AppState,
    Release,
    Replica,
)


def release(number: int, state: str, port: int, *others: int) -> Release:
    name = f"shop-r{number}"
    further = tuple(Replica(f"{name}-{index}", other) for index, other in enumerate(others, 2))
    return Release(number, state, "", "", "", "", name, port, "", {}, others=further)


STATE = AppState("shop", releases=(release(1, LIVE, 18000, 18001), release(2, CANARY, 18002)))


@pytest.mark.parametrize(
    ("place", "container"),
    [
        ("127.0.0.1:18000", "shop-r1"),
        ("127.0.0.1:18001", "shop-r1-2"),
        ("127.0.0.1:18002", "shop-r2"),
        ("127.0.0.1:9", "shop-r1"),
    ],
)
def test_the_container_behind_an_address(place: str, container: str) -> None:
    assert host.behind(STATE, place) == container


def test_of_what_is_not_remembered_there_is_none() -> None:
    assert host.behind(None, "127.0.0.1:18000") == ""


def test_a_replica_that_refuses_is_the_one_to_look_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as alive, socket.create_server(("127.0.0.1", 0)) as dead:
        good, bad = (f"127.0.0.1:{one.getsockname()[1]}" for one in (alive, dead))
        assert host.worst([good, bad]) == good
        dead.close()
        assert host.worst([good, bad, "172.18.0.2:8000"]) == bad
    assert host.worst([]) == ""
