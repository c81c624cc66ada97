"""Filters of the role certbot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot import declaration

DOCUMENTATION = r"""
name: certbot_problems
short_description: what is wrong with declared certificates
description: Finds what an argument spec can't, before anything changes on the host.
options:
  _input: {description: The certificates., type: list, elements: dict, required: true}
  directory: {description: The ACME server's directory URL, or a word for it., type: str, required: true}
  email: {description: The account's contact., type: str, required: true}
  webroot: {description: Where challenges are served from., type: str, required: true}
  link_dir: {description: Directory of the links., type: str, required: true}
  profile: {description: The ACME profile of certificates that name none., type: str, default: ""}
  dns: {description: The ways to prove names by records in DNS., type: list, elements: dict, default: []}
  eab: {description: External account binding., type: dict, default: {}}
  version: {description: certbot's version; empty if it is not known., type: str, default: ""}
  environment: {description: The variables that certbot runs with., type: dict, default: {}}
  service_writable: {description: Directories that the renewal writes to., type: list, elements: str, default: []}
"""


def certbot_problems(
    certificates: Sequence[Mapping[str, Any]],
    directory: str,
    email: str,
    webroot: str,
    link_dir: str,
    **others: Any,
) -> list[str]:
    """One sentence for each thing that is wrong with what was declared."""
    return declaration.problems(
        certificates, directory=directory, email=email, webroot=webroot, link_dir=link_dir, **others
    )


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {"certbot_problems": certbot_problems}
