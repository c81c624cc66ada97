"""Locks keep two runs apart, and leave nothing behind."""

import multiprocessing
import time
from pathlib import Path

from lab.locks import locked, remove_unused


def _count(lock: Path, counter: Path) -> None:
    for _ in range(20):
        with locked(lock):
            value = int(counter.read_text())
            time.sleep(0.0005)
            counter.write_text(str(value + 1))


def test_two_processes_never_hold_it_at_once_even_while_the_file_is_removed(tmp_path: Path) -> None:
    lock, counter = tmp_path / "locks" / "a.lock", tmp_path / "counter"
    counter.write_text("0")
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_count, args=(lock, counter)) for _ in range(3)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        remove_unused(lock.parent)
        time.sleep(0.001)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert counter.read_text() == "60"


def test_a_lock_that_is_held_stays_and_an_unused_one_goes(tmp_path: Path) -> None:
    with locked(tmp_path / "locks" / "held.lock"):
        (tmp_path / "locks" / "old.lock").touch()
        remove_unused(tmp_path / "locks")
        assert [path.name for path in (tmp_path / "locks").iterdir()] == ["held.lock"]
    remove_unused(tmp_path / "locks")
    assert not (tmp_path / "locks").exists()
