"""What other programs wrote moves no cursor and hides no word on a user's terminal."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils import terminal


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://x.test\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jtext", "text"),
        ("\x1bPq#0\x1b\\text", "text"),
        ("all is well\rbroken", "all is wellbroken"),
        ("abc\b\b\bxyz\x07", "abcxyz"),
        ("\x1b", ""),
        ("\x1b]0;no end\nnext line", "\nnext line"),
        ("safe \u202egnp.exe", "safe gnp.exe"),
        ("tab\there\nKäse ✓ [31m", "tab\there\nKäse ✓ [31m"),
    ],
)
def test_nothing_is_left_that_a_terminal_would_act_on(said: str, shown: str) -> None:
    assert terminal.plain(said) == shown
