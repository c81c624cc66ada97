"""The order in which apps are worked on: what others depend on comes first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter


def problems(depends_on: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each app that depends on one that is not in the list, and one for a circle.

    Args:
        depends_on: for each app that is to run, the names of those it depends on.
    """
    found = [
        f"app `{app}`: `depends_on` item `{name}`: no app of that name is to run"
        for app, others in depends_on.items()
        for name in others
        if name not in depends_on
    ]
    if found:
        return found
    try:
        TopologicalSorter(depends_on).prepare()
    except CycleError as circle:
        return [f"`depends_on` goes in a circle: {' needs '.join(f'`{name}`' for name in reversed(circle.args[1]))}"]
    return []


def order(depends_on: Mapping[str, Collection[str]]) -> list[str]:
    """The apps, each after those it depends on, and otherwise as they stand in the list.

    Names that are no app of the list are passed over: a run may be for a choice of apps.
    """
    done: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in done or name in above or name not in depends_on:
            return
        for other in depends_on[name]:
            visit(other, (*above, name))
        done[name] = None

    for name in depends_on:
        visit(name, ())
    return list(done)


def waves(depends_on: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The apps in groups that can be worked on at the same time, each group after those that it depends on."""
    depth: dict[str, int] = {}
    for name in order(depends_on):
        depth[name] = 1 + max((depth[other] for other in depends_on[name] if other in depth), default=-1)
    return [
        [name for name in depends_on if depth[name] == level] for level in range(max(depth.values(), default=-1) + 1)
    ]


def missing(depends_on: Iterable[str], running: Collection[str]) -> str:
    """Why an app can't be released yet: what it depends on and what does not run; empty where all runs."""
    absent = [name for name in depends_on if name not in running]
    return f"it depends on {', '.join(f'`{name}`' for name in absent)}, which does not run" if absent else ""
