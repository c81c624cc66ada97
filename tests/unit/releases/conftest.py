"""What the tests of releases share."""

import os

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of state files are written here; none of them has to survive a power cut."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
