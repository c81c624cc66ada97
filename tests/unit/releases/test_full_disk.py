"""A release on a disk that is full."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import store

from tests.unit.releases.release_fakes import Host, app, each_step, releaser


def test_a_disk_that_fills_up_anywhere_leaves_an_app_that_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = store.write_atomic
    for step, root in each_step(tmp_path):
        upstream = str(root / "shop.conf")
        host = Host(root / "apps", present={"shop:1": "one", "shop:2": "two"})
        assert releaser(host).run([app(upstream_file=upstream)])[0].action == "deployed"
        wanted = app(image="shop:2", upstream_file=upstream)
        written: list[Path] = []

        def filling(path: Path, *rest: object, step: int = step, written: list[Path] = written, **more: object) -> None:
            written.append(path)
            if len(written) >= step:
                raise OSError(errno.ENOSPC, "No space left on device", str(path))
            write(path, *rest, **more)  # type: ignore[arg-type]  # handed on as they came

        monkeypatch.setattr(store, "write_atomic", filling)
        (outcome,) = releaser(host).run([wanted])
        monkeypatch.setattr(store, "write_atomic", write)
        assert host.answer(upstream) == 200
        if not outcome.failed:
            assert len(written) < step
            return
        assert "The disk is full (`df -h`), or has no inodes left" in outcome.message
        (after,) = releaser(host).run([wanted])
        assert not after.failed, after.message
        assert host.answer(upstream) == 200
        assert [box.image_id for box in host.up("shop")] == ["two"]
