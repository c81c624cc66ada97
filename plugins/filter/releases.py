"""Filters about releases: who makes one, what a held app's site is, and the table of them."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

DOCUMENTATION = r"""
name: held_sites
short_description: sites of apps that stay on an earlier release
description: A site whose app is held gets the options back that it had with the release that serves.
positional: held
options:
  _input: {description: The value of C(nginx_sites)., type: list, elements: dict, required: true}
  held: {description: The result C(held) of M(portside.vps.app_releases)., type: dict, required: true}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The sites that go with the releases
  ansible.builtin.debug:
    var: nginx_sites | portside.vps.held_sites(found.held)
"""

RETURN = r"""
_value: {description: The sites., type: list, elements: dict}
"""

COLUMNS = ("release", "state", "when", "image", "digest", "by", "note")
# Who started a job, by the variables of GitHub's and GitLab's runners.
CI_USERS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN")


def held_sites(sites: Iterable[Mapping[str, Any]], held: Mapping[str, str]) -> list[dict[str, Any]]:
    """The sites, those of held apps as they were with the release that serves."""
    return [dict(json.loads(held[site["name"]]) if held.get(site["name"]) else site) for site in sites]


def held_certificates(certificates: Iterable[Mapping[str, Any]], held: Mapping[str, str]) -> list[dict[str, Any]]:
    """The certificates, those of held apps with the names of the release that serves as well."""
    found = []
    for item in certificates:
        kept = json.loads(held[item["name"]]) if held.get(item["name"]) else {}
        domains = list(dict.fromkeys([*kept.get("domains", []), *item["domains"]]))
        found.append({**item, "domains": domains})
    return found


def _shortened(column: str, text: str) -> str:
    """Twelve digits tell one image from another, and leave room for the note."""
    return text[: len("sha256:") + 12] if column == "digest" else text


def releases_table(releases: Mapping[str, Iterable[Mapping[str, str]]]) -> list[str]:
    """A line for each release of each app, under a header, with aligned columns."""
    lines: list[str] = []
    for app in sorted(releases):
        body = [COLUMNS, *(tuple(_shortened(column, row[column]) for column in COLUMNS) for row in releases[app])]
        widths = [max(len(row[number]) for row in body) for number in range(len(COLUMNS))]
        lines.append(f"{app}:")
        lines += [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in body
        ]
    return lines or ["no releases"]


def release_author(said: str = "") -> str:
    """Who releases: what was said, the user whose job this is in CI, or user and machine of the controller."""
    named = said or next((os.environ[name] for name in CI_USERS if os.environ.get(name)), "")
    if named:
        return named
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "held_certificates": held_certificates,
            "held_sites": held_sites,
            "release_author": release_author,
            "releases_table": releases_table,
        }
