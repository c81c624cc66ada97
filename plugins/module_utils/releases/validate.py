"""Bad input named before anything is changed: which app, which key, what is allowed there.

Nothing here quotes a value that stands under a `no_log` option.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.releases.options import APP, REGISTRY, Spec

Item = dict[str, Any]

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
# The grammar of image references: github.com/distribution/reference, reference.go.
IMAGE = re.compile(
    r"(?:(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]+)?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?"
)
IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
VOLUME = re.compile(
    r"(?P<source>/[^:\s]*|[A-Za-z0-9][A-Za-z0-9_.-]*):(?P<target>/[^:\s]*)(?::(?P<flags>[A-Za-z]+(?:,[A-Za-z]+)*))?"
)
VOLUME_FLAGS = frozenset(
    ["ro", "rw", "nocopy", "z", "Z", "shared", "rshared", "slave", "rslave", "private", "rprivate"]
)
# Docker takes any name; the shell, and people, don't.
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# capabilities(7): all of them look like this, and the list grows with the kernel.
CAPABILITY = re.compile(r"(CAP_)?[A-Z]+(_[A-Z]+)*")
# A value this short occurs everywhere, and everywhere it occurs Ansible would mask it.
SHORTEST_SECRET = 6
LARGEST_PORT = 65535

PUBLIC = (
    "would be reachable from everywhere: Docker's own firewall rules let published ports past ufw. Containers are "
    "published on a loopback address only (127.0.0.1 or ::1); put nginx in front of it for the world"
)


class InvalidInputError(ValueError):
    """The input can't be used; the message has one line for each thing that is wrong."""


def _near(key: str, allowed: Iterable[str]) -> str:
    names = sorted(allowed)
    close = difflib.get_close_matches(key, names, n=1)
    return f"did you mean `{close[0]}`?" if close else f"allowed are {', '.join(names)}"


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def _number(value: Any, kind: type[int] | type[float]) -> int | float | None:
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


_EXPECTED = {
    "str": "text (put it in quotes)",
    "int": "a whole number",
    "float": "a number",
    "bool": "`true` or `false`",
    "list": "a list",
    "dict": "a dictionary of names and values",
}


# How a value is read as each kind; None where it can't be.
_SIMPLE: dict[str, Callable[[Any], Any]] = {
    "str": _text,
    "bool": _flag,
    "int": lambda value: _number(value, int),
    "float": lambda value: _number(value, float),
}


def _field(value: Any, field: Mapping[str, Any], where: str) -> tuple[Any, list[str]]:
    """One option's value in plain types, and what is wrong with it; `where` names app and key."""
    kind = field["type"]
    shown = "" if field.get("no_log") or isinstance(value, Mapping | list) else f": {value}"
    wrong = [f"{where[:-1]}{shown}` is not {_EXPECTED[kind]}"]
    found: Any = None
    if kind == "list" and isinstance(value, list | tuple):
        pairs = [
            _field(item, {**field, "type": field["elements"]}, f"{where} item `{number}`")
            for number, item in enumerate(value, 1)
        ]
        return [item for item, _ in pairs], [problem for _, problems in pairs for problem in problems]
    if kind == "dict" and isinstance(value, Mapping):
        if "options" in field:
            return shape(value, field["options"], where)
        found = {str(key): item for key, item in value.items()}
    elif kind in _SIMPLE:
        found = _SIMPLE[kind](value)
    if found is not None and found not in field.get("choices", [found]):
        wrong = [f"{where[:-1]}{shown}`: allowed are {', '.join(field['choices'])}"]
        found = None
    return found, wrong if found is None else []


