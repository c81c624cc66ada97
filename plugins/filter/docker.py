"""Filters of the roles docker and docker_app: their input, checked on the controller before anything is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import unit_files
from ansible_collections.portside.vps.plugins.module_utils.daemon import options
from ansible_collections.portside.vps.plugins.module_utils.releases import validate
from ansible_collections.portside.vps.plugins.module_utils.shape import InvalidInputError

DOCUMENTATION = r"""
name: docker_app_problems
short_description: what is wrong with the input of the role docker_app
description: Names the app, the key, and what is allowed there. Quotes no secret.
positional: registries, port_range, only
options:
  _input: {description: The value of C(docker_app_list)., type: list, elements: dict, required: true}
  registries: {description: The value of C(docker_app_registries)., type: list, elements: dict, default: []}
  port_range: {description: The value of C(docker_app_port_range)., type: str, default: 18000-18999}
  only: {description: The value of C(docker_app_only)., type: list, elements: str, default: []}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The apps can be released
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems | join('; ') }}"
  vars:
    problems: "{{ docker_app_list | portside.vps.docker_app_problems }}"
"""

RETURN = r"""
_value: {description: A sentence for each problem., type: list, elements: str}
"""


def docker_daemon_problems(
    wanted: Mapping[str, Any], defaults: Mapping[str, Any], variables: Mapping[str, Any] | None = None
) -> list[str]:
    """A sentence for each of the daemon's options and variables that can't be used on any host."""
    found = options.problems(options.merged(defaults, wanted), swarm=False)
    return [
        *(f"docker_daemon_options: {problem}" for problem in found),
        *(f"docker_environment: {problem}" for problem in unit_files.variable_problems(variables or {})),
    ]


def docker_repository_problems(url: str, key: str, channel: str) -> list[str]:
    """A sentence for each part of Docker's repository that would go on as a field of its own in apt's file."""
    parts = {"url": url, "channel": channel, "key": "" if key.startswith("-----BEGIN ") else key}
    return [
        f"docker_repository_{name} has a line break or another control character in it, and would go on as a line of "
        "its own in apt's list of sources: write it on one line"
        for name, value in parts.items()
        if not unit_files.one_line(value)
    ]


def _lost_archives(apps: Iterable[Mapping[str, Any]]) -> list[str]:
    files = [(app["name"], app["image_archive"]) for app in apps if app["state"] == "present" and app["image_archive"]]
    return [
        f"app `{name}`: `image_archive: {file}`: there is no such file on this machine, the controller"
        for name, file in files
        if not Path(file).expanduser().is_file()
    ]


def docker_app_problems(
    apps: Any, registries: Any = (), port_range: str = "18000-18999", only: Iterable[str] = ()
) -> list[str]:
    """A sentence for each thing that is wrong with the apps and what goes with them."""
    found: list[str] = []
    names: set[str] | None = None
    try:
        listed = validate.apps(apps)
        names = {app["name"] for app in listed}
        found += validate.order_problems(listed)
        found += _lost_archives(listed)
    except InvalidInputError as error:
        found += str(error).splitlines()
    for check in (lambda: validate.registries(registries), lambda: validate.port_range(port_range)):
        try:
            check()
        except InvalidInputError as error:
            found += str(error).splitlines()
    if names is not None:
        found += validate.strangers(only, names)
    return found


class FilterModule:
    """Registers the filters."""

    def filters(self) -> dict[str, object]:
        """Name and function of each filter."""
        return {
            "docker_app_problems": docker_app_problems,
            "docker_daemon_problems": docker_daemon_problems,
            "docker_repository_problems": docker_repository_problems,
        }
