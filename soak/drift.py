"""Changes things by hand on a server, one after the other, and sees that each is found and mended.

    make drift                                 # all of drifts.py, one run of site.yml for each, on a server of its own
    .venv/bin/python -m soak.drift debian12    # on the other Debian
    .venv/bin/python -m soak.drift --only nginx

With --together each run mends one thing of every part.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from lab import app, lifecycle
from lab.identity import CHECKOUT, Lab
from lab.playbook import Run, run
from lab.releases import parse_hosts
from lab.services import AcmeOptions
from soak.drifts import DRIFTS, Drift
from soak.run import ssh

SETTINGS = CHECKOUT / "molecule" / "egress"
# The proxy keeps one of a header's several lines (https://github.com/tinyproxy/tinyproxy/pull/435), perhaps not the
# `Accept` of an image that Docker takes. In front of a registry with TLS it would see no headers.
PROXY = "http://shop:{{ proxy_password }}@{{ lab_client_ipv4 }}:8888"
VARIABLES = {
    "docker_way": {"http_proxy": PROXY, "https_proxy": PROXY, "no_proxy": ["{{ lab_registry | split(':') | first }}"]}
}
# What a command on the server wrote; its exit status says nothing of interest.
Shell = Callable[[str], str]
Mend = Callable[[], Run]


def together(drifts: Sequence[Drift]) -> Iterator[list[Drift]]:
    """In as few runs as can be: each mends the next thing of every part. What gets in the way of others is left out."""
    waiting = {drift.part: [one for one in drifts if one.part == drift.part and not one.alone] for drift in drifts}
    while any(waiting.values()):
        yield [left.pop(0) for left in waiting.values() if left]


def troubles(drifts: Sequence[Drift], shell: Shell, mend: Mend) -> list[str]:
    """Change these, run, look: what was not found or not mended; empty where all were.

    Args:
        drifts: what to change, all at once.
        shell: runs a command on the server.
        mend: runs site.yml with --diff.
    """
    before = {drift.name: shell(drift.look) for drift in drifts}
    for drift in drifts:
        shell(drift.change)
    found = [
        f"{drift.name}: is the same after `{drift.change}`"
        for drift in drifts
        if shell(drift.look) == before[drift.name]
    ]
    done = mend()
    if done.status != 0:
        return [*found, f"{', '.join(drift.name for drift in drifts)}: the run failed:\n{done.output[-6000:]}"]
    if not sum(done.changed.values()):
        found.append(f"{', '.join(drift.name for drift in drifts)}: nothing was found")
    for drift in drifts:
        after = shell(drift.look)
        if after != before[drift.name]:
            found.append(f"{drift.name}: not mended: {before[drift.name]!r} is now {after!r}")
        if drift.said not in done.output:
            found.append(f"{drift.name}: the run doesn't say `{drift.said}`")
    return found


def server(lab: Lab, name: str) -> tuple[Shell, Mend]:
    """How to reach a server of a lab, and how to run site.yml on it."""

    def shell(command: str) -> str:
        process = ssh(lab, name, f"bash -c {shlex.quote(command)}", stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        return process.communicate(timeout=300)[0]

    def mend() -> Run:
        inventories = [lab.state / lifecycle.INVENTORY, SETTINGS / "inventory"]
        return run("site.yml", inventories, "--limit", name, "--diff", variables=VARIABLES)

    return shell, mend


def prepare(lab: Lab, release: str) -> None:
    """A server with everything on it, as the scenario `egress` makes it."""
    lifecycle.up(lab, parse_hosts(release), AcmeOptions())
    app.publish(lab)
    for playbook in ("molecule/egress/prepare.yml", "site.yml"):
        done = run(playbook, [lab.state / lifecycle.INVENTORY, SETTINGS / "inventory"], variables=VARIABLES)
        if done.status != 0:
            sys.exit(f"{playbook} failed:\n{done.output}")


def each(lab: Lab, release: str, groups: Iterable[Sequence[Drift]]) -> int:
    """Change, run, look, for each group by itself; returns how many things were wrong."""
    shell, mend = server(lab, release)
    count = bad = 0
    for drifts in groups:
        started = time.monotonic()
        found = troubles(drifts, shell, mend)
        count += len(drifts)
        bad += len(found)
        print(f"{time.monotonic() - started:4.0f} s  {'; '.join(f'{drift.part}: {drift.name}' for drift in drifts)}")
        print("".join(f"  {line}\n" for line in found), end="", flush=True)
    last = mend()
    if last.status or any(last.changed.values()):
        print(f"a last run changes something:\n{last.output}")
        bad += 1
    print(f"{count} things changed by hand; not as they should be: {bad}")
    return bad


def main() -> int:
    """Parse, run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m soak.drift", description=__doc__)
    parser.add_argument("release", nargs="?", default="debian13")
    parser.add_argument("--only", default="", help="what has this in its part or its name")
    parser.add_argument("--together", action="store_true", help="one thing of each part at once")
    parser.add_argument("--lab", help="a lab with a server as this makes it, which is left alone afterwards")
    wanted = parser.parse_args()
    drifts = [drift for drift in DRIFTS if wanted.only in f"{drift.part}: {drift.name}"]
    groups = together(drifts) if wanted.together else [[drift] for drift in drifts]
    if wanted.lab:
        return min(1, each(Lab(wanted.lab), wanted.release, groups))
    lab = Lab("drift")
    try:
        prepare(lab, wanted.release)
        return min(1, each(lab, wanted.release, groups))
    finally:
        lifecycle.down(lab)


if __name__ == "__main__":
    sys.exit(main())
