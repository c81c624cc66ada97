"""The table that the benchmark ends with."""

import pytest

from bench.goals import GOALS, rows
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
    assert {row[3] for row in rows({})} == {"not measured"}
    assert len(rows({})) == len(GOALS)


def test_a_goal_is_reached_or_missed():
    def hosts(eight: float) -> dict[str, dict[str, dict[str, float]]]:
        return {"hosts": {"one_seconds": {"median": 10.0}, "eight_seconds": {"median": eight}}}

    found = {row[2]: row[3] for eight in (30.0, 31.0) for row in rows(hosts(eight)) if row[2] != "-"}
    assert found == {"3": "reached", "3.1": "missed"}
