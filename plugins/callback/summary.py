"""One summary per host after the play."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import report
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, summary
from ansible_collections.portside.vps.plugins.module_utils.status import screen
from ansible_collections.portside.vps.plugins.module_utils.status.board import Board
from ansible_collections.portside.vps.plugins.plugin_utils import ahead

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: what runs where, after the play
version_added: 0.1.0
description:
  - After the play, one table per host with app, URL, image, loopback port, days left on the certificate, and what this
    run did to it.
  - It is filled from the results of M(portside.vps.app_release) and M(portside.vps.certbot_certificates), also when the
    run failed.
  - After C(playbooks/diagnose.yml), the path of each app with a mark for each hop, what is broken, and what mends it.
  - After C(playbooks/status.yml), a screen for each host, with what differs from the inventory.
  - Beside a play with modules of this collection, a process packs them for the server, so that their tasks need not.
requirements: ["C(callbacks_enabled = portside.vps.summary) in ansible.cfg"]
author: [The Portside authors]
"""

# The fact that the playbooks set once the inventory has been checked.
DECLARED = "__portside_declared"
DIAGNOSIS = "__portside_diagnosis"
APPS = "portside.vps.app_release"
CERTIFICATES = "portside.vps.certbot_certificates"
COLOURS = {"ok": C.COLOR_OK, "broken": C.COLOR_ERROR, "warning": C.COLOR_WARN, "unseen": C.COLOR_VERBOSE, "plain": None}


def _preload() -> None:
    """Load the filters into this process.

    Ansible forks a process from it for every task, and one that needs a filter compiles all of them and what they
    import anew, unless they are here already. That took a third of a run that changes nothing (docs/performance.md).
    """
    for path in (Path(__file__).parents[1] / "filter").glob("*.py"):
        importlib.import_module(f"ansible_collections.portside.vps.plugins.filter.{path.stem}")
    roles.preload()


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core ships no types
    """Collects what the two modules return and prints it at the end."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "portside.vps.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        _preload()
        self._declared: dict[str, list[dict[str, str]]] = {}
        self._apps: dict[str, list[dict[str, Any]]] = {}
        self._certificates: dict[str, list[dict[str, Any]]] = {}
        self._diagnoses: dict[str, list[dict[str, Any]]] = {}
        self._board = Board()

    def _keep(self, result: Any, *, failed: bool = False) -> None:
        action = result.task.resolved_action or result.task.action
        facts = result.result.get("ansible_facts") or {}
        if DECLARED in facts:
            self._declared[result.host.name] = list(facts[DECLARED])
        if DIAGNOSIS in facts:
            self._diagnoses[result.host.name] = list(facts[DIAGNOSIS])
        if action == APPS:
            self._apps[result.host.name] = list(result.result.get("apps") or [])
        elif action == CERTIFICATES:
            self._certificates[result.host.name] = list(result.result.get("certificates") or [])
        # Of an action that raised, the result itself doesn't say that it failed.
        outcome = {**result.result, "failed": True} if failed else result.result
        self._board.keep(result.host.name, str(action), str(result.task.get_name()), outcome)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Have the modules of the play packed while its first tasks run."""
        ahead.start(play)

    def v2_runner_on_ok(self, result: Any) -> None:
        """Keep what the modules return."""
        self._keep(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Keep it also when some of the apps or certificates failed."""
        self._keep(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A server that can't be reached can't be compared with its inventory."""
        if self._board.hosts:
            self._board.lost(result.host.name, str(result.result.get("msg", "")))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print one table per host, the paths that were diagnosed, or a screen per host.

        Raises:
            SystemExit: with status 1 where a diagnosis found something broken, with 2 where a server is not as its
                inventory says, with 4 where such a server could not be reached; Ansible's own status says only whether
                a task failed.
        """
        if self._board.hosts:
            self._show_status()
            return
        for host, diagnoses in sorted(self._diagnoses.items()):
            for diagnosis in diagnoses:
                self._display.banner(f"PORTSIDE {host}")
                for line, kind in report.lines(diagnosis):
                    self._display.display(line, color=COLOURS[kind])
        for host in sorted({*self._declared, *self._apps, *self._certificates}):
            rows = summary.rows(
                self._declared.get(host, []), self._apps.get(host, []), self._certificates.get(host, [])
            )
            if not rows:
                continue
            total = stats.summarize(host)
            self._display.banner(f"PORTSIDE {host}: {summary.verdict(total, bool(context.CLIARGS.get('check')))}")
            for line in summary.table(rows):
                self._display.display(line)
            for app in self._apps.get(host, []):
                if app.get("notice"):
                    self._display.display(f"\nATTENTION {app['notice']}", color=C.COLOR_WARN)
        if any(not diagnosis["ok"] for diagnoses in self._diagnoses.values() for diagnosis in diagnoses):
            raise SystemExit(1)

    def _show_status(self) -> None:
        for host, status in sorted(self._board.hosts.items()):
            self._display.banner(f"PORTSIDE {host}: {screen.title(status['drift'])}")
            for line, kind in screen.lines(status):
                self._display.display(line, color=COLOURS[kind])
        self._board.write()
        if self._board.exit_status:
            raise SystemExit(self._board.exit_status)
