"""What somebody changed by hand, of all that is managed: found and mended, one thing of each part at a time.

`make drift` does the same with one run for every single thing, and with those that get in the way of others.
"""

from __future__ import annotations

import pytest

from lab.identity import Lab
from soak.drift import server, together, troubles
from soak.drifts import DRIFTS

GROUPS = list(together(DRIFTS))


@pytest.fixture(scope="module")
def hands(lab_vars, vps_name, play):
    """A shell on the server, and the run that mends; afterwards Docker goes out as it did before."""
    shell, mend = server(Lab(lab_vars["lab_name"]), vps_name)
    assert mend().status == 0
    yield shell, mend
    assert play("site").status == 0


def test_more_than_forty_things_are_changed_by_hand():
    assert len({drift.name for group in GROUPS for drift in group}) > 40
    assert all(len({drift.part for drift in group}) == len(group) for group in GROUPS)


@pytest.mark.parametrize("drifts", GROUPS, ids=lambda group: group[0].name.replace(" ", "-"))
def test_what_was_changed_by_hand_is_found_and_mended(drifts, hands):
    shell, mend = hands
    assert troubles(drifts, shell, mend) == []


def test_a_run_after_all_that_changes_nothing(hands, vps_name):
    _, mend = hands
    done = mend()
    assert (done.status, done.changed) == (0, {vps_name: 0}), done.output
