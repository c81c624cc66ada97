"""Runs Molecule scenarios, three at a time, each from a clean start, and says at the end which passed.

    python molecule/run.py [scenario …]

A scenario's whole output goes to .build/molecule/<scenario>-<process>.log and, when it fails, to the terminal too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / ".build" / "molecule"
# Seconds; more than the longest took on two cores that had much else to do.
LIMIT = 3600
SHOWN_LINES = 400
# A scenario waits for its servers part of the time; three keep the two cores of a small machine busy.
AT_ONCE = 3


def scenarios() -> list[str]:
    """Every scenario there is, those with the most to test first: a long one that starts last runs alone."""

    def tests(name: str) -> int:
        return sum(path.stat().st_size for path in ROOT.glob(f"molecule/{name}/tests/*.py"))

    return sorted((path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")), key=tests, reverse=True)


def environment(scenario: str) -> dict[str, str]:
    """What Molecule needs to find this checkout's scenarios, and nothing of another's or of another run's."""
    own = {
        "ANSIBLE_HOME": str(ROOT / ".build" / "ansible"),
        "MOLECULE_COMMAND_BORDERS": "false",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(LOGS / f"{scenario}-{os.getpid()}"),
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "PORTSIDE_LAB": f"{scenario.replace('_', '-')}-{os.getpid()}",
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    return {**os.environ, **own}


def passed(scenario: str) -> bool:
    """Run one scenario; on failure print the end of its log."""
    log = LOGS / f"{scenario}-{os.getpid()}.log"
    started = time.monotonic()
    print(f"{scenario}: running, output in {log.relative_to(ROOT)}", flush=True)
    own = environment(scenario)
    with log.open("w", encoding="utf-8") as stream:
        argv = [str(ROOT / ".venv" / "bin" / "molecule"), "test", "--scenario-name", scenario]
        try:
            status = subprocess.run(
                argv,
                cwd=ROOT,
                env=own,
                stdout=stream,
                stderr=subprocess.STDOUT,
                timeout=LIMIT,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired:
            status = -1
            stream.write(f"\nstopped: not done after {LIMIT} s\n")
    if status != 0:
        print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-SHOWN_LINES:]))
    print(f"{scenario}: {'passed' if status == 0 else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return status == 0


def main() -> int:
    """Run what was asked for; returns the exit status."""
    known = scenarios()
    wanted = sys.argv[1:] or known
    strangers = sorted(set(wanted) - set(known))
    if strangers:
        print(f"no scenario is called {', '.join(strangers)}; there are {', '.join(known)}")
        return 2
    LOGS.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        results = dict(zip(wanted, pool.map(passed, wanted), strict=True))
    good = sum(results.values())
    print(f"scenarios: {good} passed, {len(results) - good} failed")
    return 0 if all(results.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