def shape(value: Mapping[str, Any], spec: Spec, where: str) -> tuple[Item, list[str]]:
    """The options in plain types with every default filled in, and what is wrong with their form.

    Args:
        value: the options as the user wrote them; an option that is null counts as left out.
        spec: what is allowed, `options.APP` for instance.
        where: what the messages begin with; the text ends in a back quote, or names an app.
    """
    problems = [f"{where}: unknown key `{key}`: {_near(str(key), spec)}" for key in value if key not in spec]
    found: Item = {}
    for key, field in spec.items():
        given = value.get(key)
        if given is None:
            if field.get("required"):
                problems.append(f"{where}: `{key}` is missing: {field['description']}")
            elif "options" in field and field["type"] == "dict":
                found[key], _ = shape({}, field["options"], where)
            else:
                found[key] = field.get("default")
        else:
            found[key], wrong = _field(given, field, f"{where}: `{key}`")
            problems += wrong
    return found, problems


def port_problem(key: str, value: Any) -> str | None:
    """What is wrong with a port as the user wrote it, where it is an address or out of range."""
    text = str(value)
    if ":" in text or "." in text:
        return (
            f"`{key}: {text}` is an address, not a port: write the port alone, `{key}: 8000` for instance. "
            f"A port published on another address {PUBLIC}"
        )
    number = _number(value, int)
    if number is not None and not 1 <= number <= LARGEST_PORT:
        return f"`{key}: {text}` is out of range: 1 to {LARGEST_PORT}"
    return None


