"""What a container is told, checked: environment, volumes, rights, log."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ansible_collections.portside.vps.plugins.module_utils.shape import Item, text, twice

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


def problems(app: Item) -> list[str]:
    """What an app of the right form says of its container that can't be done. Values of variables become text.

    Args:
        app: the app as `shape` left it.
    """
    found = [*_environment(app), *_volumes(app["volumes"])]
    found += [
        f"`cap_add` item `{name}` is not a capability such as `NET_BIND_SERVICE` (capabilities(7))"
        for name in app["cap_add"]
        if not CAPABILITY.fullmatch(name)
    ]
    if not re.fullmatch(r"[1-9][0-9]*[kmg]?", app["log"]["max_size"]):
        found.append(f"`log.max_size: {app['log']['max_size']}` is not a size such as `10m`")
    if app["log"]["max_file"] < 1:
        found.append(f"`log.max_file: {app['log']['max_file']}` is out of range: at least 1")
    return found


def _volumes(volumes: Iterable[str]) -> list[str]:
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
    return [*found, *(f"`volumes`: {target} is mounted more than once" for target in twice(targets))]


def _environment(app: Item) -> list[str]:
    found = []
    for kind in ("env", "secrets"):
        for key, value in app[kind].items():
            problem = _variable_problem(kind, key, value)
            if problem:
                found.append(problem)
            else:
                app[kind][key] = text(value)
    return [
        *found,
        *(f"`{key}` stands in both `env` and `secrets`" for key in sorted({*app["env"]} & {*app["secrets"]})),
    ]


def _variable_problem(kind: str, key: str, value: object) -> str | None:
    said = text(value)
    if not ENV_NAME.fullmatch(key):
        return f"`{kind}`: `{key}` is not the name of an environment variable"
    if value is None:
        # A variable that is not set is no reason to start the app without it.
        return f"`{kind}`: `{key}` has no value"
    if said is None or "\0" in said:
        # YAML's true would arrive as "True": the user has to say what the program should read.
        return f'`{kind}`: `{key}` must be text or a number: write it in quotes, `{key}: "..."`'
    if kind == "secrets" and len(said) < SHORTEST_SECRET:
        return (
            f"`secrets`: the value of `{key}` is shorter than {SHORTEST_SECRET} characters; Ansible would mask "
            "that text wherever it occurs: put it under `env`, or take a longer one"
        )
    return None
