"""What a container is told, checked: environment, volumes, rights, log."""

from __future__ import annotations

import ipaddress
import re

from ansible_collections.portside.vps.plugins.module_utils.masking import SHORTEST
from ansible_collections.portside.vps.plugins.module_utils.releases import container_body, mounts, rights
from ansible_collections.portside.vps.plugins.module_utils.shape import Item, near, text, twice

# Docker takes any name; the shell, and people, don't.
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# capabilities(7): all of them look like this, and the list grows with the kernel.
CAPABILITY = re.compile(r"(CAP_)?[A-Z]+(_[A-Z]+)*")
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
LEAST_MEMORY = 6 << 20


def problems(app: Item) -> list[str]:
    """What an app of the right form says of its container that can't be done. Values of variables become text.

    Args:
        app: the app as `shape` left it.
    """
    found = [*_environment(app), *_mounts(app), *_limits(app), *_names(app), *_texts(app)]
    unknown = [name for name in app["cap_add"] if not CAPABILITY.fullmatch(name)]
    found += [
        f"`cap_add` item `{name}` is not a capability such as `NET_BIND_SERVICE` (capabilities(7))" for name in unknown
    ]
    found += [] if unknown else rights.problems(app)
    if not re.fullmatch(r"[1-9][0-9]*[kmg]?", app["log"]["max_size"]):
        found.append(f"`log.max_size: {app['log']['max_size']}` is not a size such as `10m`")
    if app["log"]["max_file"] < 1:
        found.append(f"`log.max_file: {app['log']['max_file']}` is out of range: at least 1")
    return found


def _mounts(app: Item) -> list[str]:
    found = []
    targets: list[str] = [container_body.SECRETS] if app["secrets_as"] == "files" else []
    for volume in app["volumes"]:
        mount = mounts.parse(volume)
        if mount is None:
            found.append(
                f"`volumes` item `{volume}`: write `name:/path/in/container` or `/path/on/server:/path/in/container`, "
                "with `:ro` behind it for read-only"
            )
            continue
        targets.append(mount.target)
        unknown = mount.flags - mounts.FLAGS
        if unknown:
            found.append(
                f"`volumes` item `{volume}`: unknown flag `{', '.join(sorted(unknown))}`: "
                f"allowed are {', '.join(sorted(mounts.FLAGS))}"
            )
    found += _owners(app)
    for memory in app["tmpfs"]:
        path, _, options = memory.partition(":")
        if not re.fullmatch(r"/[^\s,:]*[^\s,:/]", path) or not re.fullmatch(r"[\w=,%-]*", options):
            found.append(f"`tmpfs` item `{memory}`: write `/path`, or `/path:size=64m,mode=1777`")
        targets.append(path.rstrip("/"))
    return [*found, *(f"`volumes` and `tmpfs`: {target} is mounted more than once" for target in twice(targets))]


def _owners(app: Item) -> list[str]:
    found = []
    sources = {volume.partition(":")[0] for volume in app["volumes"]}
    for source, owner in app["volume_owners"].items():
        if source not in sources:
            found.append(f"`volume_owners`: `{source}` is not one of `volumes`: {near(source, sources)}")
        if not mounts.OWNER.fullmatch(str(owner)):
            found.append(
                f'`volume_owners`: `{source}: {owner}`: write numbers in quotes, `{source}: "1000:1000"`: the names of '
                "users are known in the image alone"
            )
        else:
            app["volume_owners"][source] = str(owner)
    return found


