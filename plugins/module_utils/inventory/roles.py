"""What a role of this collection says of itself, read from its files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).resolve().parents[3] / "roles"


def names() -> list[str]:
    """All roles of the collection."""
    return sorted(path.parent.parent.name for path in ROLES.glob("*/meta/argument_specs.yml"))


def options(role: str) -> dict[str, Any]:
    """The options of the role's `main` entry point, as its argument spec declares them.

    Raises:
        FileNotFoundError: there is no such role.
    """
    spec = yaml.safe_load((ROLES / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return dict(spec["argument_specs"]["main"].get("options", {}))


def packages(role: str, release: str) -> list[str]:
    """The Debian packages the role installs on a release such as `Debian_13`.

    Raises:
        FileNotFoundError: the role doesn't know the release.
    """
    variables = yaml.safe_load((ROLES / role / "vars" / f"{release}.yml").read_text(encoding="utf-8"))
    return list(variables[f"__{role}_packages"])


def releases() -> list[str]:
    """The operating system releases that every role of the collection knows, `Debian_13` for instance."""
    known = [{path.stem for path in (ROLES / role / "vars").glob("*_*.yml")} for role in names()]
    return sorted(set.intersection(*known)) if known else []
