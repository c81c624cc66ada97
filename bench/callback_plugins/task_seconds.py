"""Writes how long each task of a run took."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: task_seconds
type: aggregate
short_description: writes the seconds of each task
description:
  - With E(TASK_SECONDS_FILE) set, writes there as JSON, in the order of the run, each task's name, its action, whether
    it was skipped, and the seconds until the next one began.
author: [The Portside authors]
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Notes when each task begins."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_seconds"

    def __init__(self) -> None:
        super().__init__()
        self._begun: list[tuple[str, str, float]] = []
        self._skipped: set[int] = set()

    def _begins(self, task: Any) -> None:
        self._begun.append((task.get_name(), task.resolved_action or task.action, time.monotonic()))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """A task begins."""
        self._begins(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """A handler begins."""
        self._begins(task)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task had nothing to do."""
        self._skipped.add(len(self._begun))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        target = os.environ.get("TASK_SECONDS_FILE")
        if not target:
            return
        ends = [*(begun for _, _, begun in self._begun[1:]), time.monotonic()]
        found = [
            {
                "task": name,
                "action": action.rpartition(".")[2],
                "skipped": number in self._skipped,
                "seconds": round(end - begun, 3),
            }
            for number, ((name, action, begun), end) in enumerate(zip(self._begun, ends, strict=True), 1)
        ]
        Path(target).write_text(json.dumps(found), encoding="utf-8")
