"""What a run shows of a release: no token that stands in an option of its container."""

from __future__ import annotations

import json
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.releases import plan
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Outcome
from ansible_collections.portside.vps.plugins.modules import app_release

from tests.unit.releases.release_fakes import Host, app, releaser


def test_tokens_of_log_drivers_and_logins_are_in_no_diff() -> None:
    log = {"driver": "splunk", "splunk-token": "token-of-the-log", "splunk-url": "https://logs.example.com"}
    wanted = app(log=log, env={"DATABASE_URL": "postgres://shop:password-of-db@db/shop", "LEVEL": "info"})
    outcome = Outcome("shop")
    outcome.before, outcome.after = plan.diff(wanted, None, None)
    (diff,) = app_release._result([outcome], [])["diff"]
    assert "token-of-the-log" not in diff["after"]
    assert "password-of-db" not in diff["after"]
    assert '"LEVEL": "info"' in diff["after"]


def test_the_last_lines_of_a_failed_release_hold_no_secret_and_no_escape_code(tmp_path: Path) -> None:
    host = Host(tmp_path / "apps", present={"shop:bad": "bad"}, statuses={"bad": 500}, talkative=True)
    env = {"COLOUR": "\x1b[2Jred", "DATABASE_URL": "postgres://shop:password-of-db@db/shop"}
    site = json.dumps({"basic_auth": {"users": {"ops": "password-of-site"}}})
    wanted = app(
        image="shop:bad", env={**env, "MOTD": "password-of-site"}, secrets={"KEY": "secret-of-app"}, extra=site
    )
    (outcome,) = releaser(host).run([wanted])
    assert "COLOUR=red" in outcome.message
    assert "KEY=********" in outcome.message
    assert "MOTD=********" in outcome.message
    assert "password-of-db" not in outcome.message
