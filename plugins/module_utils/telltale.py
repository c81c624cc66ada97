"""Settings that hold a secret by what they are called: what a diff shows of them.

People write tokens where they are wanted: into the options of a log driver, into `env`, into the URL of an index.
Nobody declared those as secrets, so a value is judged by its name, and a URL loses its login.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.quiet import LOGIN, without_logins

# `splunk-token`, `logdna-api-key`, `POSTGRES_PASSWORD`, `AWS_SECRET_ACCESS_KEY`, `PASSPHRASE`; not `syslog-tls-key`,
# `POSTGRES_PASSWORD_FILE` or `SSH_PUBLIC_KEY`, which name a file or are for everybody.
NAMED = re.compile(
    r"(?i)(.*[._-])?((auth|access|api|bearer|bot|refresh|ingest|license|write)?tokens?|[a-z]*secret|[a-z]*passw(or)?d"
    r"|pass|pwd|passphrase|(api|access|secret|private|hmac|license|encryption|signing|account|shared|master)[._-]?key"
    r"|apikey|credentials?|dsn)"
)
# Of a log driver's URL, and of a webhook's, the path and query are secret, too: whoever knows them may post there.
ADDRESS_NAMED = re.compile(r"(?i).*-url|.*webhook([._-]?(url|uri|address))?|.*alarm[._-]?url")
ADDRESS = re.compile(r"(https?://(?:[^/@\s]*@)?[^/?#\s]+)[/?#].+")
# 16 characters and more, with letters and digits: what no person writes into a path.
TOKEN = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_:%~+=-]{16,}")
# An argument of a program that is followed by its secret: `--token`, `--db-password=...`.
FLAG = re.compile(r"(?i)--?([a-z0-9_-]+-)?(token|secret|password|passwd|passphrase|api-?key)")
FLAG_WITH_VALUE = re.compile(rf"({FLAG.pattern.replace('(?i)', '')}[= ])(?!-)\S+", re.IGNORECASE)
PEM = "PRIVATE KEY-----"
MASK = "***"


def is_secret(name: str) -> bool:
    """Whether what is called so is a secret."""
    return bool(NAMED.fullmatch(name))


def secrets(value: Any, name: str = "") -> Iterator[str]:
    """The values that are secret by their names, and the passwords of the URLs in all others, as they stand there."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from secrets(part, str(key))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from secrets(part, name)
    elif isinstance(value, str):
        if is_secret(name) or PEM in value or (ADDRESS_NAMED.fullmatch(name) and ADDRESS.fullmatch(value)):
            yield value
        else:
            yield from (login.partition(":")[2] or login for login in LOGIN.findall(value))


def address(url: str) -> str:
    """A URL for a report: without login and query, and without parts of its path that look like a token: a bot's, or a
    webhook's. Of what is no URL with a host only the login is taken out."""
    bare = without_logins(url)
    head, query, _ = bare.partition("?")
    whole = re.fullmatch(r"([a-z][a-z0-9+.-]*://[^/]*)?(/.*)?", head, re.IGNORECASE)
    if whole is None:
        return bare
    path = "/".join(MASK if TOKEN.fullmatch(part) else part for part in (whole[2] or "").split("/"))
    return f"{whole[1] or ''}{path}" + (f"?{MASK}" if query else "")


def shown(before: Any, after: Any, name: str = "") -> tuple[Any, Any]:
    """A value before and after, without what is secret in it; what differs there alone is still seen to differ.

    Args:
        before: the value, None where there was none.
        after: the same.
        name: what it is called.
    """
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        old, new = (value if isinstance(value, Mapping) else {} for value in (before, after))
        keys = [*old, *(key for key in new if key not in old)]
        pairs = {key: shown(old.get(key), new.get(key), str(key)) for key in keys}
        return (
            {key: pairs[key][0] for key in old} if isinstance(before, Mapping) else _plain(before, name),
            {key: pairs[key][1] for key in new} if isinstance(after, Mapping) else _plain(after, name),
        )
    first, second = _plain(before, name), _plain(after, name)
    if first == second and before != after and isinstance(second, str):
        second = f"{second} (changed)"
    return first, second


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(part, str(key)) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [
            MASK if isinstance(flag, str) and FLAG.fullmatch(flag) else _plain(part, name)
            for flag, part in zip([None, *value], value, strict=False)
        ]
    if value is None or value in {"set", "changed"}:
        return value
    if is_secret(name):
        return MASK
    if not isinstance(value, str):
        return value
    if ADDRESS_NAMED.fullmatch(name):
        value = ADDRESS.sub(rf"\1/{MASK}", value)
    return FLAG_WITH_VALUE.sub(rf"\1{MASK}", without_logins(value))
