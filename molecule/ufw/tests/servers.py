"""The servers of the lab side by side: what takes time on one takes it on all at once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from lab import playbook

T = TypeVar("T")

SCENARIO = Path(__file__).resolve().parents[1]
POLICY_TASK = "portside.vps.ufw : The firewall lets in what is declared, and ssh"


def inventories() -> list[Path]:
    """The lab's inventory and the scenario's own."""
    path = os.environ.get("PORTSIDE_INVENTORY") or Path(os.environ["MOLECULE_INVENTORY_FILE"]).with_name("lab.yml")
    return [Path(path), SCENARIO / "inventory"]


@dataclass(frozen=True)
class Server:
    """One server, by its Testinfra host, and the machine outside."""

    name: str
    host: Any
    client: Any
    ipv4: str
    ipv6: str

    def run(self, command: str) -> str:
        """What the command prints; it must succeed."""
        return str(self.host.check_output(command))

    def targets(self, *ports: int) -> list[str]:
        """The ports at both of the server's addresses, for `reach`."""
        return [f"{address}/{port}" for address in (self.ipv4, self.ipv6) for port in ports]

    def reach(self, *targets: str) -> dict[str, str]:
        """What the machine outside finds: {"192.0.2.1/80": "open"}, "silent", or the name of an error."""
        found: dict[str, str] = json.loads(self.client.check_output(f"reach {' '.join(targets)}"))
        return found

    def forge(self, *targets: str) -> dict[str, str]:
        """What answers a neighbour who hands the server packets for addresses that are none of the server's own."""
        found: dict[str, str] = json.loads(
            self.client.check_output(f"forge {self.ipv4} {self.ipv6} {' '.join(targets)}")
        )
        return found

    def rules(self, family: int = 4) -> list[str]:
        """The rules as `ufw status` shows them, in order, without comments: `80/tcp ALLOW Anywhere`."""
        lines = self.run("ufw status").partition("--\n")[2].splitlines()
        words = [" ".join(line.partition("#")[0].split()) for line in lines]
        return [
            line.replace(" (v6)", "") for line in words if line and (family == 6) == (" (v6)" in line or "::" in line)
        ]

    def firewall(self) -> str:
        """All that the role may touch, with the time it was written, and what the kernel does (without counters)."""
        return self.run(
            "cat /etc/default/ufw /etc/ufw/*.conf /etc/ufw/*.rules /var/lib/portside/ufw/state.json 2>&1;"
            " stat -c '%n %Y' /etc/ufw/*.rules; (iptables-save; ip6tables-save) | grep -v '^[:#]' | sort"
        )


class Servers(tuple[Server, ...]):
    """All servers of the lab."""

    def each(self, work: Callable[[Server], T]) -> dict[str, T]:
        """Do the work for all at once; the first failure is raised."""
        with ThreadPoolExecutor(len(self)) as pool:
            return dict(zip([server.name for server in self], pool.map(work, self), strict=True))


def role(*arguments: str, **variables: Any) -> playbook.Run:
    """Run the role on all servers, with other variables than the scenario's: `role(ufw_rules=[])`."""
    variables = {"ufw_manage_packages": False, **variables}
    return playbook.run(str(SCENARIO / "role.yml"), inventories(), *arguments, variables=variables)


def passed(run: playbook.Run, changed: int | None = None) -> None:
    """The run must have succeeded, with so many changed tasks on each server."""
    assert run.status == 0, run.output
    if changed is not None:
        assert set(run.changed.values()) == {changed}, run.output


def said(run: playbook.Run) -> str:
    """What a run that had to fail printed, as one line."""
    assert run.status != 0, run.output
    return " ".join(run.output.split())
