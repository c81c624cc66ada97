"""The secrets that an inventory declares, wherever they stand in it."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import telltale, terminal
from ansible_collections.portside.vps.plugins.module_utils.masking import masked

# Dictionaries whose values are secret, all of them, whatever they are called.
ALL_SECRET = frozenset(["secrets", "users", "portside_diagnose_secrets", "credentials"])
# What a diagnosis goes by, and no program said.
OWN_WORDS = frozenset(["app", "cause", "hop", "level", "mark", "title", "domains", "time", "client", "method"])


def secrets(settings: Any, name: str = "") -> set[str]:
    """Every secret among the variables of a host: of apps, sites, registries, proxies, DNS challenges."""
    return {*_secrets(settings, name)}


def _secrets(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        if name in ALL_SECRET:
            for key, part in value.items():
                yield from _texts(part)
                if name == "users":
                    # How it goes over the wire, and into the log of an app that prints headers (RFC 7617).
                    yield base64.b64encode(f"{key}:{part}".encode()).decode()
            return
        for key, part in value.items():
            yield from _secrets(part, str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _secrets(part, name)
    elif name in ALL_SECRET:
        yield from _texts(value)
    elif isinstance(value, str):
        yield from telltale.secrets(value, name)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
        yield from telltale.secrets(str(value))


def quotable(value: Any, hidden: Collection[str], public: Collection[str]) -> Any:
    """A diagnosis without these secrets, and without what a terminal would act on."""
    if isinstance(value, str):
        return masked(terminal.plain(value), hidden, public)
    if isinstance(value, Mapping):
        return {key: part if key in OWN_WORDS else quotable(part, hidden, public) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [quotable(part, hidden, public) for part in value]
    return value