def bind_problem(bind: str) -> str | None:
    """What is wrong with the address that a container is published on; loopback is the only one that will do."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return f"`bind: {bind}` is not an address: allowed are 127.0.0.1 (or another of 127.0.0.0/8) and ::1"
    return None if address.is_loopback and str(address) == bind else f"`bind: {bind}`: the container {PUBLIC}"


def image_problem(image: str) -> str | None:
    """What is wrong with an image reference."""
    if IMAGE.fullmatch(image) or IMAGE_ID.fullmatch(image):
        return None
    return f"`image: {image}` is not an image reference such as `ghcr.io/acme/shop-api:1.4.2`"


def _volume_problems(volumes: Iterable[str]) -> list[str]:
    found = []
    targets: list[str] = []
    for volume in volumes:
        parts = VOLUME.fullmatch(volume)
        if parts is None or parts["target"].rstrip("/") == "":
            found.append(
                f"`volumes` item `{volume}`: write `name:/path/in/container` or `/path/on/server:/path/in/container`, "
                "with `:ro` behind it for read-only"
            )
            continue
        targets.append(parts["target"].rstrip("/"))
        unknown = set((parts["flags"] or "rw").split(",")) - VOLUME_FLAGS
        if unknown:
            found.append(
                f"`volumes` item `{volume}`: unknown flag `{', '.join(sorted(unknown))}`: "
                f"allowed are {', '.join(sorted(VOLUME_FLAGS))}"
            )
    return [*found, *(f"`volumes`: {target} is mounted more than once" for target in _twice(targets))]


def _environment(app: Item) -> list[str]:
    """Checks `env` and `secrets`, and turns their values into text."""
    found = []
    for kind in ("env", "secrets"):
        for key, value in app[kind].items():
            text = _text(value)
            if not ENV_NAME.fullmatch(key):
                found.append(f"`{kind}`: `{key}` is not the name of an environment variable")
            elif text is None or "\0" in text:
                # YAML's true would arrive as "True": the user has to say what the program should read.
                found.append(f'`{kind}`: `{key}` must be text or a number: write it in quotes, `{key}: "..."`')
            elif kind == "secrets" and len(text) < SHORTEST_SECRET:
                found.append(
                    f"`secrets`: the value of `{key}` is shorter than {SHORTEST_SECRET} characters; Ansible would mask "
                    "that text wherever it occurs: put it under `env`, or take a longer one"
                )
            else:
                app[kind][key] = text
    return [
        *found,
        *(f"`{key}` stands in both `env` and `secrets`" for key in sorted({*app["env"]} & {*app["secrets"]})),
    ]


def _health_problems(health: Item) -> list[str]:
    found = []
    if not re.fullmatch(r"/[^\s\x00-\x1f\x7f]*", health["path"]):
        found.append(f"`health.path: {health['path']}` must begin with / and hold no white space")
    if not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", health["host"]):
        found.append(f"`health.host: {health['host']}` is not a host name")
    if not health["status"]:
        found.append("`health.status` is empty: list the statuses that count as healthy, `[200]` for instance")
    found += [
        f"`health.status: {status}` is not an HTTP status: 100 to 599"
        for status in health["status"]
        if not 100 <= status <= 599
    ]
    limits = {
        "interval": (0.05, 60),
        "timeout": (1, 3600),
        "request_timeout": (0.1, 600),
        "successes": (1, 100),
        "grace": (0, 600),
    }
    found += [
        f"`health.{key}: {health[key]:g}` is out of range: {least:g} to {most:g}"
        for key, (least, most) in limits.items()
        if not least <= health[key] <= most
    ]
    return found


def _command(app: Item, raw: Mapping[str, Any]) -> list[str]:
    """A command written as one line is split the way a shell would, without one."""
    if not isinstance(raw.get("command"), str):
        return []
    try:
        app["command"] = shlex.split(raw["command"])
    except ValueError as error:
        return [f"`command: {raw['command']}`: {error}"]
    return []


def _ports(app: Item) -> list[str]:
    found = [port_problem("host_ports", port) for port in app["host_ports"]]
    if len(app["host_ports"]) > 2 or _twice(app["host_ports"]):
        found.append(
            "`host_ports` takes two different ports (or one: the old release is then stopped before the new one starts)"
        )
    if app["port"] is None:
        found += [
            f"`{key}` needs `port`, the one the app listens on inside its container"
            for key in ("host_ports", "upstream_file")
            if app[key]
        ]
    return [problem for problem in found if problem]


def _problems(app: Item) -> list[str]:
    """What a single app of the right form says that can't be done."""
    found: list[str | None] = []
    if not NAME.fullmatch(app["name"]):
        found.append("`name` takes a-z, 0-9 and inner hyphens, at most 40 characters")
    if app["state"] == "absent":
        return [problem for problem in found if problem]
    if app["image"] is None:
        found.append(f"`image` is missing: {APP['image']['description'].partition(' Needed')[0]}")
    else:
        found.append(image_problem(app["image"]))
    found.append(bind_problem(app["bind"]))
    found += _ports(app)
    found += _health_problems(app["health"])
    found += _environment(app)
    found += _volume_problems(app["volumes"])
    found += [
        f"`cap_add` item `{name}` is not a capability such as `NET_BIND_SERVICE` (capabilities(7))"
        for name in app["cap_add"]
        if not CAPABILITY.fullmatch(name)
    ]
    found += [
        f"`{key}: {app[key]:g}` is out of range: 0 to 3600"
        for key in ("stop_timeout", "drain")
        if not 0 <= app[key] <= 3600
    ]
    if app["upstream_file"] and not app["upstream_file"].startswith("/"):
        found.append(f"`upstream_file: {app['upstream_file']}` is not an absolute path")
    if not re.fullmatch(r"[1-9][0-9]*[kmg]?", app["log"]["max_size"]):
        found.append(f"`log.max_size: {app['log']['max_size']}` is not a size such as `10m`")
    if app["log"]["max_file"] < 1:
        found.append(f"`log.max_file: {app['log']['max_file']}` is out of range: at least 1")
    return [problem for problem in found if problem]


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def _clashes(apps: list[Item]) -> list[str]:
    """What two apps may not share."""
    found = [
        f"two apps are called `{name}`: every app needs a name of its own" for name in _twice(a["name"] for a in apps)
    ]
    present = [app for app in apps if app["state"] == "present"]
    fixed = [(app["bind"], port, app["name"]) for app in present for port in app["host_ports"]]
    for bind, port in _twice((bind, port) for bind, port, _ in fixed):
        owners = ", ".join(f"`{name}`" for other, number, name in fixed if (other, number) == (bind, port))
        found.append(f"{bind}:{port} stands under `host_ports` of more than one app: {owners}")
    for path in _twice(app["upstream_file"] for app in present if app["upstream_file"]):
        owners = ", ".join(f"`{app['name']}`" for app in present if app["upstream_file"] == path)
        found.append(f"`upstream_file: {path}` belongs to more than one app: {owners}")
    return found


