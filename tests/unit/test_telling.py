"""A disk that is full ends no module in a traceback."""

from __future__ import annotations

import errno
import importlib
import json
from pathlib import Path
from typing import Any, NoReturn

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.portside.vps.plugins.module_utils import quiet, telling

MODULES = sorted(path.stem for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py"))
FULL = OSError(errno.ENOSPC, "No space left on device", "/var/lib/portside/x")


def full(*_: Any, **__: Any) -> NoReturn:
    raise FULL


@pytest.mark.parametrize("name", MODULES)
def test_no_module_ends_in_a_traceback_when_the_disk_is_full(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"ansible_collections.portside.vps.plugins.modules.{name}")
    for made in (quiet.QuietModule, telling.TellingModule):
        monkeypatch.setattr(made, "__init__", full)
    with pytest.raises(SystemExit) as ended:
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert (ended.value.code, result["failed"]) == (1, True)
    assert "No space left on device: '/var/lib/portside/x'. The disk is full (`df -h`)" in result["msg"]


@pytest.mark.parametrize("made", [quiet.QuietModule, telling.TellingModule])
@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (str(FULL), "make room, and run again"),
        ("Docker could not load the image: write /layer.tar: no space left on device", "make room, and run again"),
        ("`apt-get` exited with status 100: write (122: Disk quota exceeded)", "make room, and run again"),
        ("[Errno 30] Read-only file system: '/etc/nginx/x'", "see `findmnt` and `dmesg`"),
    ],
)
def test_a_failure_says_what_is_behind_it(
    made: type[telling.TellingModule], said: str, cause: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with patch_module_args({}):
        module = made(argument_spec={})
        with pytest.raises(SystemExit):
            module.fail_json(msg=said, changed=False)
    message = json.loads(capsys.readouterr().out)["msg"]
    assert message.startswith(f"{said}. The ")
    assert message.count(cause) == 1


def test_what_is_explained_already_and_other_failures_stay_as_they_are() -> None:
    assert telling.explained(telling.explained(str(FULL))) == telling.explained(str(FULL))
    assert telling.explained("no such tag") == "no such tag"
