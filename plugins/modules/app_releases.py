#!/usr/bin/python
"""Ansible module: what is remembered of the releases of a host's apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: app_releases
short_description: What is remembered of the releases of containerised apps
version_added: 0.1.0
description:
  - Tells which releases of each app there are, and which apps stay on the release that serves because the one that is
    declared was rejected. Changes nothing, and needs no Docker.
options:
  apps:
    description: The apps, as M(portside.vps.app_release) takes them. Without any, only RV(releases) is found.
    type: list
    elements: dict
    default: []
  only:
    description: Names of the apps to tell about. Empty means all that something is remembered of.
    type: list
    elements: str
    default: []
  retry:
    description: Names of apps for which a release that was rejected is to be tried again.
    type: list
    elements: str
    default: []
  state_dir:
    description: Where the state of each app is kept.
    type: path
    default: /var/lib/portside/apps
attributes:
  check_mode: {support: full, description: It only reads.}
  diff_mode: {support: none, description: It only reads.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: The releases are known
  portside.vps.app_releases:
  register: found
"""

RETURN = r"""
releases:
  description: The releases of each app by its name, the newest first.
  type: dict
  returned: always
unreadable:
  description: Apps whose state file can't be understood. M(portside.vps.app_release) fails for these, and says why.
  type: list
  elements: str
  returned: always
held:
  description: What was kept (C(extra)) of the release that serves, by app, for those whose declaration was rejected.
  type: dict
  returned: always
"""

import time
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import shape
from ansible_collections.portside.vps.plugins.module_utils.engine.base import EngineError
from ansible_collections.portside.vps.plugins.module_utils.engine.docker_sdk import DockerEngine, NoEngine
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.releases import gate, history, options, spec, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.front import HostFront
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.releaser import Releaser
from ansible_collections.portside.vps.plugins.module_utils.releases.steps.outcome import Settings
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

ARGUMENTS: dict[str, dict[str, Any]] = {
    "apps": {"type": "list", "elements": "dict", "default": [], "options": shape.argument_spec(options.APP)},
    "only": {"type": "list", "elements": "str", "default": []},
    "retry": {"type": "list", "elements": "str", "default": []},
    "state_dir": {"type": "path", "default": "/var/lib/portside/apps"},
}
# What is masked in `held` is no site any more: that the playbooks log nothing of it is their business.
FACTS = ("held", "unreadable", "release", "state", "when", "image", "digest", "by")


def _engine() -> Any:
    try:
        return DockerEngine()
    except EngineError:
        return NoEngine()


def _look(params: dict[str, Any]) -> dict[str, Any]:
    store = Store(Path(params["state_dir"]))
    names = [name for name in store.names() if not params["only"] or name in params["only"]]
    strangers = sorted({*params["only"]} - {*names}) if not params["apps"] else []
    if strangers:
        raise shape.InvalidInputError(
            f"nothing is remembered of {', '.join(strangers)}; there is: {', '.join(store.names()) or 'nothing'}"
        )
    clock = Clock(time.monotonic, time.sleep)
    settings = Settings(pool=range(0), retry=frozenset(params["retry"]))
    releaser = Releaser(
        _engine(), HostFront([], [], clock), store, settings, clock=clock, ask=gate.probe, busy=lambda _, __: False
    )
    wanted = [spec.app(item) for item in validate.apps(params["apps"])]
    readable = store.readable()
    return {
        "releases": {name: history.rows(readable[name]) for name in names if name in readable},
        "unreadable": [name for name in names if name not in readable],
        "held": releaser.held(wanted) if wanted else {},
    }


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(argument_spec=ARGUMENTS, supports_check_mode=True, facts=FACTS)
    module.make_public(validate.names(module.params["apps"]))
    try:
        found = _look(module.params)
    except (shape.InvalidInputError, StoreError, EngineError) as error:
        module.fail_json(msg=str(error))
    for name in found["unreadable"]:
        module.warn(
            f"what is remembered of app `{name}` can't be read: a run of app_release says why, and what to do about it"
        )
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
