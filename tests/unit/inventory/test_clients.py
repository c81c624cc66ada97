"""What Portside takes for portable is what the clients were measured to read alike (clients/measured.json)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import egress

MEASURED = json.loads((Path(__file__).parents[3] / "clients" / "measured.json").read_text(encoding="utf-8"))
# They look at no variable.
DEAF = {client for client, way in MEASURED["no_proxy"][0]["ways"].items() if way == "direct"}
ENTRIES = sorted({entry for row in MEASURED["no_proxy"] for entry in row["entry"].split(",") if entry})


def test_ten_clients_and_more_were_run() -> None:
    assert len(MEASURED["no_proxy"][0]["ways"]) >= 10
    assert {"aiohttp", "urllib3", "Node `fetch`"} == DEAF


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_is_taken_as_it_stands_exactly_where_all_clients_read_it_alike(entry: str) -> None:
    rows = [row["ways"] for row in MEASURED["no_proxy"] if entry in row["entry"].split(",")]
    alike = all(way == "direct" for ways in rows for client, way in ways.items() if client not in DEAF)
    names, problem = egress.portable(entry)
    assert (names == [entry] and problem is None) == alike


def test_each_variable_in_both_cases_reaches_every_client_that_looks_at_any() -> None:
    single = [
        set(ways) - {c for c in ways if ways[c] == "direct"} for ways in (r["ways"] for r in MEASURED["variables"])
    ]
    http, shouted_http, https, shouted_https, _ = single
    hearing = set(MEASURED["no_proxy"][0]["ways"]) - DEAF
    assert http | shouted_http == hearing == https | shouted_https
    assert http & shouted_http < hearing, "one case alone is not enough"


def test_loopback_has_to_be_spelled_out() -> None:
    asked = {row["entry"]: row["ways"] for row in MEASURED["no_proxy"] if row["url"] == "http://127.0.0.1"}
    assert "proxy" in asked[""].values()
    assert set(asked[",".join(egress.LOOPBACK)].values()) == {"direct"}
