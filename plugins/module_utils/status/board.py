"""Collects what the modules of a status run return, for each server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.files import write_atomic
from ansible_collections.portside.vps.plugins.module_utils.status import drift

# The fact with which playbooks/status.yml begins: where to write the JSON report, if anywhere.
FACT = "__portside_status"
LOOK = "portside.vps.server_status"
CERTIFICATES = "portside.vps.certbot_certificates"


class Board:
    """Every server of a status run; empty in any other."""

    def __init__(self) -> None:
        self.hosts: dict[str, dict[str, Any]] = {}
        self.report = ""
        self._lost = False

    def keep(self, host: str, action: str, task: str, result: Mapping[str, Any]) -> None:
        """Take over what a task returned."""
        facts = result.get("ansible_facts") or {}
        if FACT in facts:
            self.report = str(facts[FACT].get("report") or "")
            self.hosts[host] = {"server": {}, "certificates": [], "drift": []}
        status = self.hosts.get(host)
        if status is None:
            return
        if action == LOOK and not result.get("failed"):
            status["server"] = {
                key: result[key] for key in ("apps", "disks", "ports", "ports_error", "docker", "system")
            }
        elif action == CERTIFICATES:
            status["certificates"] = list(result.get("certificates") or [])
        status["drift"] += drift.read(action, task, result)

    def lost(self, host: str, why: str) -> None:
        """The server could not be reached."""
        self._lost = True
        status = self.hosts.setdefault(host, {"server": {}, "certificates": [], "drift": []})
        status["drift"].append({"kind": drift.PROBLEM, "name": host, "what": f"can't be reached: {why}"})

    @property
    def differs(self) -> bool:
        """Whether any server is not as declared, or could not be compared."""
        return any(status["drift"] for status in self.hosts.values())

    @property
    def exit_status(self) -> int:
        """4 where a server could not be reached, as of any other run of Ansible, else 2 where one differs, else 0."""
        return 4 if self._lost else 2 if self.differs else 0

    def write(self) -> None:
        """Write the JSON report, where one was asked for.

        Raises:
            OSError: the file can't be written.
        """
        if self.report:
            body = {"ok": not self.differs, "hosts": self.hosts}
            write_atomic(Path(self.report), json.dumps(body, indent=2, ensure_ascii=False) + "\n", mode=0o600)
