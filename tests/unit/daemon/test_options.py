"""The Docker daemon's options: merged, refused, and taken by a reload or a restart."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.daemon import options
from ansible_collections.portside.vps.plugins.module_utils.quiet import without_logins

DEFAULTS = {"live-restore": True, "log-driver": "local", "log-opts": {"max-size": "10m", "max-file": "5"}}


@pytest.mark.parametrize(
    ("given", "merged"),
    [
        ({}, DEFAULTS),
        ({"debug": True}, {**DEFAULTS, "debug": True}),
        ({"log-opts": {"max-size": "1g"}}, {**DEFAULTS, "log-opts": {"max-size": "1g", "max-file": "5"}}),
        ({"log-opts": {"max-file": 3}}, {**DEFAULTS, "log-opts": {"max-size": "10m", "max-file": "3"}}),
        ({"log-opts": {"compress": False}}, {**DEFAULTS, "log-opts": {**DEFAULTS["log-opts"], "compress": "false"}}),  # type: ignore[dict-item]
        ({"log-driver": "json-file"}, {**DEFAULTS, "log-driver": "json-file"}),
        ({"log-driver": "journald"}, {"live-restore": True, "log-driver": "journald"}),
        (
            {"log-driver": "journald", "log-opts": {"tag": "x"}},
            {"live-restore": True, "log-driver": "journald", "log-opts": {"tag": "x"}},
        ),
        ({"live-restore": None, "log-driver": None, "log-opts": None}, {}),
        ({"live-restore": False}, {**DEFAULTS, "live-restore": False}),
    ],
)
def test_the_users_options_go_over_the_defaults(given: dict[str, Any], merged: dict[str, Any]) -> None:
    assert options.merged(DEFAULTS, given) == merged


@pytest.mark.parametrize(
    ("given", "swarm", "message"),
    [
        ({"iptables": False}, False, "`iptables: false` takes containers their way out"),
        ({"ip6tables": False, "ipv6": True}, False, "`ip6tables: false`"),
        ({"hosts": ["fd://"]}, False, "`hosts` stands in the unit's command line already"),
        ({"live-restore": True}, True, "does not go together with swarm mode"),
        ({"log-opts": ["max-size=1m"]}, False, "`log-opts` is a dictionary"),
    ],
)
def test_what_breaks_a_host_is_refused(given: dict[str, Any], swarm: bool, message: str) -> None:
    (found,) = options.problems(given, swarm)
    assert message in found


@pytest.mark.parametrize(
    "given", [{}, DEFAULTS, {"iptables": True}, {"ip6tables": False}, {"live-restore": False, "userland-proxy": False}]
)
def test_what_is_sound_is_not(given: dict[str, Any]) -> None:
    assert options.problems(given, swarm=False) == []


@pytest.mark.parametrize(
    ("before", "after", "steps"),
    [
        (DEFAULTS, DEFAULTS, []),
        (DEFAULTS, {**DEFAULTS, "debug": True}, ["reload"]),
        (DEFAULTS, {**DEFAULTS, "registry-mirrors": ["x"], "insecure-registries": ["y"]}, ["reload"]),
        (DEFAULTS, {**DEFAULTS, "live-restore": False}, ["reload"]),
        (DEFAULTS, {**DEFAULTS, "dns": ["1.1.1.1"]}, ["restart"]),
        (DEFAULTS, {**DEFAULTS, "dns": ["1.1.1.1"], "debug": True}, ["restart"]),
        ({}, DEFAULTS, ["reload", "restart"]),
        ({"live-restore": True}, DEFAULTS, ["restart"]),
        (DEFAULTS, {"log-driver": "local"}, ["restart"]),
    ],
)
def test_what_the_daemon_needs(before: dict[str, Any], after: dict[str, Any], steps: list[str]) -> None:
    assert options.steps(before, after) == steps


def test_text_and_back() -> None:
    assert options.parse(options.render(DEFAULTS)) == DEFAULTS


@pytest.mark.parametrize("text", [None, "", "{", "[]"])
def test_what_is_no_file_of_options(text: str | None) -> None:
    assert options.parse(text) is None


def test_passwords_of_proxies_are_found_and_taken_out() -> None:
    given = {"proxies": {"http-proxy": "http://user:hunter2@proxy:3128", "https-proxy": "http://token@proxy:3128"}}
    assert options.passwords(given) == {"hunter2", "token"}
    assert options.passwords({"proxies": {"x": ['http://u:hun"ter/2@proxy:3128']}}) == {'hun"ter/2'}
    assert "hunter2" not in without_logins(options.render(given))
    assert "http://***@proxy:3128" in without_logins(options.render(given))


# Both said by dockerd 20.10.24.
UNKNOWN = (
    "unable to configure the Docker daemon with file c.json: the following directives don't match any configuration "
    "option: foo, portside-validation"
)


@pytest.mark.parametrize(("said", "unknown"), [(UNKNOWN, ["foo"]), (UNKNOWN.replace("foo, ", ""), []), ("", [])])
def test_options_that_an_old_dockerd_does_not_know(said: str, unknown: list[str]) -> None:
    assert options.unknown(said, "portside-validation") == unknown


def test_the_token_of_a_log_driver_is_in_no_diff() -> None:
    before = options.render({"log-driver": "splunk", "log-opts": {"splunk-token": "old-1", "splunk-index": "web"}})
    after = options.render({"log-driver": "splunk", "log-opts": {"splunk-token": "new-1", "splunk-index": "web"}})
    shown = options.shown(before, after)
    assert "old-1" not in shown[0]
    assert "new-1" not in shown[1]
    assert shown[0] != shown[1]
    assert '"splunk-index": "web"' in shown[1]
    assert options.passwords({"options": options.parse(after)}) == {"new-1"}


def test_a_file_without_secrets_is_shown_as_it_stands() -> None:
    text = '{"log-driver":   "local"}\n'
    assert options.shown(text, None) == (text, "")
    assert options.shown("no json", text) == ("no json", text)
