"""certbot's directory as one text, and back."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import archive

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def directory(folder: Path, key: str = "secret") -> Path:
    """A certbot's directory with one lineage."""
    (folder / "archive/shop").mkdir(parents=True)
    (folder / "live/shop").mkdir(parents=True)
    (folder / "renewal").mkdir()
    (folder / "renewal/shop.conf").write_text("version = 4.0.0\n")
    file = folder / "archive/shop/privkey1.pem"
    file.write_text(key)
    file.chmod(0o600)
    (folder / "live").chmod(0o700)
    (folder / "live/shop/privkey.pem").symlink_to("../../archive/shop/privkey1.pem")
    return folder


def test_there_and_back(tmp_path: Path) -> None:
    text = archive.pack(directory(tmp_path / "a"))
    assert archive.unpack(text, tmp_path / "b", NOW) is None
    assert archive.pack(tmp_path / "b") == text
    assert os.readlink(tmp_path / "b/live/shop/privkey.pem") == "../../archive/shop/privkey1.pem"
    assert stat.S_IMODE((tmp_path / "b/archive/shop/privkey1.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "b/live").stat().st_mode) == 0o700
    assert archive.lineages(tmp_path / "b") == ["shop"]


def test_same_files_same_text(tmp_path: Path) -> None:
    one, other = directory(tmp_path / "a"), directory(tmp_path / "b")
    os.utime(other / "renewal/shop.conf", (1, 1))
    assert archive.pack(one) == archive.pack(other)
    assert archive.pack(one) != archive.pack(directory(tmp_path / "c", key="another"))


def test_certificates_are_not_overwritten_unless_told_to(tmp_path: Path) -> None:
    text = archive.pack(directory(tmp_path / "a"))
    here = directory(tmp_path / "b", key="newer")
    with pytest.raises(archive.ArchiveError, match=r"has certificates already \(shop\)"):
        archive.unpack(text, here, NOW)
    assert (here / "live/shop/privkey.pem").read_text() == "newer"
    kept = archive.unpack(text, here, NOW, force=True)
    assert kept == tmp_path / "b.before-20261122T000000Z"
    assert (kept / "live/shop/privkey.pem").read_text() == "newer"
    assert (here / "live/shop/privkey.pem").read_text() == "secret"


def test_directory_of_a_fresh_package_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "b/renewal-hooks").mkdir(parents=True)
    assert archive.unpack(archive.pack(directory(tmp_path / "a")), tmp_path / "b", NOW) is not None


@pytest.mark.parametrize("text", ["", "no base64!", "YWJj", "A" * 400])
def test_rubbish_changes_nothing(tmp_path: Path, text: str) -> None:
    here = tmp_path / "b"
    here.mkdir()
    with pytest.raises(archive.ArchiveError, match="this is no backup of certificates"):
        archive.unpack(text, here, NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_nothing_to_keep(tmp_path: Path) -> None:
    with pytest.raises(archive.ArchiveError, match="has no certificates"):
        archive.pack(tmp_path / "none")
