"""docs/performance.md from what was measured: the table of goals, the loads, and a plot."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bench.goals import Results, rows
from bench.profile import summary
from lab.playbook import ROOT

DOCUMENT = ROOT / "docs" / "performance.md"
PLOT = ROOT / "docs" / "performance.svg"
FIGURES = ROOT / "docs" / "performance.json"
SLOWEST = 15
ROW, LEFT, WIDTH = 26, 250, 420
BARS = (
    ("stock modules, one task a thing", "plain"),
    ("21 pings", "pings"),
    ("Portside, 50 apps", "many"),
    ("Portside, 1 app", "one"),
    ("Portside, 1 app, Mitogen", "mitogen"),
)


def publish(results: Results) -> None:
    """Write the figures, the plot and the tables of the document; a part that was not measured is said not to be.

    Args:
        results: what was measured now; of a part that was not, the figures published before stay.
    """
    results = {**json.loads(FIGURES.read_text(encoding="utf-8")), **results}
    FIGURES.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = _between("goals", DOCUMENT.read_text(encoding="utf-8"), goals(results))
    text = _between("machine", text, machines(results))
    if "profile" in results:
        text = _between("profile", text, profiles(results["profile"]))
    if "wire" in results:
        text = _between("wire", text, loads(results["wire"]))
    for part, made in (("slow", attacks), ("idle", kept)):
        if part in results:
            text = _between(part, text, made(results[part]))
    if "scale" in results:
        text = _between("plot", text, f"![Time of a run that changes nothing]({PLOT.name})")
        PLOT.write_text(plot(results["scale"]["no_change"]), encoding="utf-8")
    DOCUMENT.write_text(text, encoding="utf-8")


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))


def goals(results: Results) -> str:
    """What was to be reached, what was, from the lowest to the highest round, and how to see it again."""
    head = ("what", "goal", "measured", "rounds", "", "`make bench PARTS=`")
    lines = ((row.what, row.goal, row.measured, row.spread, row.verdict, row.part) for row in rows(results))
    return table(head, lines)


def machines(results: Results) -> str:
    """When, on what and with what each part was measured."""
    head = ("part", "date", "commit", "machine", "load before", "versions")
    lines = []
    for part, found in results.items():
        on = found["machine"]
        what = f"{on['cpus']} x {on['processor']}, {on['memory']}, Linux {on['kernel']}"
        with_ = {"ansible-core": on["ansible_core"], "Python": on["python"], **found.get("versions", {})}
        used = ", ".join(f"{name} {number}" for name, number in with_.items())
        lines.append((part, found["date"], on["commit"], what, f"{found['load_before']:g}", used))
    return table(head, lines)


def profiles(profile: Results) -> str:
    """Where the time went: of all kinds, and of each task that took longer than most."""
    sums = []
    for kind, label in (("site", "site.yml"), ("pings", "21 pings")):
        sums += [(label, what, str(count), f"{seconds:.2f} s") for what, count, seconds in summary(profile[kind])]
        total = profile[kind]["seconds"]["median"]
        processor = profile[kind]["controller_processor_seconds"]["median"]
        sums.append((label, f"**all** (the controller's processors: {processor:.1f} s)", "", f"**{total:.2f} s**"))
    slowest = sorted(profile["site"]["tasks"], key=lambda task: -task["seconds"])[:SLOWEST]
    tasks = [
        (task["task"], "server" if task["remote"] else "controller", f"{task['seconds']:.2f} s") for task in slowest
    ]
    return "\n\n".join(
        [
            table(("run", "what", "how often", "time"), sums),
            f"The {SLOWEST} slowest tasks of site.yml:",
            table(("task", "where", "time"), tasks),
        ]
    )


def loads(wire: Results) -> str:
    """Requests per second and 99th percentile of each proxy under each load."""
    proxies = list(next(iter(wire["loads"].values())))
    lines = [[load, *(_rate(found[proxy]) for proxy in proxies)] for load, found in wire["loads"].items()]
    return table(["load", *proxies], lines)


def attacks(slow: Results) -> str:
    """For each attack and proxy: how much longer the visitors' p99 became, what they lost, what the attacker held."""
    proxies = list(next(iter(slow["attacks"].values())))
    lines = [[attack, *(_attacked(found[proxy]) for proxy in proxies)] for attack, found in slow["attacks"].items()]
    return table(["slow", *proxies], lines)


def _attacked(found: Mapping[str, Any]) -> str:
    pairs = zip(found["p99_milliseconds"]["values"], found["quiet_p99_milliseconds"]["values"], strict=True)
    ratio = statistics.median(after / before for after, before in pairs)
    return f"{ratio:.2f} times, {found['lost']} lost, {found['held']['median']:.0f} held"


def kept(idle: Results) -> str:
    """What each proxy held, and its memory for each connection."""
    head = ("", "idle connections", "WebSockets", "kB for each", "kB more than with none, for each")
    figures = ("idle", "sockets", "kilobytes_each", "kilobytes_more_each")
    lines = (
        (proxy, *(f"{found[figure]['median']:g}" for figure in figures)) for proxy, found in idle["proxies"].items()
    )
    return table(head, lines)


def _rate(found: Mapping[str, Any]) -> str:
    errors = f", {found['errors']} failed" if found["errors"] else ""
    return f"{found['requests_per_second']['median']:.0f} ({found['p99_milliseconds']['median']:.1f} ms{errors})"


def plot(found: Results) -> str:
    """Bars for the time of a run that changes nothing, with the spread as a line."""
    longest = max(found[kind]["seconds"]["spread"][1] for _, kind in BARS)
    parts = []
    for number, (label, kind) in enumerate(BARS):
        top = 10 + number * ROW
        seconds = found[kind]["seconds"]
        length, low, high = (LEFT + WIDTH * value / longest for value in (seconds["median"], *seconds["spread"]))
        parts += [
            f'<text x="{LEFT - 8}" y="{top + 14}" text-anchor="end">{label}</text>',
            f'<rect x="{LEFT}" y="{top}" width="{length - LEFT:.1f}" height="18"/>',
            f'<path d="M{low:.1f} {top + 9}H{high:.1f}"/>',
            f'<text x="{high + 6:.1f}" y="{top + 14}">{seconds["median"]:.1f} s</text>',
        ]
    style = (
        "text{font:13px sans-serif;fill:#333}rect{fill:#4a7ebb}path{stroke:#222;stroke-width:2}"
        "@media (prefers-color-scheme: dark){text{fill:#ddd}path{stroke:#eee}}"
    )
    height = 20 + ROW * len(BARS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 70} {height}" role="img">'
        f"<title>Time of a run that changes nothing</title><style>{style}</style>{''.join(parts)}</svg>\n"
    )


def _between(name: str, text: str, made: str) -> str:
    """The text with what stands between the marks of that name replaced."""
    return re.sub(
        rf"(<!-- bench: {name} -->\n).*?(<!-- end -->)",
        lambda found: f"{found[1]}\n{made}\n\n{found[2]}",
        text,
        flags=re.DOTALL,
    )
