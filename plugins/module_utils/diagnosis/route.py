"""Which way a request takes, by the proxy variables of its process: decided, and said why.

The rules are those of Python's urllib and requests: lower case wins over upper case, a `no_proxy` entry is a name with
all names below it, or an exact address, and `*` is everything. Other clients differ in places.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils import proxies

# Shown in place of what can't be read: no part of it is known not to be a password.
UNREADABLE = "(its URL can't be read, and is not shown)"


def environment(entries: Iterable[str]) -> dict[str, str]:
    """`NAME=value` lines, as `docker inspect` has them, as a dict."""
    return {name: value for name, found, value in (entry.partition("=") for entry in entries) if found}


def _first(variables: Mapping[str, str], names: Iterable[str]) -> tuple[str, str]:
    return next(((name, variables[name]) for name in names if variables.get(name)), ("", ""))


def exempted(host: str, port: int, listed: str) -> str:
    """The entry of a `no_proxy` list that lets a host go directly; empty if there is none."""
    for entry in (part.strip() for part in listed.split(",")):
        name = entry.lower().lstrip(".")
        if entry == "*" or (name and (host == name or host.endswith(f".{name}") or f"{host}:{port}" == name)):
            return entry
    return ""


def route(url: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """`{proxy, variable}`: the proxy's URL without its login (empty: direct), and the variable that decided.

    Args:
        url: what is asked for.
        variables: the environment of the process.
    """
    parts = urlsplit(url)
    host, port = (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
    names = (f"{parts.scheme}_proxy", f"{parts.scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    variable, proxy = _first(variables, names)
    if not proxy:
        return {"proxy": "", "variable": ""}
    exempting, listed = _first(variables, ("no_proxy", "NO_PROXY"))
    entry = exempted(host, port, listed)
    if entry:
        return {"proxy": "", "variable": f"{exempting} has {entry}"}
    return {"proxy": shown(proxy), "variable": variable}


def proxy_of(url: str, variables: Mapping[str, str]) -> str:
    """The proxy's URL for a request as the variable has it, login included; empty for a direct one."""
    decided = route(url, variables)
    return variables[decided["variable"]] if decided["proxy"] else ""


def with_scheme(proxy: str) -> str:
    """A proxy's URL; clients take `host:port` for http."""
    return proxy if "://" in proxy else f"http://{proxy}"


def shown(proxy: str) -> str:
    """What a report may say of the URL in a variable: nothing checks those of an app's `env` or of an image."""
    parsed = proxies.parse(with_scheme(proxy))
    if parsed:
        return parsed.shown
    return "(SOCKS)" if proxies.is_socks(proxy) else UNREADABLE
