"""A diagnosis quotes logs, and no secret in them: neither one of the inventory nor one that the server remembers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.portside.vps.plugins.filter import diagnosis as filters
from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import host
from ansible_collections.portside.vps.plugins.module_utils.inventory import declared
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Record, Store
from ansible_collections.portside.vps.plugins.modules import diagnose_host

from tests.unit.diagnosis.observations import ADDRESSES, World

PLAYBOOK = Path(__file__).resolve().parents[3] / "playbooks/diagnose.yml"
SETTINGS = {
    "portside_apps": [
        {
            "name": "shop-api",
            "secrets": {"KEY": "secret-of-env", "PIN": 24101234},
            "env": {"GITHUB_TOKEN": "token-in-env", "DATABASE_URL": "postgres://u:password-in-url@db/x", "A": "plain"},
            "site": {"basic_auth": {"users": {"ops": "password-of-site"}}},
            "egress": {"http_proxy": "http://user:password-of-proxy@proxy:3128"},
        }
    ],
    "docker_app_registries": [{"registry": "ghcr.io", "username": "bot-user", "password": "password-of-registry"}],
    "portside_egress": {"https_proxy": "http://user:password-of-shared-proxy@proxy:3128"},
    "portside_diagnose_secrets": {"shop-api": "whsec-of-the-hook"},
    "certbot_alarm_url": "https://ntfy.example.com/secret-topic",
    "certbot_eab": {"kid": "kid-1", "hmac_key": "hmac-of-eab"},
}
HIDDEN = [
    *("secret-of-env", "24101234", "token-in-env", "password-in-url", "password-of-site", "password-of-proxy"),
    *("password-of-registry", "password-of-shared-proxy", "whsec-of-the-hook", "hmac-of-eab"),
    *("https://ntfy.example.com/secret-topic", base64.b64encode(b"ops:password-of-site").decode()),
]


def dead(log: list[str]) -> World:
    world = World()
    world.app["container"] |= {"status": "exited", "exit_code": 1, "log": log}
    return world


def diagnoses(world: World) -> list[dict[str, Any]]:
    return filters.diagnose_verdict(
        [world.declared], world.host, world.outside, {"apps": {}}, ADDRESSES, settings=SETTINGS
    )


@pytest.mark.parametrize("form", ["html", "json"])
def test_no_declared_secret_stands_in_a_report(form: str) -> None:
    world = dead([f"starting with {secret}" for secret in HIDDEN])
    written = filters.page.page({"web1": diagnoses(world)}, form, "now")
    assert written.count("starting with ********") == len(HIDDEN)
    assert not [secret for secret in HIDDEN if secret in written]


def test_names_stay_whole_whatever_the_secrets_are() -> None:
    world = dead(["no"])
    settings = {"secrets": {"A": "shop-api", "B": "container"}}
    (found,) = filters.diagnose_verdict([world.declared], world.host, world.outside, {}, ADDRESSES, settings=settings)
    assert found["app"] == "shop-api"
    assert found["findings"][0]["cause"] == "container-dead"
    assert "shop-api" in found["findings"][0]["seen"]


def test_no_escape_code_of_a_log_reaches_the_terminal() -> None:
    (found,) = diagnoses(dead(["\x1b[2J\x1b[31mall is well\x1b[0m\x07"]))
    assert [line for one in found["findings"] for line in one["log"]] == ["all is well"]
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)


def test_the_report_is_a_file_for_its_owner_alone() -> None:
    (play,) = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    (task,) = [task for task in play["tasks"] if task["name"] == "The report is written"]
    assert task["ansible.builtin.copy"]["mode"] == "0600"


def test_every_remembered_secret_is_known(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.save_secrets("shop", 1, {"KEY": "rotated-long-ago", "HTTPS_PROXY": "http://u:password-of-proxy@p:1"})
    store.save_secrets("blog", 7, {"KEY": "of-another-app"})
    site = json.dumps({"basic_auth": {"users": {"ops": "kept-in-the-clear"}}})
    store.save_record("shop", 1, Record({"log": {"options": {"splunk-token": "token-of-the-log"}}}, site))
    (tmp_path / "shop/secrets/r2.json").write_text("broken")
    assert store.remembered() >= {
        *("rotated-long-ago", "password-of-proxy", "of-another-app", "kept-in-the-clear", "token-of-the-log")
    }


def test_the_host_quotes_no_secret_that_it_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(tmp_path).save_secrets("blog", 1, {"KEY": "rotated-long-ago"})
    arguments = {"apps": [], "state_dir": str(tmp_path)}
    answer = {"apps": {"shop": {"container": {"name": "shop-r1", "log": ["\x1b[1mwith rotated-long-ago"]}}}}
    monkeypatch.setattr(host, "look", lambda *_: answer)
    monkeypatch.setattr(diagnose_host.QuietModule, "log", lambda *_, **__: None)
    monkeypatch.setattr(
        "ansible.module_utils.basic._ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
    )
    monkeypatch.setattr("ansible.module_utils.basic._ANSIBLE_PROFILE", "legacy")
    with pytest.raises(SystemExit):
        diagnose_host.main()
    assert json.loads(capsys.readouterr().out)["apps"]["shop"]["container"]["log"] == ["with ********"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.example.com/v1/health", "https://api.example.com/v1/health"),
        ("https://u:pw@api.example.com/?key=1", "https://***@api.example.com/?***"),
        ("https://api.telegram.org/bot12345678:AAFx0123456789abc/getMe", "https://api.telegram.org/***/getMe"),
        ("/login?next=/admin&token=1", "/login?***"),
        ("", ""),
    ],
)
def test_a_url_is_reported_without_its_tokens(url: str, shown: str) -> None:
    assert telltale.address(url) == shown


def test_what_is_no_secret_is_not_hidden() -> None:
    assert {"plain", "bot-user", "ghcr.io", "kid-1", "shop-api"}.isdisjoint(declared.secrets(SETTINGS))
