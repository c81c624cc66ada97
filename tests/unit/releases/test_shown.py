"""What a run shows of a release: no token that stands in an option of its container."""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.modules import app_release

from tests.unit.releases.release_fakes import app


def test_tokens_of_log_drivers_and_logins_are_in_no_diff() -> None:
    log = {"driver": "splunk", "splunk-token": "token-of-the-log", "splunk-url": "https://logs.example.com"}
    wanted = app(log=log, env={"DATABASE_URL": "postgres://shop:password-of-db@db/shop", "LEVEL": "info"})
    outcome = Outcome("shop")
    outcome.before, outcome.after = plan.diff(wanted, None, None)
    (diff,) = app_release._result([outcome], [])["diff"]
    assert "token-of-the-log" not in diff["after"]
    assert "password-of-db" not in diff["after"]
    assert '"LEVEL": "info"' in diff["after"]
