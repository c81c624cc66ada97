"""What is remembered of all apps at once."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError


def release(number, kind):
    return Release(number, kind, "hash", "shop:1", "sha256:1", "", f"shop-r{number}", 18000 + number, "", {})


@pytest.mark.parametrize(
    ("kinds", "found"),
    [
        ([], False),
        ([states.RETIRED, states.FAILED, states.LIVE], False),
        ([states.LIVE, states.REJECTED], True),
    ],
)
def test_a_rejected_release_of_any_app_is_found(tmp_path, kinds, found):
    store = Store(tmp_path)
    store.save(AppState("blog", releases=(release(1, states.LIVE),)))
    store.save(AppState("shop", releases=tuple(release(number, kind) for number, kind in enumerate(kinds, 1))))
    assert store.rejections() is found


def test_a_host_without_apps_has_none(tmp_path):
    assert not Store(tmp_path / "apps").rejections()


@pytest.mark.parametrize("content", [b"{", b"\xff", None], ids=["cut off", "not UTF-8", "a directory"])
def test_what_can_not_be_understood_may_hold_one(tmp_path, content):
    store = Store(tmp_path)
    store.save(AppState("shop", releases=(release(1, states.LIVE),)))
    path = tmp_path / "shop" / "state.json"
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert store.rejections()
    with pytest.raises(StoreError, match="move it aside"):
        store.load("shop")