def _one(number: int, raw: Any) -> tuple[Item, list[str]]:
    if not isinstance(raw, Mapping):
        return {}, [f"item {number} of the list of apps is not a dictionary: it starts with `- name:`"]
    where = f"app `{raw['name']}`" if raw.get("name") else f"item {number} of the list of apps"
    addresses = [port_problem("port", raw["port"])] if raw.get("port") is not None else []
    if any(addresses):
        return {}, [f"{where}: {problem}" for problem in addresses]
    value = {key: item for key, item in raw.items() if not (key == "command" and isinstance(item, str))}
    app, problems = shape(value, APP, where)
    if problems:
        return {}, problems
    return app, [f"{where}: {problem}" for problem in (*_command(app, raw), *_problems(app))]


def apps(raw: Any) -> list[Item]:
    """The apps in plain types with every default filled in.

    Args:
        raw: the value of `docker_app_list`.

    Raises:
        InvalidInputError: with one line for each thing that is wrong, naming the app, the key and what is allowed.
    """
    if not isinstance(raw, list | tuple):
        raise InvalidInputError("the list of apps is not a list: every app starts with `- name:`")
    pairs = [_one(number, item) for number, item in enumerate(raw, 1)]
    problems = [problem for _, found in pairs for problem in found]
    problems = problems or _clashes([app for app, _ in pairs])
    if problems:
        raise InvalidInputError("\n".join(problems))
    return [app for app, _ in pairs]


def strangers(only: Iterable[str], names: Iterable[str]) -> list[str]:
    """What is wrong with a choice of apps: a sentence for each name that no app has."""
    known = sorted(names)
    return [f"no app is called `{name}`: {_near(name, known)}" for name in only if name not in known]


def registries(raw: Any) -> dict[str, dict[str, str]]:
    """The credentials by registry host, in the form of the Docker API's AuthConfig.

    Raises:
        InvalidInputError: with one line for each thing that is wrong; no password is quoted.
    """
    if not isinstance(raw, list | tuple):
        raise InvalidInputError("the registries are not a list: every one starts with `- registry:`")
    problems: list[str] = []
    found: dict[str, dict[str, str]] = {}
    for number, item in enumerate(raw, 1):
        where = f"item {number} of the registries"
        if not isinstance(item, Mapping):
            problems.append(f"{where} is not a dictionary: it starts with `- registry:`")
            continue
        value, wrong = shape(item, REGISTRY, where)
        problems += wrong
        if wrong:
            continue
        host = value["registry"]
        if "/" in host:
            problems.append(f"{where}: `registry: {host}`: write the host alone, as it stands in image references")
        if host in found:
            problems.append(f"{where}: `{host}` stands in the list twice")
        found[host] = {"username": value["username"], "password": value["password"]}
    if problems:
        raise InvalidInputError("\n".join(problems))
    return found


def port_range(text: str) -> range:
    """The ports that may be allocated.

    Args:
        text: the first and the last of them, `18000-18999`.

    Raises:
        InvalidInputError: the text is no range of at least two ports.
    """
    parts = re.fullmatch(r"\s*([0-9]+)\s*-\s*([0-9]+)\s*", text)
    first, last = (int(parts[1]), int(parts[2])) if parts else (0, 0)
    if not 1024 <= first < last <= LARGEST_PORT:
        raise InvalidInputError(
            f"`{text}` is no range of ports: write the first and the last, between 1024 and {LARGEST_PORT}, "
            "as in `18000-18999`"
        )
    return range(first, last + 1)