def _limits(app: Item) -> list[str]:
    found = []
    for key in ("memory", "shm_size"):
        if app[key] and not re.fullmatch(r"[1-9][0-9]*[bkmg]", app[key], re.IGNORECASE):
            found.append(f"`{key}: {app[key]}` is not a size with its unit such as `512m` or `2g`")
    # The daemon's own limit: daemon/daemon_unix.go, linuxMinMemory.
    if app["memory"] and not found and container_body.size(app["memory"]) < LEAST_MEMORY:
        found.append(f"`memory: {app['memory']}` is too little: Docker wants 6m at least")
    if not 0 <= app["cpus"] <= 1024:
        found.append(f"`cpus: {app['cpus']:g}` is out of range: a number of cores such as `0.5`, or 0 for no limit")
    if app["pids"] < 0:
        found.append(f"`pids: {app['pids']}` is out of range: 1 or more, or 0 for no limit")
    for name, value in app["ulimits"].items():
        if not re.fullmatch(r"[a-z]+", name) or not re.fullmatch(r"(-1|[0-9]+)(:(-1|[0-9]+))?", str(value)):
            found.append(f'`ulimits`: `{name}: {value}`: write `{{nofile: 65536}}`, or `{{nofile: "1024:65536"}}`')
    if app["stop_signal"] and not re.fullmatch(r"SIG[A-Z0-9+-]+|[1-9][0-9]?", app["stop_signal"]):
        found.append(f"`stop_signal: {app['stop_signal']}` is not a signal such as `SIGQUIT` (signal(7))")
    return found


def _names(app: Item) -> list[str]:
    found = [
        f"`networks` item `{name}`: a name takes a-z, 0-9 and inner hyphens, at most 40 characters"
        for name in app["networks"]
        if not NAME.fullmatch(name)
    ]
    found += [f"`networks`: `{name}` stands there twice" for name in twice(app["networks"])]
    if app["user"] and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?", app["user"]):
        found.append(f'`user: {app["user"]}`: write a name or a number, and the group behind a colon: `"10001:10001"`')
    found += _hostname(app)
    if app["workdir"] and not app["workdir"].startswith("/"):
        found.append(f"`workdir: {app['workdir']}` is not an absolute path")
    for name, address in app["extra_hosts"].items():
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", name) or not _is_address(address):
            found.append(f"`extra_hosts`: `{name}: {address}`: write a name and an address, or `host-gateway`")
    return found


def _hostname(app: Item) -> list[str]:
    """Labels as RFC 1123 has them, 63 characters at most; Linux has room for 64 in all (hostname(7))."""
    name = app["hostname"]
    label = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
    room = 63 - (len(f"-{app['replicas']}") if app["replicas"] > 1 else 0)
    if not name or (re.fullmatch(rf"{label}(\.{label})*", name) and len(name) <= room):
        return []
    return [f"`hostname: {name}` is not a host name: letters, digits and inner hyphens, at most {room} characters"]


def _is_address(value: object) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return value == "host-gateway"
    return True


def _texts(app: Item) -> list[str]:
    """Values that Docker wants as text, where YAML makes numbers of them."""
    found = []
    for kind in ("labels", "ulimits", "extra_hosts"):
        for key, value in app[kind].items():
            said = text(value)
            if said is None:
                found.append(f'`{kind}`: `{key}` must be text or a number: write it in quotes, `{key}: "..."`')
            else:
                app[kind][key] = said
    found += [
        f"`labels`: `{key}`: labels that begin with `portside.` are the engine's own"
        for key in app["labels"]
        if key.startswith("portside.")
    ]
    return found


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
        # https://learn.microsoft.com/aspnet/core/fundamentals/configuration: two underscores stand for a colon.
        nested = key.replace(":", "__")
        cure = f": write `{nested}`, which .NET reads alike" if ":" in key and ENV_NAME.fullmatch(nested) else ""
        return f"`{kind}`: `{key}` is not the name of an environment variable{cure}"
    if value is None:
        # A variable that is not set is no reason to start the app without it.
        return f"`{kind}`: `{key}` has no value"
    if said is None or "\0" in said:
        # YAML's true would arrive as "True": the user has to say what the program should read.
        return f'`{kind}`: `{key}` must be text or a number: write it in quotes, `{key}: "..."`'
    if kind == "secrets" and len(said) < SHORTEST:
        return (
            f"`secrets`: the value of `{key}` is shorter than {SHORTEST} characters, and a text so short occurs in "
            "messages by chance, so that it can't be kept out of them: put it under `env`, or take a longer one"
        )
    return None
