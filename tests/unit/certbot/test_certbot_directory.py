"""Which profiles an ACME server has, and how it is asked."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import directory

SERVER = "https://acme.test:14000/dir"
NEW_ORDER = "https://acme.test:14000/order-plz"


@pytest.mark.parametrize(
    ("document", "profiles"),
    [
        ({"newOrder": NEW_ORDER, "meta": {"profiles": {"classic": "x", "shortlived": "y"}}}, {"classic", "shortlived"}),
        ({"newOrder": NEW_ORDER, "meta": {"termsOfService": "x"}}, set()),
        ({"newOrder": NEW_ORDER}, set()),
        ({"meta": {"profiles": {"classic": "x"}}}, None),
        ([], None),
        ("404 page not found", None),
    ],
)
def test_profiles_in_a_directory(document: Any, profiles: set[str] | None) -> None:
    assert directory.profiles_in(json.dumps(document)) == profiles


def test_no_json_is_no_directory() -> None:
    assert directory.profiles_in("404 page not found") is None


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": ""}, None),
        ({"https_proxy": "http://p:1"}, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://low:1"),
        ({"http_proxy": "http://p:1"}, None),
        ({"all_proxy": "http://p:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "acme.test"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": ".test"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "other.test"}, "http://p:1"),
    ],
)
def test_way_out(environment: dict[str, str], proxy: str | None) -> None:
    assert directory.proxy_for(SERVER, environment) == proxy


def test_server_that_does_not_answer_is_left_to_the_order(tmp_path: Any) -> None:
    assert directory.profiles("https://127.0.0.1:1/dir", {}) is None
    assert directory.profiles(SERVER, {"REQUESTS_CA_BUNDLE": str(tmp_path / "none.pem")}) is None


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (None, None),
        ({"shortlived"}, None),
        ({"tlsserver", "classic"}, f"{SERVER} has no profile `shortlived`, it has classic, tlsserver (profile)"),
        (set(), f"{SERVER} has no profile `shortlived`, it has none at all (profile)"),
    ],
)
def test_profile_that_the_server_lacks(there: set[str] | None, said: str | None) -> None:
    found = [str(problem) for problem in directory.lacking_profile(SERVER, "shortlived", there)]
    assert found == ([said] if said else [])
