"""Results of modules that were given secrets: names are kept whole, and secrets are in nothing that people read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.vps.plugins.module_utils.masking import masked
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.modules import app_release, app_releases

ARGUMENTS: dict[str, Any] = {"secrets": {"type": "dict", "no_log": True}, "name": {"type": "str"}}


def result(capsys: pytest.CaptureFixture[str], secrets: dict[str, Any], failing: bool = False, **returned: Any) -> Any:
    """What Ansible gets of a module that was given these secrets and returns that."""
    with patch_module_args({"secrets": secrets, "name": "shop-api"}):
        module = QuietModule(argument_spec=ARGUMENTS, facts=("name", "numbers", "held"))
        module.make_public(["shop-api", "shop.example.com", None])
        with pytest.raises(SystemExit):
            (module.fail_json if failing else module.exit_json)(**returned)
    return json.loads(capsys.readouterr().out)


def test_secret_that_is_in_a_name_leaves_the_name_whole(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(
        capsys,
        {"A": "shop-api", "B": "example"},
        apps=[{"name": "shop-api", "message": "app `shop-api` at https://shop.example.com/ says B=example"}],
        held={"shop-api": '{"name": "shop-api", "password": "example"}'},
    )
    assert found["apps"] == [
        {"name": "shop-api", "message": "app `shop-api` at https://shop.example.com/ says B=********"}
    ]
    assert json.loads(found["held"]["shop-api"])["password"] == "example"


def test_number_stays_a_number_whatever_the_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    found = result(capsys, {"A": "123456", "B": 1}, changed=True, numbers=[1, 123456], release=123456, text="at 123456")
    assert (found["changed"], found["numbers"], found["release"], found["text"]) == (
        True,
        [1, 123456],
        123456,
        "at ********",
    )


@pytest.mark.parametrize("secret", ["a", "1", "shop", "ended"])
def test_secret_that_is_too_short_masks_no_message(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    text = "release 11 was given up: it ended with exit status 1, and shop says so"
    assert result(capsys, {"MODE": secret}, failing=True, msg=text)["msg"] == text


@pytest.mark.parametrize("failing", [False, True])
def test_secret_is_in_nothing_that_people_read(capsys: pytest.CaptureFixture[str], failing: bool) -> None:
    secret = "-----BEGIN KEY-----\nline-one-of-it\n  line-two-of-it\n-----END KEY-----\n"
    found = result(
        capsys,
        {"KEY": secret, "TOKEN": "geheim-geheim"},
        failing,
        msg="said geheim-geheim",
        diff=[{"before_header": "app", "before": "geheim-geheim", "after": "line-two-of-it"}],
        exception="Traceback: geheim-geheim",
    )
    assert found["msg"] == "said ********"
    for word in ("geheim", "line-one", "line-two"):
        assert word not in json.dumps(found)


def test_warning_of_a_module_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(basic, "warn", lambda warning, **_: heard.append(warning))
    with patch_module_args({"secrets": {"A": "geheim-geheim"}}):
        QuietModule(argument_spec=ARGUMENTS).warn("the image of shop says geheim-geheim")
    assert heard == ["the image of shop says ********"]


def test_half_a_name_is_masked_where_the_secret_reaches_beyond_it() -> None:
    text = "shop-api-key and shop-api"
    assert masked(text, ["api-key"], ["shop-api"]) == "shop-******** and shop-api"
    assert masked("aXbcdefgXh", ["bcdefg", "fgXhij", "efgXh1"], []) == "aX********Xh"
    assert masked("overlapping-text", ["overlapping", "lapping-text"]) == "********"


@pytest.mark.parametrize("module", [app_release, app_releases])
def test_names_of_apps_reach_the_next_task_unmasked(
    module: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"apps": [], "orphans": ["shop-old"], "releases": {}, "unreadable": ["shop-api"], "held": {}}
    apps = [{"name": "shop-api", "image": "shop-api:1", "secrets": {"A": "shop-api", "B": "shop-old"}}]
    if module is app_release:
        monkeypatch.setattr(module, "_work", lambda *_: (_ for _ in ()).throw(module.ArchivesNeededError(["shop-api"])))
    else:
        monkeypatch.setattr(module, "_look", lambda _: answer)
    with patch_module_args({"apps": apps}), pytest.raises(SystemExit):
        module.main()
    found = json.loads(capsys.readouterr().out)
    assert found.get("archives_needed", found.get("unreadable")) == ["shop-api"]
