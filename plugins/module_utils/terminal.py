"""Text of other programs, made fit for a terminal: it may hold what moves the cursor, or hides words."""

from __future__ import annotations

import re

# ECMA-48: control sequences (CSI), strings (OSC, DCS, SOS, PM, APC; none is longer than its line here), other escapes.
ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
# What is left of control characters but line breaks and tabs, and Unicode's that turn the direction of writing around
# (https://www.unicode.org/reports/tr9/, explicit formatting characters).
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """The text with line breaks and tabs, and nothing else that a terminal would act on."""
    return CONTROL.sub("", ESCAPE.sub("", text))
