"""What real certbot (2.1.0 on Debian 12, 4.0.0 on Debian 13) said to and heard from Pebble, kept in files.

`ratelimit`, `busy`, `internal`, `html503` and `reset` come from a proxy before Pebble that answers orders with what
Let's Encrypt sends in such a case. The frames of tracebacks are cut out of the logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parent / "captured"
VERSIONS = ("2.1.0", "4.0.0")


@dataclass(frozen=True)
class Run:
    """One run of certbot."""

    stdout: str
    stderr: str
    log: str


def run(version: str, case: str) -> Run:
    """A run that failed."""
    text = (DIRECTORY / version / f"{case}.txt").read_text(encoding="utf-8")
    stdout, rest = text.removeprefix("== stdout\n").split("== stderr\n")
    stderr, log = rest.split("== log\n")
    return Run(stdout, stderr, log)


def file(version: str, name: str) -> str:
    """A renewal configuration or openssl's words on a certificate."""
    return (DIRECTORY / version / name).read_text(encoding="utf-8")
