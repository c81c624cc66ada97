"""Misspelt variables: argument_specs accept them silently, so that the default applies without a word."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

# How alike two names must be (difflib ratio, 0 to 1) before the one counts as the other misspelt. Other people's roles
# share our prefixes (docker_users, nginx_user), so a name that resembles none of ours is none of our business.
ALIKE = 0.85

# Lists of the roles' that the playbooks fill, and what they fill them from.
FILLED = {
    "certbot_environment": "`portside_egress.certbot`",
    "docker_app_list": "`portside_apps`",
    "docker_environment": "`portside_egress.docker`",
    "nginx_sites": "`portside_apps`, where an app's `site` takes the same options",
    "ufw_rules": "`portside_firewall_rules`",
}


def ignored(settings: Mapping[str, Any]) -> list[str]:
    """One sentence for each variable that is set although the playbooks fill it, so that it would go unheard."""
    return [
        f"`{name}` is for the role alone; here it is made from {source}: say it there"
        for name, source in FILLED.items()
        if settings.get(name)
    ]


def misspelt(
    names: Iterable[str], options: Collection[str], prefix: str, other_prefixes: Collection[str] = ()
) -> list[str]:
    """One sentence for each variable that looks like one of the options but isn't.

    Args:
        names: the variables that are set for the host.
        options: the variables that exist.
        prefix: what the names begin with, `nginx_` for instance.
        other_prefixes: longer prefixes that belong to somebody else (`docker_app_` where the prefix is `docker_`).
    """
    found = []
    for name in sorted(set(names) - set(options)):
        if not name.startswith(prefix) or name.startswith(tuple(other_prefixes)):
            continue
        near = difflib.get_close_matches(name, list(options), n=1, cutoff=ALIKE)
        if near:
            found.append(f"`{name}` is no variable of this role: did you mean `{near[0]}`?")
    return found


def unknown(names: Iterable[str], options: Collection[str], prefix: str) -> list[str]:
    """One sentence for each variable with the prefix that doesn't exist; the prefix is ours alone."""
    found = []
    for name in sorted(set(names) - set(options)):
        if not name.startswith(prefix):
            continue
        near = difflib.get_close_matches(name, list(options), n=1, cutoff=0.6)
        hint = (
            f"did you mean `{near[0]}`?"
            if near
            else f"there are {', '.join(f'`{option}`' for option in sorted(options))}."
        )
        found.append(f"`{name}` is no variable of Portside: {hint}")
    return found
