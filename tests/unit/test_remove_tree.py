"""Files and trees that modules write and remove."""

from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.files import remove_tree


def test_a_tree_is_removed_with_all_that_is_in_it(tmp_path: Path):
    tree = tmp_path / "r1"
    (tree / "below").mkdir(parents=True)
    (tree / "below" / "key").write_text("secret")
    remove_tree(tree)
    assert not tree.exists()


def test_a_tree_that_is_not_there_is_fine(tmp_path: Path):
    remove_tree(tmp_path / "r1")


def test_a_tree_that_cannot_be_removed_is_an_error(tmp_path: Path):
    """A link in its place is not followed: what it leads to belongs to somebody else, and the secret is still there."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "r1").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        remove_tree(tmp_path / "r1")
