"""What slow clients cost the others, and what a connection that does nothing costs in memory."""

from typing import Any

import pytest

from bench import idle, report, slow
from bench.goals import Row, rows
from bench.wire import Load

ROLLUP = """Rss:                9000 kB
Pss:                1200 kB
Pss_Dirty:           900 kB
"""


def turn(before: float, after: float, lost: int = 0) -> dict[str, Any]:
    return {"quiet": Load(1000.0, before, 0), "attacked": Load(900.0, after, lost), "held": [4000, 3999]}


def slow_part(lost: int = 0) -> dict[str, Any]:
    """Two rounds, in the second of which the machine is slower; bodies are the worst attack."""
    rounds = [
        {"headers": {"portside": turn(10, 12)}, "bodies": {"portside": turn(10, 15, lost)}},
        {"headers": {"portside": turn(40, 44)}, "bodies": {"portside": turn(40, 100)}},
    ]
    return {"attacks": slow.attacks(rounds)}


def found(part: str, results: dict[str, Any]) -> list[Row]:
    return [row for row in rows({part: results}) if row.part == part]


def test_a_request_that_a_slow_client_costs_is_a_missed_goal():
    assert [found("slow", slow_part(lost))[0].verdict for lost in (0, 1)] == ["reached", "missed"]


def test_visitors_are_compared_with_themselves_just_before_the_attack():
    row = found("slow", slow_part())[1]
    assert (row.measured, row.spread, row.verdict) == ("2", "1.5 to 2.5", "reached")


def test_the_document_says_what_each_attack_did():
    table = report.attacks(slow_part(lost=3))
    assert "| headers | 1.15 times, 0 lost, 4000 held |" in table
    assert "| bodies | 2.00 times, 3 lost, 4000 held |" in table


def test_memory_of_all_processes_is_added_up():
    assert idle.parse(ROLLUP + ROLLUP) == 2400


def test_memory_that_nobody_could_read_is_no_result():
    with pytest.raises(ValueError, match="not smaps_rollup"):
        idle.parse("cat: /proc/1/smaps_rollup: Permission denied")


def idle_part(ours: int) -> dict[str, Any]:
    held = {"portside": (ours, 500), "haproxy": (1000, 100)}
    return {
        "proxies": {
            proxy: idle.figures([{"idle": 60, "sockets": 40, "empty": empty, "kilobytes": kilobytes}] * 2)
            for proxy, (kilobytes, empty) in held.items()
        }
    }


def test_memory_of_a_connection_is_compared_with_haproxy():
    verdicts = [(row.measured, row.verdict) for ours in (900, 1100) for row in found("idle", idle_part(ours))]
    assert verdicts == [("0.9", "reached"), ("1.1", "missed")]


def test_the_document_says_how_many_connections_there_were():
    assert "| portside | 60 | 40 | 9 | 4 |" in report.kept(idle_part(900))


def test_fewer_connections_than_wanted_make_each_one_dearer():
    few = idle.figures([{"idle": 10, "sockets": 0, "empty": 500, "kilobytes": 900}])
    assert few["kilobytes_each"]["median"] == 90
