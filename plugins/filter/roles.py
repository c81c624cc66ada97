"""Filters about the collection's own roles."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.display import Display
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, texts

DOCUMENTATION = r"""
name: misspelt_variables
short_description: variables that look like a role's but aren't
description: For use with the P(ansible.builtin.varnames#lookup) lookup.
options:
  _input: {description: Names of variables., type: list, elements: str, required: true}
  role: {description: The role's short name., type: str, required: true}
"""


def misspelt_variables(names: Iterable[str], role: str) -> list[str]:
    """One sentence for each name that looks like a variable of the role but isn't one."""
    return roles.misspelt(names, role)


def warned(sentences: Iterable[str]) -> list[str]:
    """Shows each sentence as a warning. Returns an empty list, so that it can stand in a sum of what is refused."""
    for sentence in sentences:
        Display().warning(sentence)
    return []


def changed_texts(values: Mapping[str, Any], role: str) -> list[str]:
    """One sentence for each text among the role's variables that YAML changed."""
    return texts.problems(values, texts.role_spec(role))


def role_options(role: str) -> list[str]:
    """The names of the role's variables."""
    return list(roles.options(role))


def role_packages(names: Collection[str], release: str) -> list[str]:
    """The Debian packages that the named roles install on a release such as `Debian_13`, each once.

    Raises:
        AnsibleFilterError: one of the roles doesn't know the release.
    """
    wanted: list[str] = []
    for name in names:
        try:
            wanted += roles.packages(name, release)
        except FileNotFoundError as unknown:
            known = ", ".join(roles.releases(names))
            raise AnsibleFilterError(
                f"role {name}: {release.replace('_', ' ')} is not supported; supported are {known.replace('_', ' ')}"
            ) from unknown
    return list(dict.fromkeys(wanted))


def role_releases(names: Iterable[str]) -> list[str]:
    """The operating system releases that all the named roles know, such as `Debian_13`."""
    return roles.releases(names)


def release_problems(release: str, role: str) -> list[str]:
    """One sentence when the role doesn't know a release such as `Debian_13`; empty when it does."""
    known = roles.releases([role])
    if release in known:
        return []
    names = [name.replace("_", " ") for name in (release, *known)]
    return [f"role {role} does not support {names[0]}, only {', '.join(names[1:])}; nothing was changed"]


def release_value(release: str, role: str, name: str) -> object:
    """The value of a role's variable for a release such as `Debian_13`; an empty text if it knows none such."""
    try:
        return roles.of_release(role, release, name)
    except FileNotFoundError:
        return ""


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "changed_texts": changed_texts,
            "misspelt_variables": misspelt_variables,
            "release_problems": release_problems,
            "release_value": release_value,
            "role_defaults": roles.defaults,
            "role_has": roles.has,
            "role_options": role_options,
            "role_packages": role_packages,
            "role_releases": role_releases,
            "warned": warned,
        }
