"""Which run's confirmation keeps which change. Everything else about a change is tested on real hosts."""

import contextlib

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw import change, revert


@pytest.fixture
def make(monkeypatch, tmp_path):
    """Make a change as a run of its own would, without a firewall. Returns the change's name."""
    state = tmp_path / "state"
    state.mkdir()
    paths = {"STATE_DIR": state, "PENDING": state / "pending", "REVERTING": state / "reverting"}
    at_boot = tmp_path / "wants" / "boot.service"
    paths |= {
        "CONFIRMED": state / "confirmed-changes",
        "KEPT": state / "confirmed",
        "AT_BOOT": tmp_path / "boot.service",
        "AT_BOOT_LINK": at_boot,
    }
    paths |= {
        "FILES": {name: str(tmp_path / name) for name in change.FILES},
        "STATE_FILE": state / "state.json",
        "BOOT_LINK": tmp_path / "boots",
    }
    for name, path in paths.items():
        for module in (change, revert):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, path)
    monkeypatch.setattr(change, "ufw_lock", contextlib.nullcontext)
    monkeypatch.setattr(change, "run", lambda *_words, **_options: None)

    def make_change():
        change._save_for_revert()
        return change.pending_change()

    return make_change


def take_back():
    revert.PENDING.rename(revert.REVERTING)
    change.remove_tree(revert.REVERTING)


def test_a_change_is_kept_once_it_is_confirmed(make):
    name = make()
    assert change.confirm(name) == "kept"
    assert change.pending_change() == ""


def test_whichever_waits_can_be_confirmed_without_its_name(make):
    make()
    assert change.confirm("") == "kept"
    assert change.confirm("") == "gone"


def test_a_change_that_was_taken_back_is_gone(make):
    name = make()
    take_back()
    assert change.confirm(name) == "gone"


def test_a_change_that_another_run_went_on_from_waits_for_that_run(make):
    first, second = make(), make()
    assert change.confirm(first) == "superseded"
    assert change.confirm(second) == "kept"
    assert change.confirm(first) == "kept by another"


def test_two_runs_that_wait_for_the_same_change_both_see_it_kept(make):
    """The second one found nothing left to change, and made sure that it gets in all the same."""
    name = make()
    assert change.confirm(name) == "kept"
    assert change.confirm(name) == "kept by another"


def test_both_changes_are_gone_when_the_second_is_taken_back(make):
    first, second = make(), make()
    take_back()
    assert change.confirm(first) == change.confirm(second) == "gone"


def test_a_change_that_was_taken_back_is_gone_whatever_comes_after_it(make):
    gone = make()
    take_back()
    later = make()
    assert change.confirm(gone) == "gone"
    assert change.confirm(later) == "kept"
    assert change.confirm(gone) == "gone"


def test_confirmed_changes_are_told_apart_from_later_ones(make):
    first = make()
    change.confirm(first)
    second = make()
    assert change.confirm(first) == "kept by another"
    assert change.confirm(second) == "kept"


def test_the_list_of_confirmed_changes_does_not_grow_for_ever(make):
    for _ in range(change.REMEMBERED + 10):
        change.confirm(make())
    assert len(change._names(change.CONFIRMED)) == change.REMEMBERED


def test_a_confirmation_that_dies_half_way_is_one_all_the_same(make, monkeypatch):
    name = make()

    def dies(*_words, **_options):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(change, "write_atomic", dies)
        with pytest.raises(OSError, match="no space left"):
            change.confirm(name)
    assert change.confirm(name) == "kept by another"
    change.confirm(make())
    assert change.confirm(name) == "kept by another"


def test_what_is_taken_back_during_a_look_is_seen(make):
    waiting = make()
    assert change.is_as_seen(waiting)
    take_back()
    assert not change.is_as_seen(waiting)
