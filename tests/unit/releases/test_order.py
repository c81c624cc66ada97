"""What others depend on comes first."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import order


@pytest.mark.parametrize(
    ("depends_on", "expected"),
    [
        ({"a": [], "b": []}, ["a", "b"]),
        ({"web": ["db"], "db": []}, ["db", "web"]),
        ({"web": ["api"], "api": ["db", "cache"], "cache": [], "db": []}, ["db", "cache", "api", "web"]),
        ({"web": ["elsewhere"]}, ["web"]),
        ({"a": ["b"], "b": ["a"]}, ["b", "a"]),
    ],
)
def test_order(depends_on: dict[str, list[str]], expected: list[str]) -> None:
    assert order.order(depends_on) == expected


@pytest.mark.parametrize(
    ("depends_on", "words"),
    [
        ({"web": ["db"]}, "app `web`: `depends_on` item `db`: no app of that name is to run"),
        ({"a": ["b"], "b": ["a"]}, "`depends_on` goes in a circle: "),
        ({"a": ["a"]}, "`depends_on` goes in a circle: `a` needs `a`"),
    ],
)
def test_what_can_not_be_started_is_refused(depends_on: dict[str, list[str]], words: str) -> None:
    (problem,) = order.problems(depends_on)
    assert problem.startswith(words)


def test_an_app_waits_for_what_it_depends_on() -> None:
    assert order.missing(["db", "cache"], ["db"]) == "it depends on `cache`, which does not run"
    assert order.missing(["db"], ["db"]) == ""


def test_what_does_not_depend_on_each_other_is_worked_on_together():
    wanted = {"web": ["db", "cache"], "db": [], "cache": [], "job": ["web"], "other": ["elsewhere"]}
    assert order.waves(wanted) == [["db", "cache", "other"], ["web"], ["job"]]
    assert order.waves({}) == []
