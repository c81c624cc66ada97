"""Modules made ready for the wire before their tasks come up.

Ansible packs a module, with all that it imports, when its first task comes up: 0.1 to 0.3 s of a processor for each of
ours, in which the server has nothing to do. A process beside the run does the same in the meantime, with Ansible's own
function and under Ansible's own lock (a file lock for each module since ansible-core 2.19, executor/module_common.py),
into the cache that Ansible keeps for the run. A module that is not ready in time is packed by its task, as ever.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from ansible import constants
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import module_loader
from ansible.template import Templar
from ansible.utils.display import Display

COLLECTION = "portside.vps."


def _tasks(blocks: Iterable[Any]) -> Iterator[Any]:
    for item in blocks:
        if hasattr(item, "block"):
            yield from _tasks([*item.block, *item.rescue, *item.always])
        else:
            yield item


def modules(play: Any) -> list[str]:
    """The modules of this collection that a play is sure to need, each once, in the order of its tasks."""
    names = [str(task.action) for task in _tasks([*play.pre_tasks, *play.tasks, *play.post_tasks]) if not task.when]
    return [name for name in dict.fromkeys(names) if name.startswith(COLLECTION)]


def pack(names: Sequence[str]) -> None:
    """Put the modules into the cache of this run."""
    from ansible.executor import module_common  # noqa: PLC0415  # inner to ansible-core: should it move, the callback loads all the same

    templar = Templar(DataLoader())
    for name in names:
        found = module_loader.find_plugin_with_context(name)
        module_common.modify_module(
            module_name=name,
            module_path=found.plugin_resolved_path,
            module_args={},
            templar=templar,
            # Any will do: the cache holds the module alone. Without one Ansible would ask the server.
            task_vars={"ansible_python_interpreter": "/usr/bin/python3"},
            module_compression=constants.DEFAULT_MODULE_COMPRESSION,
        )


def _quietly(names: Sequence[str]) -> None:
    # Ansible's own handlers look after its workers, of which this process has none; the run ends it with SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    # Whatever is wrong, the task itself runs into it, and says so.
    with suppress(Exception):
        pack(names)


def start(play: Any) -> None:
    """Begin to pack what a play needs, beside it. The process ends with the run at the latest."""
    # Mitogen has a way of its own.
    if str(play.strategy).startswith("mitogen"):
        return
    names = modules(play)
    if names:
        beside = multiprocessing.get_context("fork").Process(target=_quietly, args=(names,), daemon=True)
        # As Ansible starts its workers: none may be forked while somebody writes, with a lock that nobody would open.
        with Display()._lock:
            beside.start()
