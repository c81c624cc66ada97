"""What a user wrote, read by a table of options: in plain types, with every default filled in, and each mistake named.

A table (`Spec`) has Ansible's own words for an option (`type`, `elements`, `required`, `choices`, `default`, `no_log`,
`options`), and beside them

- `description`: for the documents, and for the message about an option that is missing,
- `example`: how to write it, for the message about one that is written otherwise,
- `words`: a list that may be written as one line, which is split the way a shell would, without one,
- `or_options`: the options of a dictionary that may stand in place of one of the `choices`,
- `address`: a port, so that `8000:8000` is answered with what to write rather than with "not a whole number".

Nothing here quotes a value that stands under a `no_log` option.
"""

from __future__ import annotations

import difflib
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Spec = dict[str, dict[str, Any]]
Item = dict[str, Any]

LARGEST_PORT = 65535
PUBLIC = (
    "would be reachable from everywhere: Docker's own firewall rules let published ports past ufw. Containers are "
    "published on a loopback address only (127.0.0.1 or ::1); put nginx in front of it for the world"
)

_EXPECTED = {
    "str": "text (put it in quotes)",
    "int": "a whole number",
    "float": "a number",
    "bool": "`true` or `false`",
    "list": "a list",
    "dict": "a dictionary of names and values",
}
_ANSIBLE_KEYS = ("type", "elements", "required", "choices", "no_log", "default")


class InvalidInputError(ValueError):
    """The input can't be used; the message has one line for each thing that is wrong."""


def near(key: str, allowed: Iterable[str]) -> str:
    """What may stand in place of an unknown key: the one that looks like it, or all of them."""
    names = sorted(allowed)
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"allowed are {', '.join(names)}"


def twice(values: Iterable[Any]) -> list[Any]:
    """The values that occur more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


def plain(value: Any) -> Any:
    """The same in Python's own dictionaries, lists and strings.

    On the controller values are of Ansible's own types, which remember where they come from: copying takes a hundred
    times as long.
    """
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return str.__str__(value) if isinstance(value, str) else value


def text(value: Any) -> str | None:
    """Text or a number as text; None for what is neither. YAML's true is not "True": the user has to say what it is."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def number(value: Any, kind: type[int] | type[float]) -> int | float | None:
    """The value as a number of that kind, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = kind(value)
    except ValueError:
        return None
    return None if kind is int and isinstance(value, float) and value != found else found


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.get(str(value).lower())


# How a value is read as each kind; None where it can't be.
_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "str": text,
    "bool": _flag,
    "int": lambda value: number(value, int),
    "float": lambda value: number(value, float),
}


def port_problem(key: str, value: Any) -> str | None:
    """What is wrong with a port as the user wrote it, where it is an address or out of range."""
    shown = str(value)
    if ":" in shown or "." in shown:
        return (
            f"`{key}: {shown}` is an address, not a port: write the port alone, `{key}: 8000` for instance. "
            f"A port published on another address {PUBLIC}"
        )
    found = number(value, int)
    if found is not None and not 1 <= found <= LARGEST_PORT:
        return f"`{key}: {shown}` is out of range: 1 to {LARGEST_PORT}"
    return None


def _wrong(value: Any, field: Mapping[str, Any], key: str, label: str) -> str:
    shown = "" if field.get("no_log") or isinstance(value, Mapping | list | tuple) else f": {value}"
    if "choices" in field and not isinstance(value, Mapping | list | tuple):
        return f"{label}{shown}`: allowed are {', '.join(str(choice) for choice in field['choices'])}"
    example = f": write `{key}: {field['example']}`" if "example" in field else ""
    return f"{label}{shown}` is not {_EXPECTED[field['type']]}{example}"


def _list(key: str, value: Any, field: Mapping[str, Any], where: str) -> tuple[Any, list[str]]:
    label = f"{where}: `{key}"
    if isinstance(value, str) and field.get("words"):
        try:
            return shlex.split(value), []
        except ValueError as error:
            return None, [f"{label}: {value}`: {error}"]
    if not isinstance(value, list | tuple):
        return None, [_wrong(value, field, key, label)]
    element = {**field, "type": field["elements"]}
    pairs = [_single(key, part, element, where, f"{label}` item `{number}") for number, part in enumerate(value, 1)]
    return [part for part, _ in pairs], [problem for _, problems in pairs for problem in problems]


def _single(key: str, value: Any, field: Mapping[str, Any], where: str, label: str) -> tuple[Any, list[str]]:
    """`label` names the option and is open at its end, so that the value can stand inside of the quotes."""
    kind = field["type"]
    address = port_problem(key, value) if field.get("address") else None
    if address:
        return None, [f"{where}: {address}"]
    if "or_options" in field and isinstance(value, Mapping):
        return shape(value, field["or_options"], f"{label}`")
    found: Any = None
    if kind == "dict" and isinstance(value, Mapping):
        if "options" in field:
            return shape(value, field["options"], f"{label}`")
        found = {str(name): part for name, part in value.items()}
    elif kind in _SIMPLE:
        found = _SIMPLE[kind](value)
    if found is None or found not in field.get("choices", [found]):
        return None, [_wrong(value, field, key, label)]
    return found, []


def _field(key: str, value: Any, field: Mapping[str, Any], where: str) -> tuple[Any, list[str]]:
    """One option's value in plain types, and what is wrong with it."""
    if field["type"] == "list":
        return _list(key, value, field, where)
    return _single(key, value, field, where, f"{where}: `{key}")


def shape(value: Mapping[str, Any], spec: Spec, where: str) -> tuple[Item, list[str]]:
    """The options in plain types with every default filled in, and what is wrong with their form.

    Args:
        value: the options as the user wrote them; an option that is null counts as left out.
        spec: what is allowed, `releases.options.APP` for instance.
        where: what the messages begin with; it names an app, for instance.
    """
    problems = [f"{where}: unknown key `{key}`: {near(str(key), spec)}" for key in value if key not in spec]
    found: Item = {}
    for key, field in spec.items():
        given = value.get(key)
        if given is not None:
            found[key], wrong = _field(key, given, field, where)
            problems += wrong
        elif field.get("required"):
            problems.append(f"{where}: `{key}` is missing: {field['description']}")
        elif "options" in field and field["type"] == "dict":
            found[key], _ = shape({}, field["options"], where)
        else:
            default = field.get("default")
            # The caller may change what it gets; the table stays as it is.
            found[key] = default.copy() if isinstance(default, list | dict) else default
    return found, problems


def argument_spec(spec: Spec) -> Spec:
    """The spec as AnsibleModule takes it: no descriptions, and a dict of options gets its defaults by itself."""
    found: Spec = {}
    for key, field in spec.items():
        found[key] = {name: field[name] for name in _ANSIBLE_KEYS if name in field}
        if field.get("words"):
            # Ansible would split a line at its commas.
            found[key] = {"type": "raw", "default": field["default"]}
        if "options" in field:
            found[key]["options"] = argument_spec(field["options"])
            if field["type"] == "dict":
                found[key].pop("default", None)
                found[key]["apply_defaults"] = True
    return found
