"""Options that somebody else gives every certbot of the host: cli.ini, and what of it an order founders on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import CONFIG, NOT_AS_ORDERED, OTHER, Problem
from ansible_collections.portside.vps.plugins.module_utils.files import read_text

# What Debian's package writes there, what an order's own arguments override, and what changes no order.
_HARMLESS = frozenset(
    [
        "agree-tos",
        "eff-email",
        "email",
        "key-type",
        "m",
        "max-log-backups",
        "n",
        "no-eff-email",
        "non-interactive",
        "preconfigured-renewal",
        "quiet",
        "random-sleep-on-renew",
        "rsa-key-size",
        "server",
        "text",
        "verbose",
    ]
)


def files(environment: Mapping[str, str], config_dir: Path = Path("/etc/letsencrypt")) -> list[Path]:
    """Where certbot looks for it (certbot/_internal/constants.py, config_files)."""
    own = environment.get("XDG_CONFIG_HOME") or Path(environment.get("HOME") or os.path.expanduser("~"), ".config")
    return [config_dir / "cli.ini", Path(own, "letsencrypt", "cli.ini")]


def foreign(paths: Iterable[Path]) -> list[str]:
    """What the files say that may stand against an order, with the file; values that hold a secret are no options."""
    found = []
    for path in paths:
        try:
            text = read_text(path) or ""
        except (OSError, UnicodeDecodeError):
            continue
        for line in map(str.strip, text.splitlines()):
            # ConfigArgParse: comments begin with # or ;, sections with [, and `-` and `_` are the same.
            option = line.partition("=")[0].partition(":")[0].strip().strip("-").replace("_", "-")
            if option and line[0] not in "#;[" and option not in _HARMLESS:
                found.append(f"{path} says `{option}`" if "eab" in option else f"{path} says `{line}`")
    return found


def blamed(problems: Iterable[Problem], said: list[str]) -> list[Problem]:
    """The problems, those that cli.ini may be the cause of with what it says."""
    if not said:
        return list(problems)
    text = f"{'; '.join(said)}, which holds for every certbot on this host"
    return [
        replace(problem, kind=CONFIG if problem.kind == OTHER else problem.kind, detail=f"{problem.detail}; {text}")
        if problem.kind in {OTHER, NOT_AS_ORDERED}
        else problem
        for problem in problems
    ]
