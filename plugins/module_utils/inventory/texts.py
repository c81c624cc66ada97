"""Texts that YAML changed, before anything is done with them: an app that is to run as `33:33` would run as user 2013.

Runs on the controller alone, where values still remember where they come from. A table of options says where text is
meant and where a number.

A number is taken for text where it says the very letters that stand in the file (`WORKERS: 4`, `RATIO: 0.5`). Of one
whose letters can't be compared

- a whole number is taken, unless it stands in an encrypted file: JSON and templates know no other way to write it,
- any other is not: `24.10` and `24.1` are the same number everywhere.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.inventory import roles, written
from ansible_collections.portside.vps.plugins.module_utils.inventory.app_spec import APP, SETTINGS
from ansible_collections.portside.vps.plugins.module_utils.inventory.written import Written
from ansible_collections.portside.vps.plugins.module_utils.releases import options
from ansible_collections.portside.vps.plugins.module_utils.shape import Spec, plain

# Free-form dictionaries whose values nobody may read, beside those that are declared as secret.
SECRET = {"credentials", "options", "portside_diagnose_secrets", "secrets", "users"}
# What is no text: Docker's own file of options is JSON.
JSON = {"docker_daemon_options"}
# What an item of a list is called in messages, where it has a name.
ITEMS = {"portside_apps": "app", "docker_app_list": "app", "nginx_sites": "site"}


@dataclass(frozen=True)
class _Spot:
    """Where in the inventory a value stands.

    Attributes:
        path: keys and positions that lead to it.
        where: what messages begin with.
        label: the option's name there, with those it lies below.
        secret: whether no message may quote it.
    """

    path: tuple[Any, ...]
    where: str
    label: str
    secret: bool = False

    def below(self, key: Any) -> _Spot:
        """The spot of an option of this one."""
        return replace(self, path=(*self.path, key), label=f"{self.label}.{key}" if self.label else str(key))


def _reading(value: Any) -> str:
    """What YAML took it for."""
    if value is None:
        return "no value at all"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, datetime.date):
        return f"the date {value}"
    return "something that is no text"


def _means_itself(value: Any, found: Written) -> bool:
    """Whether a value that isn't text stands for its own letters."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if found.text is not None:
        return found.text == str(value)
    return isinstance(value, int) and not found.encrypted


