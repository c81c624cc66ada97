"""The controller's half of app_release: which files it looks at."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.portside.vps.plugins.action import app_release
from ansible_collections.portside.vps.plugins.module_utils.releases.archive import Content

APPS = [
    {"name": "shop", "image": "shop:1", "image_archive": "shop.tar"},
    {"name": "gone", "image_archive": "gone.tar", "state": "absent"},
    {"name": "blog", "image": "blog:1"},
]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({}, ["shop"]),
        ({"only": ["shop"]}, ["shop"]),
        ({"only": ["blog"]}, []),
        ({"rollback": "shop"}, []),
        ({"promote": "shop"}, []),
        ({"abort": "shop"}, []),
    ],
)
def test_only_a_release_needs_the_file_of_its_image(arguments: dict[str, Any], names: list[str]) -> None:
    plugin = app_release.ActionModule.__new__(app_release.ActionModule)
    plugin._task = SimpleNamespace(args={"apps": APPS, **arguments})
    assert plugin._files() == {name: Path(f"{name}.tar") for name in names}


@pytest.mark.parametrize(
    ("called", "refused"), [("blog:1", True), ("docker.io/library/blog:1", True), ("shop:1", False), ("other:1", False)]
)
def test_a_file_that_would_take_the_name_of_another_apps_image_is_refused(called: str, refused: bool) -> None:
    plugin = app_release.ActionModule.__new__(app_release.ActionModule)
    plugin._task = SimpleNamespace(args={"apps": APPS})
    contents = {"shop": Content(["sha256:a"], [called])}
    if not refused:
        plugin._refuse_names_of_others(contents)
        return
    with pytest.raises(AnsibleActionFail, match="which is the image of app `blog`: save it under the name"):
        plugin._refuse_names_of_others(contents)
