"""Bad input named before anything is changed: which app, which key, what is allowed there.

Nothing here quotes a value that stands under a `no_log` option.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ansible_collections.portside.vps.plugins.module_utils.releases import containers, order, reference
from ansible_collections.portside.vps.plugins.module_utils.releases.options import APP, REGISTRY
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import registry, spelt_out
from ansible_collections.portside.vps.plugins.module_utils.shape import (
    LARGEST_PORT,
    PUBLIC,
    InvalidInputError,
    Item,
    Spec,
    near,
    shape,
    twice,
)

_TAGGED = re.compile(r"[^@]+:[^@/:]+")


def bind_problem(bind: str) -> str | None:
    """What is wrong with the address that a container is published on; loopback is the only one that will do."""
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return f"`bind: {bind}` is not an address: allowed are 127.0.0.1 (or another of 127.0.0.0/8) and ::1"
    return None if address.is_loopback and str(address) == bind else f"`bind: {bind}`: the container {PUBLIC}"


def _health_problems(health: Item) -> list[str]:
    found = []
    if not re.fullmatch(r"/[^\s\x00-\x1f\x7f]*", health["path"]):
        found.append(f"`health.path: {health['path']}` must begin with / and hold no white space")
    elif not health["path"].isascii():
        # RFC 3986, section 2.5: what is no ASCII goes over the wire as the bytes of UTF-8, each written with a `%`.
        encoded = quote(health["path"], safe="".join(map(chr, range(33, 127))))
        found.append(f"`health.path: {health['path']}` is not ASCII: write it as a browser sends it, `path: {encoded}`")
    if health["host"] is not None and not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", health["host"]):
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


def _ports(app: Item) -> list[str]:
    found = []
    count, replicas = len(app["host_ports"]), app["replicas"]
    if count not in {0, replicas, 2 * replicas} or twice(app["host_ports"]):
        many = "two different ports (or one" if replicas == 1 else f"{2 * replicas} different ports (or {replicas}"
        found.append(f"`host_ports` takes {many}: the old release is then stopped before the new one starts)")
    if app["expose"] == "private":
        found += [
            f"`{key}` needs `expose: public`: a private app is reached by other apps alone, by its name"
            for key in ("host_ports", "upstream_file")
            if app.get(key)
        ]
    elif app["port"] is None:
        found += [
            f"`{key}` needs `port`, the one the app listens on inside its container"
            for key in ("host_ports", "upstream_file")
            if app.get(key)
        ]
    return found


def _strategy(app: Item) -> list[str]:
    found = [
        f"`{key}: {app[key]}` is out of range: {least} to {most}"
        for key, least, most in (("replicas", 1, 32), ("canary", 0, 50))
        if not least <= app[key] <= most
    ]
    if app["canary"] and (app["port"] is None or app["expose"] == "private"):
        found.append("`canary` needs `port` and `expose: public`: it is nginx that shares out the clients")
    elif app["canary"] and (app["strategy"] == "recreate" or len(app["host_ports"]) == app["replicas"]):
        found.append("`canary` needs two releases side by side: no `strategy: recreate`, and twice the `host_ports`")
    return found


def problems(app: Item) -> list[str]:
    """What a single app of the right form says that can't be done."""
    found: list[str | None] = []
    if not containers.NAME.fullmatch(app["name"]):
        found.append("`name` takes a-z, 0-9 and inner hyphens, at most 40 characters")
    if app["state"] == "absent":
        return [problem for problem in found if problem]
    if app["image"] is None:
        found.append(f"`image` is missing: {APP['image']['description'].partition(' Needed')[0]}")
    else:
        found.append(reference.problem(app["image"]))
        if app["image_archive"] and not _TAGGED.fullmatch(app["image"]):
            found.append(
                f"`image: {app['image']}`: with `image_archive` it is the name that the image gets on the server, "
                "`shop:1.4.2` for instance: a name and a tag, no digest"
            )
    if app["renamed_from"] and not containers.NAME.fullmatch(app["renamed_from"]):
        found.append(f"`renamed_from: {app['renamed_from']}` is no name of an app")
    found.append(bind_problem(app["bind"]))
    found += _ports(app)
    found += _strategy(app)
    found += _health_problems(app["health"])
    found += containers.problems(app)
    found += [problem for line in app["before"] if (problem := _before_problem(line))]
    found += [
        f"`{key}: {app[key]:g}` is out of range: 0 to 3600"
        for key in ("stop_timeout", "drain", "before_timeout")
        if not 0 <= app[key] <= 3600
    ]
    front = app.get("front", {}).get("host", "")
    if front and not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", front):
        found.append(f"`front.host: {front}` is not a host name")
    if app.get("upstream_file") and not app["upstream_file"].startswith("/"):
        found.append(f"`upstream_file: {app['upstream_file']}` is not an absolute path")
    return [problem for problem in found if problem]


def _before_problem(line: str) -> str | None:
    try:
        return None if shlex.split(line) else f"`before` item `{line}` is no command"
    except ValueError as error:
        return f"`before` item `{line}`: {error}"


def clashes(apps: list[Item]) -> list[str]:
    """What two apps may not share."""
    found = [
        f"two apps are called `{name}`: every app needs a name of its own" for name in twice(a["name"] for a in apps)
    ]
    present = [app for app in apps if app["state"] == "present"]
    fixed = [(app["bind"], port, app["name"]) for app in present for port in app["host_ports"]]
    for bind, port in twice((bind, port) for bind, port, _ in fixed):
        owners = ", ".join(f"`{name}`" for other, number, name in fixed if (other, number) == (bind, port))
        found.append(f"{bind}:{port} stands under `host_ports` of more than one app: {owners}")
    for path in twice(app["upstream_file"] for app in present if app.get("upstream_file")):
        owners = ", ".join(f"`{app['name']}`" for app in present if app.get("upstream_file") == path)
        found.append(f"`upstream_file: {path}` belongs to more than one app: {owners}")
    return found + _renamed(present) + _retagged(present)


