"""A limit of the host's own on failed orders, below the CA's: a playbook run in a loop must not lock a name out.

Let's Encrypt allows five failed validations per name, account and hour, and nothing resets that
(https://letsencrypt.org/docs/rate-limits/).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot.declaration import DIRECTORIES
from ansible_collections.portside.vps.plugins.module_utils.certbot.names import canonical
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import NOT_AS_ORDERED, Problem
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic

WINDOW = timedelta(hours=1)
# Those for which a CA counts a failed validation, and a certificate that would be ordered again on every run.
_COUNTED = {"caa", "connection", "dns", "dnssec", "incorrectResponse", "tls", "unauthorized", NOT_AS_ORDERED}


def counts(server: str) -> bool:
    """Whether failures at this ACME server matter: staging is there to fail at."""
    return server != DIRECTORIES["staging"]


def _counted_as(domain: str) -> str:
    """The name that failures are counted for: an ACME server names a wildcard without its `*.` (RFC 8555, 7.1.3)."""
    return canonical(domain).removeprefix("*.")


@dataclass
class Guard:
    """Remembers failed orders, by server and name.

    Attributes:
        file: where.
        server: the ACME server.
        most: failed orders per name within WINDOW; 0 for no limit.
        now: the present.
    """

    file: Path
    server: str
    most: int
    now: datetime

    def _all(self) -> dict[str, dict[str, list[datetime]]]:
        """What is remembered and not too old. What lies ahead of now was written while the clock was ahead: it says
        nothing of when the order failed, and would refuse this name until that day."""
        try:
            raw = json.loads(read_text(self.file) or "{}")
            return {
                str(server): {
                    str(name): [
                        moment
                        for moment in map(datetime.fromisoformat, moments)
                        if timedelta(0) <= self.now - moment < WINDOW
                    ]
                    for name, moments in names.items()
                }
                for server, names in raw.items()
            }
        except (ValueError, TypeError, AttributeError):
            # Damaged: better no memory than no certificates.
            return {}

    def refusals(self, domains: Iterable[str]) -> list[Problem]:
        """One problem for each name that has failed too often."""
        if self.most <= 0 or not counts(self.server):
            return []
        failed: Mapping[str, list[datetime]] = self._all().get(self.server, {})
        found = []
        for domain in domains:
            moments = sorted(failed.get(_counted_as(domain), []))
            if len(moments) >= self.most:
                free = (moments[-self.most] + WINDOW).astimezone(UTC)
                text = (
                    f"orders for it have failed {len(moments)} times within the last hour; this host stops at "
                    f"{self.most}, to stay below the CA's limit; the next one may go out at {free:%H:%M} UTC"
                )
                found.append(Problem("tooManyFailures", text, domain))
        return found

    def remember(self, problems: Iterable[Problem], domains: Iterable[str]) -> None:
        """Count a failed order against the names it failed for; against all of them if it does not say."""
        counted = [problem for problem in problems if problem.kind in _COUNTED]
        if not counted or not counts(self.server):
            return
        names = {problem.domain for problem in counted if problem.domain} or set(domains)
        memory = self._all()
        here = memory.setdefault(self.server, {})
        for name in {_counted_as(name) for name in names}:
            here.setdefault(name, []).append(self.now)
        kept = {
            where: {name: [moment.isoformat() for moment in moments] for name, moments in failed.items() if moments}
            for where, failed in memory.items()
        }
        self.file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomic(self.file, json.dumps(kept, indent=2, sort_keys=True) + "\n")
