"""The table that the benchmark ends with."""

from typing import Any

import pytest

from bench.goals import GOALS, Row, rows
from bench.results import sample
from bench.runs import in_turns
from bench.wire import parse

REPORT = """Running 5s test @ https://wire.test:443/small
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     6.31ms    8.04ms 103.60ms   91.03%
    Req/Sec     5.15k     1.05k    7.43k    68.00%
  Latency Distribution
     50%    4.36ms
     75%    7.05ms
     90%   13.33ms
     99%   41.26ms
  51290 requests in 5.01s, 24.36MB read
Requests/sec:  10237.60
Transfer/sec:      4.86MB
"""


def test_a_report_of_the_load_generator_is_read():
    load = parse(REPORT)
    assert (load.rate, load.p99, load.errors) == (10237.6, 41.26, 0)


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        ("  Socket errors: connect 1, read 2, write 0, timeout 4\n", 7),
        ("  Non-2xx or 3xx responses: 12\n", 12),
    ],
)
def test_everything_that_failed_counts(line: str, errors: int):
    assert parse(line + REPORT).errors == errors


@pytest.mark.parametrize(
    "text", ["unable to connect to wire.test:443 Connection refused", REPORT.replace("10237.60", "0.00")]
)
def test_a_load_that_reached_nobody_is_no_result(text: str):
    with pytest.raises(ValueError, match="not a report"):
        parse(text)


def test_what_was_not_measured_is_said():
    assert {row.verdict for row in rows({})} == {"not measured"}
    assert len(rows({})) == len(GOALS)


def hosts(*eight: float) -> dict[str, Any]:
    return {"hosts": {"one_seconds": sample([10.0] * len(eight)), "eight_seconds": sample(eight)}}


def measured(results: dict[str, Any]) -> Row:
    return next(row for row in rows(results) if row.measured != "-")


def test_a_goal_is_reached_or_missed():
    found = [measured(hosts(eight)) for eight in (30.0, 31.0)]
    assert [(row.measured, row.verdict) for row in found] == [("3", "reached"), ("3.1", "missed")]


def test_what_was_measured_in_the_same_round_is_compared():
    # A slow minute in the second round, for both: the ratio is the same as in the others.
    results = {"hosts": {"one_seconds": sample([10, 40, 10]), "eight_seconds": sample([20, 80, 21])}}
    row = measured(results)
    assert (row.measured, row.spread) == ("2", "2 to 2.1")


def test_the_load_that_goes_worst_counts():
    def load(ours: float, ours_p99: float) -> dict[str, Any]:
        def proxy(rate: float, p99: float) -> dict[str, Any]:
            return {"requests_per_second": sample([rate]), "p99_milliseconds": sample([p99]), "errors": 0}

        others = {name: proxy(100, 10) for name in ("stock", "tuned", "caddy", "haproxy")}
        return {"portside": proxy(ours, ours_p99), **others}

    results = {"wire": {"loads": {"kept": load(300, 5), "new": load(200, 30)}}}
    found = {row.what: row.measured for row in rows(results)}
    assert found["requests per second: HAProxy 3, worst load"] == "2"
    assert found["99th percentile against HAProxy's, worst load"] == "3"


def test_in_turns_no_kind_always_comes_first_and_the_first_round_does_not_count():
    seen: list[str] = []
    kinds = {name: lambda name=name: seen.append(name) or len(seen) for name in "abc"}
    rounds = in_turns(kinds, 2)
    assert "".join(seen) == "abcbcacab"
    assert rounds == [{"b": 4, "c": 5, "a": 6}, {"c": 7, "a": 8, "b": 9}]
