"""Drop-ins for systemd's units."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def one_line(value: object) -> bool:
    """Whether the text stays on the line that it is written on: no control character but the tab, no line separator."""
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]", str(value))


def variable_problems(variables: Mapping[str, object]) -> Iterator[str]:
    """What can't stand in an `Environment=` line (systemd.exec(5)), the rest of a sentence each. Quotes no value."""
    for name, value in variables.items():
        if not _NAME.fullmatch(str(name)):
            shown = re.sub(r"[^ -~]", "?", str(name))
            yield f"`{shown}` is not the name of an environment variable: letters, digits and `_`, no digit first"
        elif not one_line(value):
            yield (
                f"`{name}` has a line break or another control character in it, and would go on as a line of its own "
                "in the unit of systemd: write the value on one line"
            )


def environment_lines(variables: Mapping[str, str]) -> list[str]:
    """An `Environment=` line for each variable (systemd.exec(5)): `%` doubled, quotes and backslashes escaped.

    >>> environment_lines({"HTTPS_PROXY": "http://u:p%40ss@proxy"})
    ['Environment="HTTPS_PROXY=http://u:p%%40ss@proxy"']
    """
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()]


def _quoted(assignment: str) -> str:
    return '"' + assignment.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