def _renamed(present: list[Item]) -> list[str]:
    """A sentence for each old name that is still somebody's, or that more than one app had."""
    names = {app["name"] for app in present}
    found = [
        f"app `{app['name']}`: `renamed_from: {app['renamed_from']}`: an app of that name is in the list as well"
        for app in present
        if app["renamed_from"] in names
    ]
    former = [app["renamed_from"] for app in present if app["renamed_from"]]
    return found + [f"`renamed_from: {name}` stands at more than one app" for name in twice(former)]


def _retagged(present: list[Item]) -> list[str]:
    """A sentence for each image of an app that the file of another one would replace. One with `pull: never` says that
    it takes what is there."""
    owners = [app for app in present if app["image_archive"] and app["image"]]
    return [
        f"`image: {other['image']}` of app `{other['name']}` would be replaced by the `image_archive` of app "
        f"`{app['name']}`, which has the same name: give that image another one, or `{other['name']}` the same file"
        for app in owners
        for other in present
        if other is not app
        and other["image"]
        and spelt_out(other["image"]) == spelt_out(app["image"])
        and other["image_archive"] != app["image_archive"]
        and not (other["pull"] == "never" and not other["image_archive"])
    ]


def listed(raw: Any, spec: Spec, what: str) -> tuple[list[Item], list[str]]:
    """The apps of a list in plain types, and what is wrong with each of them alone.

    Args:
        raw: what the user wrote.
        spec: what an item may say.
        what: what the messages call the list.
    """
    if not isinstance(raw, list | tuple):
        return [], [f"{what} is not a list: every app starts with `- name:`"]
    found: list[Item] = []
    wrong: list[str] = []
    for number, item in enumerate(raw, 1):
        if not isinstance(item, Mapping):
            wrong.append(f"item {number} of {what} is not a dictionary: it starts with `- name:`")
            continue
        where = f"app `{item['name']}`" if item.get("name") else f"item {number} of {what}"
        app, misshapen = shape(item, spec, where)
        wrong += misshapen or [f"{where}: {problem}" for problem in problems(_completed(app))]
        found.append(app)
    return found, wrong


def apps(raw: Any) -> list[Item]:
    """The apps in plain types with every default filled in.

    Args:
        raw: the value of `docker_app_list`.

    Raises:
        InvalidInputError: with one line for each thing that is wrong, naming the app, the key and what is allowed.
    """
    found, wrong = listed(raw, APP, "the list of apps")
    wrong = wrong or clashes(found)
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return found


def names(apps: Iterable[Mapping[str, Any]]) -> set[str]:
    """What is no secret although a secret may be a part of it: what apps, images and hosts are called, in any form that
    a list of apps may have."""
    found: set[str] = set()
    for app in apps:
        hosts = [(app.get(key) or {}).get("host") for key in ("health", "front")]
        found.update(str(name) for name in (app.get("name"), app.get("image"), *hosts) if name)
    return found


def recorded(item: Item) -> Item:
    """An app as it was declared for a release of the past, completed with the options that came later.

    Whether its values go together was looked at then, and what an option allows may have changed since.

    Raises:
        InvalidInputError: it has not the form of an app.
    """
    found, wrong = shape(item, APP, f"what was kept of app `{item.get('name')}`")
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return _completed(found)


def _completed(app: Item) -> Item:
    """With the defaults that other options decide; an app of the whole project has its `site` beside it."""
    site = app.get("site") or {}
    no_http = app["expose"] == "private" or site.get("protocol") == "grpc"
    app["health"]["check"] = app["health"]["check"] or ("tcp" if no_http else "http")
    app["health"]["scheme"] = app["health"]["scheme"] or site.get("scheme") or "http"
    return app


def order_problems(apps: Iterable[Item]) -> list[str]:
    """What is wrong with what the apps depend on: a sentence for each thing. The list has to be whole."""
    return order.problems({app["name"]: app["depends_on"] for app in apps if app["state"] == "present"})


def strangers(only: Iterable[str], names: Iterable[str]) -> list[str]:
    """What is wrong with a choice of apps: a sentence for each name that no app has."""
    known = sorted(names)
    return [f"no app is called `{name}`: {near(name, known)}" for name in only if name not in known]


def registries(raw: Any) -> dict[str, dict[str, str]]:
    """The credentials by registry host, in the form of the Docker API's AuthConfig.

    Raises:
        InvalidInputError: with one line for each thing that is wrong; no password is quoted.
    """
    if not isinstance(raw, list | tuple):
        raise InvalidInputError("the registries are not a list: every one starts with `- registry:`")
    wrong: list[str] = []
    found: dict[str, dict[str, str]] = {}
    for number, item in enumerate(raw, 1):
        where = f"item {number} of the registries"
        if not isinstance(item, Mapping):
            wrong.append(f"{where} is not a dictionary: it starts with `- registry:`")
            continue
        value, misshapen = shape(item, REGISTRY, where)
        wrong += misshapen
        if misshapen:
            continue
        host = registry(value["registry"])
        if "/" in host or not host:
            wrong.append(
                f"{where}: `registry: {value['registry']}`: write the host alone, as it stands in image references"
            )
        if host in found:
            wrong.append(f"{where}: `{host}` stands in the list twice{_under(value['registry'], host)}")
        found[host] = {"username": value["username"], "password": value["password"]}
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return found


def _under(written: str, host: str) -> str:
    return "" if written == host else f", here as `{written}`"


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
