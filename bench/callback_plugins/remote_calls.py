"""Counts the modules that a run executes on the hosts."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: remote_calls
type: aggregate
short_description: counts the modules executed on the hosts
description:
  - Counts every module execution on a host, by task, also those inside a loop. Skipped tasks and actions that run on
    the controller alone cost nothing.
  - With E(REMOTE_CALLS_FILE) set, the counts are written there as JSON, by host and task.
author: [The Portside authors]
"""

# Actions that never leave the controller.
LOCAL = {
    "add_host", "assert", "debug", "fail", "group_by", "import_role", "import_tasks", "include_role", "include_tasks",
    "include_vars", "meta", "pause", "set_fact", "set_stats", "validate_argument_spec",
}  # fmt: skip
# Action plugins that execute more than one module on the host: copy and template ask for the file's state first.
EXECUTIONS = {"copy": 2, "template": 2}


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Adds up executions by host and task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "remote_calls"

    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[str, Counter[str]] = {}

    def _count(self, result: Any) -> None:
        short = (result.task.resolved_action or result.task.action).rpartition(".")[2]
        if short in LOCAL:
            return
        items = result.result.get("results")
        looped = items if result.task.loop is not None and isinstance(items, list) else [result.result]
        executed = sum(EXECUTIONS.get(short, 1) for item in looped if not item.get("skipped"))
        if executed:
            self._calls.setdefault(result.host.name, Counter())[result.task.get_name()] += executed

    def v2_runner_on_ok(self, result: Any) -> None:
        """Count a task that ended well."""
        self._count(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Count a task that failed."""
        self._count(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the sums and write the file."""
        for host, calls in sorted(self._calls.items()):
            self._display.display(f"remote calls on {host}: {sum(calls.values())}")
        target = os.environ.get("REMOTE_CALLS_FILE")
        if target:
            Path(target).write_text(json.dumps(self._calls, indent=2), encoding="utf-8")
