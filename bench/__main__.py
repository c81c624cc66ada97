"""What a run costs, and what goes through the proxy: the parts, and how far the goals are reached.

    make bench                            # all parts: more than an hour on two cores
    make bench PARTS="scale wire"         # some of them
    .venv/bin/python -m bench --publish   # docs/performance.md from what was measured last

Each part keeps its result in .build/bench.json beside those of the others. Absolute times belong to one machine and its
minute: what is compared was measured in turns, and the table shows ratios.
"""

from __future__ import annotations

import argparse
import sys
import traceback

from bench import downtime, first, hosts, idle, profile, report, results, scale, slow, wire
from bench.goals import rows

PARTS = {
    "scale": scale.measure,
    "profile": profile.measure,
    "first": first.measure,
    "hosts": hosts.measure,
    "wire": wire.measure,
    "slow": slow.measure,
    "idle": idle.measure,
    "updates": downtime.measure,
}


def main() -> None:
    """Measure the parts that are named, or all of them, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)}; all without any")
    parser.add_argument("--publish", action="store_true", help="measure nothing; write docs/performance.md")
    arguments = parser.parse_args()
    if unknown := sorted({*arguments.parts} - {*PARTS}):
        parser.error(f"there is no part {', '.join(unknown)}")
    if arguments.publish:
        report.publish(results.load())
        return
    failed = []
    for part in arguments.parts or PARTS:
        before = results.load_average()
        try:
            results.save(part, before, PARTS[part]())
        except (Exception, SystemExit):  # the other parts can be measured all the same
            traceback.print_exc()
            failed.append(part)
    for row in rows(results.load()):
        print(f"{row.what:<54} {row.goal:<14} {row.measured:>8}  {row.spread:<16} {row.verdict}")
    print(f"written to {results.PATH}")
    if failed:
        sys.exit(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
