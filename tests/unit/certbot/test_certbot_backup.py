"""When playbooks/backup.yml writes the file for age anew."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

PLAYBOOKS = Path(__file__).resolve().parents[3] / "playbooks"
KEYS = ["age1one", "age1two"]


def templar(folder: Path, keys: list[str], content: str = "certificates") -> Templar:
    """What the playbook knows of a host `shop`."""
    loader = DataLoader()
    variables: dict[str, Any] = loader.load_from_file(str(PLAYBOOKS / "vars/backup.yml"), trusted_as_template=True)
    variables |= {"inventory_hostname": "shop", "portside_backup_dir": str(folder), "portside_backup_age": keys}
    return Templar(loader=loader, variables=variables | {"__portside_archive": {"content": content}})


def is_written(templar: Templar) -> bool:
    """Whether the file would be written."""
    loader = DataLoader()
    (play,) = loader.load_from_file(str(PLAYBOOKS / "backup.yml"), trusted_as_template=True)
    (task,) = [task for task in play["tasks"] if "encrypted with age" in task["name"]]
    return bool(templar.evaluate_conditional(task["when"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a backup for both keys."""
    (tmp_path / "shop.certificates.age").write_text("encrypted")
    due = templar(tmp_path, KEYS).template(trust_as_template("{{ __portside_backup_due }}"))
    (tmp_path / "shop.certificates.age.sha256").write_text(f"{due}\n")
    return tmp_path


def test_backup_that_is_the_same_is_left(folder: Path) -> None:
    assert not is_written(templar(folder, KEYS))
    assert not is_written(templar(folder, KEYS[::-1]))


def test_other_certificates_are_kept(folder: Path) -> None:
    assert is_written(templar(folder, KEYS, content="renewed"))


@pytest.mark.parametrize("lost", ["shop.certificates.age", "shop.certificates.age.sha256"])
def test_file_that_is_gone_is_written_again(folder: Path, lost: str) -> None:
    (folder / lost).unlink()
    assert is_written(templar(folder, KEYS))


@pytest.mark.parametrize("keys", [KEYS[:1], [*KEYS, "age1three"]])
def test_other_keys_get_a_file_of_their_own(folder: Path, keys: list[str]) -> None:
    assert is_written(templar(folder, keys))


def test_git_passes_over_a_backup_beside_the_inventory(tmp_path: Path) -> None:
    (play,) = DataLoader().load_from_file(str(PLAYBOOKS / "backup.yml"), trusted_as_template=True)
    (task,) = [task for task in play["tasks"] if "Git" in task["name"]]
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in (".gitignore", "shop.certificates.age", "shop.certificates.age.sha256", "shop.certificates.vault"):
        (tmp_path / name).write_text(task["ansible.builtin.copy"]["content"])
    listed = ["git", "-C", tmp_path, "ls-files", "--others", "--exclude-standard"]
    assert subprocess.run(listed, check=True, capture_output=True, text=True).stdout == ".gitignore\n"


@pytest.mark.parametrize(("exchanged", "refused"), [("certificates", False), ("of somebody else", True)])
def test_a_file_that_was_exchanged_is_not_restored(folder: Path, exchanged: str, refused: bool) -> None:
    (play,) = DataLoader().load_from_file(str(PLAYBOOKS / "restore.yml"), trusted_as_template=True)
    (task,) = [task for task in play["tasks"] if "written here" in task["name"]]
    known = templar(folder, KEYS, content=exchanged)
    assert known.evaluate_conditional(task["ansible.builtin.assert"]["that"]) is not refused
