"""Which release of which distribution this is, as os-release(5) says it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

# Ansible's own names for what it calls by the name of the distribution; any other goes by the name it gives itself.
NAMES = {"debian": "Debian", "ubuntu": "Ubuntu"}


def facts(text: str) -> dict[str, str]:
    """Ansible's facts of the distribution.

    Args:
        text: what /etc/os-release holds.

    Returns:
        `distribution`, `distribution_version`, `distribution_major_version` and `distribution_release` (the code name),
        with the meaning that `ansible.builtin.setup` gives them. A development release has no number: its code name
        stands in for it.
    """
    fields = dict(_assignments(text.splitlines()))
    codename = fields.get("VERSION_CODENAME", "")
    version = fields.get("VERSION_ID") or codename
    return {
        "distribution": NAMES.get(fields.get("ID", ""), fields.get("NAME", "")),
        "distribution_version": version,
        "distribution_major_version": version.partition(".")[0],
        "distribution_release": codename,
    }


def _assignments(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, equals, value = line.partition("=")
        if equals and not name.startswith("#"):
            yield name.strip(), "".join(shlex.split(value))