class _Walk:
    """One walk through variables and their table of options; `problems` has what was found.

    Args:
        raw: the variables as Ansible hands them over.
    """

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self.problems: list[str] = []

    def _say(self, spot: _Spot, words: str, found: Written) -> None:
        self.problems.append(f"{spot.where}: `{spot.label}{words}{f' ({found.place})' if found.place else ''}")

    def _written(self, value: Any, spot: _Spot) -> Written:
        return written.scalar(value, written.follow(self.raw, spot.path[:-1]), spot.path[-1])

    def text(self, value: Any, spot: _Spot) -> None:
        """A scalar that is to be text."""
        if isinstance(value, str):
            return
        found = self._written(value, spot)
        if _means_itself(value, found):
            return
        if spot.secret:
            self._say(
                spot, "` stands there without quotes, and YAML makes something else of it: write it in quotes", found
            )
            return
        shown = found.text or ("" if value is None else str(value).lower() if isinstance(value, bool) else str(value))
        key = spot.path[-1] if isinstance(spot.path[-1], str) else None
        quoted = f'`{key}: "{shown}"`' if key else f'`"{shown}"`'
        if found.text is None:
            words = f"` is read by YAML as {_reading(value)}: write what you mean in quotes, {quoted} for instance"
        else:
            head = f": {shown}`" if key else f"` `{shown}`"
            words = f"{head} is read by YAML as {_reading(value)}: write it in quotes, {quoted}"
        self._say(spot, words, found)

    def number(self, value: Any, spot: _Spot) -> None:
        """A scalar that is to be a number. An hour and minutes, or one that begins with 0, hardly anybody means so."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return
        found = self._written(value, spot)
        letters = found.text or ""
        if ":" in letters:
            self._say(
                spot, f": {letters}` is read by YAML as the number {value} (base 60): write it without a colon", found
            )
        elif re.fullmatch(r"[-+]?0[0-7_]*[1-7][0-7_]*", letters):
            words = f": {letters}` is read by YAML as the number {value} (base 8): write it without the leading zero"
            self._say(spot, words, found)

    def name(self, key: Any, value: Any, spot: _Spot) -> None:
        """A key of a free-form dictionary."""
        if isinstance(key, str):
            return
        found = written.key(key, value, written.follow(self.raw, spot.path))
        if not _means_itself(key, found):
            shown = found.text or str(key)
            words = f'`: the name `{shown}` is read by YAML as {_reading(key)}: write it in quotes, `"{shown}": ...`'
            self._say(spot, words, found)

    def free(self, value: Mapping[Any, Any], spot: _Spot) -> None:
        """A dictionary of names and texts."""
        raw = written.follow(self.raw, spot.path)
        for key in raw:
            self.name(key, raw[key], spot)
        for key, item in value.items():
            if isinstance(key, str) and not isinstance(item, Mapping | list):
                self.text(item, spot.below(key))

    def option(self, value: Any, field: Mapping[str, Any], spot: _Spot) -> None:
        """The value of an option; null is an option that is left out."""
        kind = field.get("type", "str")
        if field.get("no_log") or spot.path[-1] in SECRET:
            spot = replace(spot, secret=True)
        if isinstance(value, Mapping):
            if nested := field.get("options") or field.get("or_options"):
                self.options(value, nested, spot)
            elif kind == "dict" and spot.label not in JSON:
                self.free(value, spot)
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                self.item(item, {**field, "type": field.get("elements", "str")}, number, spot)
        elif value is not None and kind in {"int", "float"}:
            self.number(value, spot)
        elif value is not None and kind in {"str", "path"}:
            self.text(value, spot)

    def item(self, item: Any, field: Mapping[str, Any], number: int, spot: _Spot) -> None:
        """An item of a list."""
        label = f"{spot.label}` item `{number + 1}"
        own = replace(spot, path=(*spot.path, number), label=label)
        if isinstance(item, Mapping):
            name = item.get("name") if len(spot.path) == 1 else None
            # An item of one of the inventory's own lists is a thing of its own.
            if name and spot.label in ITEMS:
                own = replace(own, where=f"{ITEMS[spot.label]} `{name}`", label="")
            self.option(item, field, own)
        elif field["type"] in {"int", "float"}:
            self.number(item, own)
        elif field["type"] != "dict":
            self.text(item, own)

    def options(self, value: Mapping[Any, Any], spec: Spec, spot: _Spot) -> None:
        """The options of a dictionary; unknown ones are for others to name."""
        for key, item in value.items():
            if key in spec:
                self.option(item, spec[key], spot.below(key))


def _with_items(spec: Spec, items: Mapping[str, Spec]) -> Spec:
    """The table with the options of items for lists that have them elsewhere."""
    return {name: {**field, "options": items[name]} if name in items else field for name, field in spec.items()}


def role_spec(role: str) -> Spec:
    """The options of a role, with those of items that its argument spec leaves to the role itself."""
    return _with_items(roles.options(role), {"docker_app_list": options.APP, "docker_app_registries": options.REGISTRY})


def site_spec(role_names: Iterable[str]) -> Spec:
    """The collection's settings and the options of the named roles."""
    items = {"portside_apps": APP, "portside_firewall_rules": roles.options("ufw")["ufw_rules"]["options"]}
    settings = {
        name: {**field, **({"options": items[name]} if name in items else {})} for name, field in SETTINGS.items()
    }
    return {**settings, **{name: field for role in role_names for name, field in role_spec(role).items()}}


def problems(settings: Mapping[str, Any], spec: Spec) -> list[str]:
    """A sentence for each text of the inventory that YAML changed, and for each number that hardly anybody means so.

    Args:
        settings: variables as Ansible hands them to a filter.
        spec: what is known of them, by name.
    """
    walk = _Walk(settings)
    walk.options(plain(settings), spec, _Spot((), "the inventory", ""))
    return walk.problems
