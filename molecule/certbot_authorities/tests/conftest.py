"""The fixtures of scenario certbot, and ACME servers of a test's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "certbot" / "tests"))

from authority import Authority  # beside this file
from certbot_server import server  # noqa: F401  # pytest finds fixtures here


@pytest.fixture
def authority(client, tmp_path_factory):
    """Start an ACME server of one's own, for one test: `authority(15100, days=6, PEBBLE_WFE_NONCEREJECT=50)`."""
    started = []

    def start(port: int, **options) -> Authority:
        started.append(Authority(client, tmp_path_factory.mktemp("acme"), port, **options))
        return started[-1]

    yield start
    for one in started:
        one.stop()
