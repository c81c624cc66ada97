"""Passwords of a site are kept with a release as hashes alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import passwords
from ansible_collections.portside.vps.plugins.module_utils.releases import kept_site
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Record, Store

from tests.unit.releases.release_fakes import Host, app, releaser


def site(**users: str) -> str:
    return json.dumps({"basic_auth": {"realm": "Staging", "users": users}, "name": "shop"}, sort_keys=True)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "apps", present={"shop:1": "one", "shop:2": "two", "shop:bad": "bad"}, statuses={"bad": 500})


def shop(tag: str = "1", password: str = "correct horse", **more: Any) -> App:
    return app(image=f"shop:{tag}", extra=site(ops=password), **more)


def written(host: Host) -> dict[str, str]:
    """What stands in the files of the app, by name."""
    return {str(path): path.read_text() for path in sorted(host.root.glob("shop/**/*.json"))}


def test_no_password_of_a_site_stands_in_a_release_record(host: Host) -> None:
    releaser(host).run([shop()])
    assert not [name for name, text in written(host).items() if "correct horse" in text]
    kept = Store(host.root).record("shop", 1)
    assert kept is not None
    users = json.loads(kept.extra)["basic_auth"]["users"]
    assert passwords.matches("correct horse", users["ops"])
    assert kept.extra == site(**users)


def test_the_same_password_changes_no_file_and_makes_no_release(host: Host) -> None:
    releaser(host).run([shop()])
    before = written(host)
    (outcome,) = releaser(host).run([shop()])
    assert (outcome.changed, written(host)) == (False, before)
    (outcome,) = releaser(host).run([shop(password="battery staple")])
    assert outcome.changed is False
    assert written(host) != before


def test_a_rollback_brings_the_hash_of_the_password_back(host: Host) -> None:
    releaser(host).run([shop()])
    releaser(host).run([shop("2", "battery staple")])
    releaser(host).roll_back(shop("2", "battery staple"), 1, [])
    declared = shop("2", "battery staple")
    held = releaser(host).held([declared])["shop"]
    assert passwords.matches("correct horse", json.loads(held)["basic_auth"]["users"]["ops"])
    assert releaser(host).run([declared])[0].action == "held"


def test_a_site_that_is_as_declared_is_nothing_to_bring_back(host: Host) -> None:
    releaser(host).run([shop()])
    releaser(host).run([shop("bad")])
    assert releaser(host).held([shop("bad")]) == {"shop": ""}


def test_an_old_record_with_a_password_is_read_and_rewritten_without_it(host: Host) -> None:
    releaser(host).run([shop()])
    releaser(host).run([shop("2")])
    store = Store(host.root)
    for number in (1, 2):
        kept = store.record("shop", number)
        assert kept is not None
        store.save_record("shop", number, Record(kept.app, site(ops="correct horse")))
    (outcome,) = releaser(host).run([shop("2")])
    assert outcome.changed is False
    assert not [name for name, text in written(host).items() if "correct horse" in text]
    releaser(host).roll_back(shop("2"), 1, [])
    assert passwords.matches(
        "correct horse", json.loads(str(store.record("shop", 3).extra))["basic_auth"]["users"]["ops"]
    )


@pytest.mark.parametrize("text", ["", "site one", "[]", '{"basic_auth": null}', '{"basic_auth": {"users": []}}'])
def test_a_text_that_is_no_site_is_kept_as_it_is(text: str) -> None:
    assert kept_site.sealed(text) == text
    assert kept_site.same(text, text)


def test_a_declared_hash_is_taken_as_it_is() -> None:
    known = passwords.hashed("correct horse")
    assert kept_site.sealed(site(ops=known)) == site(ops=known)
    assert passwords.file({"ops": known}, "", "# mark") == f"# mark\nops:{known}\n"
