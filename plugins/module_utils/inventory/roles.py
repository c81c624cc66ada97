"""What a role of this collection says of itself, read from its files."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.portside.vps.plugins.module_utils.inventory import variables
from ansible_collections.portside.vps.plugins.module_utils.shape import plain

ROLES = Path(__file__).resolve().parents[3] / "roles"


# libyaml reads these files ten times as fast; a Python without it has the other.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@functools.cache
def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), LOADER)  # noqa: S506  # both are safe loaders


def preload() -> None:
    """Read what every role says of itself, so that processes forked afterwards need not."""
    for role in names():
        options(role)


def names() -> list[str]:
    """All roles of the collection."""
    return sorted(path.parent.parent.name for path in ROLES.glob("*/meta/argument_specs.yml"))


def options(role: str) -> dict[str, Any]:
    """The options of the role's `main` entry point, as its argument spec declares them.

    Raises:
        FileNotFoundError: there is no such role.
    """
    return dict(_read(ROLES / role / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {}))


def defaults(role: str) -> dict[str, Any]:
    """The role's variables and their defaults; a variable without one is left out."""
    return {name: option["default"] for name, option in options(role).items() if "default" in option}


def all_defaults() -> dict[str, Any]:
    """The variables of all roles and their defaults."""
    return {name: default for role in names() for name, default in defaults(role).items()}


def of_release(role: str, release: str, name: str) -> Any:
    """The value of `__<role>_<name>` in a role's variables for a release.

    Raises:
        FileNotFoundError: the role doesn't know the release.
    """
    return _read(ROLES / role / "vars" / f"{release}.yml")[f"__{role}_{name}"]


def packages(role: str, release: str) -> list[str]:
    """The Debian packages the role installs on a release such as `Debian_13`.

    Raises:
        FileNotFoundError: the role doesn't know the release.
    """
    return list(of_release(role, release, "packages"))


def has(role: str, feature: str, release: str) -> bool:
    """Whether what the role installs on a release such as `Debian_13` has the feature, `http3` for instance.

    Raises:
        FileNotFoundError: the role doesn't know the release.
    """
    return bool(of_release(role, release, f"has_{feature}"))


def releases(wanted: Iterable[str]) -> list[str]:
    """The operating system releases that all the wanted roles know, `Debian_13` for instance."""
    known = [{path.stem for path in (ROLES / role / "vars").glob("*_*.yml")} for role in wanted]
    return sorted(set.intersection(*known)) if known else []


def misspelt(variable_names: Iterable[str], role: str) -> list[str]:
    """One sentence for each name that looks like a variable of the role but isn't one."""
    longer = [f"{other}_" for other in names() if other.startswith(f"{role}_")]
    return variables.misspelt(variable_names, list(options(role)), f"{role}_", longer)


def wrong_values(values: Mapping[str, Any], role: str) -> list[str]:
    """One sentence for each of the role's variables whose value isn't what its argument spec takes."""
    spec = {name: {**option, "required": False} for name, option in options(role).items() if name in values}
    result = ArgumentSpecValidator(spec).validate({name: plain(values[name]) for name in spec})
    return [f"role {role}: {message}" for message in result.error_messages]
