"""Shell assignments in /etc/default/ufw and /etc/ufw/ufw.conf."""

from __future__ import annotations

import re
from collections.abc import Mapping

POLICY_WORDS = {"allow": "ACCEPT", "deny": "DROP", "reject": "REJECT"}


def read_setting(text: str, name: str) -> str:
    """The value of the last assignment to the name, without quotes; empty if there is none."""
    found = re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)
    return str(found[-1]).strip().strip("\"'") if found else ""


def with_settings(text: str, settings: Mapping[str, str]) -> str:
    """The text with each setting at its value; a line is touched only if it says something else.

    Args:
        text: the file; every other line stays as it is.
        settings: names and values, the values quoted as they shall stand in the file.
    """
    for name, value in settings.items():
        if read_setting(text, name) == value.strip('"'):
            continue
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        if not count:
            text += f"{name}={value}\n"
    return text
