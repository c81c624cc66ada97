"""What a diff shows of settings that hold a secret although nobody declared them as one."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils import telltale


@pytest.mark.parametrize(
    "name",
    [
        *("splunk-token", "logdna-api-key", "POSTGRES_PASSWORD", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWD"),
        *("apiKey", "STRIPE_API_KEY", "SENTRY_DSN", "passphrase", "client_secret", "Logging.Token", "SMTP_PASS"),
    ],
)
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert telltale.shown({}, {name: "sk_live_1"}) == ({}, {name: "***"})
    assert list(telltale.secrets({name: "sk_live_1"})) == ["sk_live_1"]


@pytest.mark.parametrize(
    "name",
    [
        *("POSTGRES_PASSWORD_FILE", "syslog-tls-key", "splunk-index", "SSH_PUBLIC_KEY", "TOKEN_TTL", "PASSENGERS"),
        *("max-size", "KEYBOARD", "secrets_as", "COMPASS", "BYPASS", "tag"),
    ],
)
def test_what_only_sounds_like_a_secret_is_shown(name: str) -> None:
    assert telltale.shown({}, {name: "value"}) == ({}, {name: "value"})
    assert list(telltale.secrets({name: "value"})) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"log": {"splunk-token": "old-1"}}, {"log": {"splunk-token": "new-1"}}),
        ({"env": {"DATABASE_URL": "postgres://u:old-1@db/x"}}, {"env": {"DATABASE_URL": "postgres://u:new-1@db/x"}}),
        ({"log": {"sumo-url": "https://in.example.com/old-1"}}, {"log": {"sumo-url": "https://in.example.com/new-1"}}),
        (
            {"env": {"SLACK_WEBHOOK_URL": "https://x.test/old-1"}},
            {"env": {"SLACK_WEBHOOK_URL": "https://x.test/new-1"}},
        ),
    ],
)
def test_a_secret_that_changed_is_seen_to_change_and_not_shown(
    before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]
) -> None:
    first, second = telltale.shown(before, after)
    assert first != second
    assert "old-1" not in str(first)
    assert "new-1" not in str(second)
    assert str(second).count("(changed)") == 1
    assert {*telltale.secrets(before)} != {*telltale.secrets(after)}


def test_what_is_no_secret_is_shown_as_it_is() -> None:
    before = {"image": "shop:1", "secrets": ["API_KEY"], "command": ["serve", "--url=https://u:pw@h/"], "port": 8000}
    after = {"image": "shop:2", "secrets": {"API_KEY": "changed", "OTHER_TOKEN": "set"}, "log": {"driver": "local"}}
    first, second = telltale.shown(before, after)
    assert first == {**before, "command": ["serve", "--url=https://***@h/"]}
    assert second == after
    assert telltale.shown({}, after) == ({}, after)


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["serve", "--token", "sk_live_1", "--port", "80"], ["serve", "--token", "***", "--port", "80"]),
        (["serve", "--db-password=sk_live_1", "-v"], ["serve", "--db-password=***", "-v"]),
        (["sh", "-c", "serve --api-key sk_live_1 --port 80"], ["sh", "-c", "serve --api-key *** --port 80"]),
        (["serve", "--token-file", "/run/secrets/T"], ["serve", "--token-file", "/run/secrets/T"]),
    ],
)
def test_a_secret_among_the_arguments_of_a_command_is_not_shown(command: list[str], shown: list[str]) -> None:
    assert telltale.shown(None, {"command": command}) == (None, {"command": shown})
