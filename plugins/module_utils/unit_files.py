"""Drop-ins for systemd's units."""

from __future__ import annotations

from collections.abc import Mapping


def environment_lines(variables: Mapping[str, str]) -> list[str]:
    """An `Environment=` line for each variable (systemd.exec(5)): `%` doubled, quotes and backslashes escaped.

    >>> environment_lines({"HTTPS_PROXY": "http://u:p%40ss@proxy"})
    ['Environment="HTTPS_PROXY=http://u:p%%40ss@proxy"']
    """
    return [f"Environment={_quoted(f'{name}={value}')}" for name, value in variables.items()]


def _quoted(assignment: str) -> str:
    return '"' + assignment.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
