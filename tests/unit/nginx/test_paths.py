"""What an app gets is what its location was chosen by: the rules, apart from nginx."""

from __future__ import annotations

import re

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import values

from tests.unit.nginx.rendering import tree


@pytest.mark.parametrize(
    ("path", "sent", "expected"),
    [
        ("/hook", "/hook", True),
        ("/hook", "/hook?a=/../b", True),
        ("/hook", "/hook/x", True),
        ("/hook", "/%68ook", False),
        ("/hook", "//hook", False),
        ("/hook", "/hooks", False),
        ("/hook", "/a/../hook", False),
        ("/a-b:c", "/a%2Db%3ac/d", True),
        ("/a.b", "/axb", False),
        ("/é", "/%C3%a9", True),
    ],
)
def test_a_raw_path_is_known_by_how_it_begins(path, sent, expected):
    assert bool(re.search(values.as_sent(path), sent)) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        *(
            (path, True)
            for path in ("/a/../b", "/a/%2E%2e", "/.", "/a%2f..%2Fb", "/a/..;x/b", "/a/..?b", "/a#b", "/a\\b")
        ),
        *((path, False) for path in ("/a%2Fb", "/a/..b", "/.well-known/x", "/a%5Cb", "/a?b=/../c#\\", "//a", "/a/...")),
    ],
)
def test_a_path_that_climbs_is_known_by_its_dots(path, expected):
    text = tree()["conf.d/portside.conf"]
    (climbs,) = set(re.findall(r'"~\*(.+)" 1;', text[: text.index("$portside_climbs_at_all")]))
    assert bool(re.search(climbs, path, re.IGNORECASE)) is expected
