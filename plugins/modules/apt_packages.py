#!/usr/bin/python
"""Ansible module: packages in one apt transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: apt_packages
short_description: Debian packages are installed, in one transaction
version_added: 0.1.0
description:
  - Installs what is missing of a list of packages with one C(apt-get install).
  - Does nothing, in milliseconds, when all are there.
  - Needs nothing on the host but apt itself, so that check mode also works on a server without C(python3-apt), where
    M(ansible.builtin.apt) stops.
  - Package lists are refreshed only when apt does not know a package yet; a fresh image has empty lists that look new.
  - Waits up to ten minutes for another apt or dpkg (unattended upgrades after the first boot).
options:
  name:
    description: The packages.
    type: list
    elements: str
    required: true
  install_recommends:
    description: Also install what the packages recommend.
    type: bool
    default: false
  start_later:
    description:
      - Packages among O(name) whose service, called like the package, somebody else starts once it is configured.
      - The package's own configuration may not work on this host (nginx's asks for IPv6), and its installation would
        fail. What is already installed goes on running.
    type: list
    elements: str
    default: []
  proxy_conf:
    description:
      - Text of C(/etc/apt/apt.conf.d/95portside-proxy), in place before anything is fetched. Empty removes
        the file; without this option it is left alone.
      - Root alone can read the file when a proxy's URL in it has a password.
    type: str
attributes:
  check_mode: {support: full, description: Says which packages would be installed.}
  diff_mode: {support: full, description: Lists the packages before and after.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: nginx and certbot are installed
  portside.vps.apt_packages:
    name: [nginx, certbot]
"""

RETURN = r"""
installed:
  description: The packages this call installed, or would install in check mode.
  type: list
  elements: str
  returned: always
"""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.apt import packages, proxy
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed, run
from ansible_collections.portside.vps.plugins.module_utils.files import write_atomic
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError, alone
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

# A slow mirror and a small disk: an hour is a hang, less may be real work.
INSTALL_TIMEOUT = 3600.0
UPDATE_TIMEOUT = 600.0
LOCK = Path("/run/portside/apt.lock")


def _apt(argv: Sequence[str], timeout: float) -> Completed:
    """Run apt, whatever its exit status; while another one is at work, again and again for ten minutes."""
    deadline = time.monotonic() + packages.LOCK_TIMEOUT
    while True:
        done = run(argv, expect=(), timeout=timeout, env=packages.ENVIRONMENT)
        if not packages.is_locked(done) or time.monotonic() > deadline:
            return done
        time.sleep(packages.LOCK_POLL)


def _refresh_lists() -> None:
    done = _apt(packages.UPDATE, UPDATE_TIMEOUT)
    if done.status != 0:
        raise CommandError(f"`{' '.join(packages.UPDATE)}` exited with status {done.status}: {done.said}")


def _refresh_lists_for(names: list[str]) -> None:
    """Run `apt-get update` if apt does not know one of the names."""
    if packages.unknown(names, run(["apt-cache", "pkgnames"], expect=()).stdout):
        _refresh_lists()


@contextlib.contextmanager
def _not_started(services: list[str]) -> Iterator[None]:
    """Packages don't start these services meanwhile. A policy of somebody else's on the host stays as it is."""
    path = Path(packages.POLICY)
    theirs = path.exists() and packages.POLICY_MARK not in path.read_text(encoding="utf-8", errors="replace")
    if not services or theirs:
        yield
        return
    write_atomic(path, packages.policy(services, os.getpid()), 0o755)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _missing(names: list[str]) -> list[str]:
    # dpkg-query exits 1 when one of the names is unknown to it, and still lists the others.
    query = run([*packages.QUERY, *names], expect=(0, 1))
    return packages.missing(names, packages.installed(query.stdout))


def _install(names: list[str], recommends: bool) -> None:
    if not names:
        return
    _refresh_lists_for(names)
    argv = packages.install_argv(names, recommends=recommends)
    done = _apt(argv, INSTALL_TIMEOUT)
    if done.status == packages.FAILED and "404" in done.said:
        # The lists are older than the archive: what they name has been replaced by a newer version.
        _refresh_lists()
        done = _apt(argv, INSTALL_TIMEOUT)
    if done.status != 0:
        raise CommandError(
            f"apt could not install {', '.join(names)}:\n{packages.reasons(done.said)}\n"
            "Look at `apt-get update` and `dpkg --audit` on the host, then run the playbook again."
        )


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(
        argument_spec={
            "name": {"type": "list", "elements": "str", "required": True},
            "install_recommends": {"type": "bool", "default": False},
            "start_later": {"type": "list", "elements": "str", "default": []},
            "proxy_conf": {"type": "str"},
        },
        supports_check_mode=True,
        facts=("installed",),
    )
    module.no_log_values.update(proxy.passwords(module.params["proxy_conf"]))
    try:
        conf = proxy.change(module.params["proxy_conf"])
        if not module.check_mode:
            proxy.apply(conf)
        absent = _missing(module.params["name"])
        if absent and not module.check_mode:
            with alone(LOCK, INSTALL_TIMEOUT):
                absent = _missing(absent)
                with _not_started([name for name in module.params["start_later"] if name in absent]):
                    _install(absent, module.params["install_recommends"])
    except (CommandError, LockError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(absent or conf),
        installed=absent,
        diff=[
            {
                "before_header": "packages",
                "after_header": "packages",
                "before": "",
                "after": "".join(f"{name}\n" for name in absent),
            },
            *([conf.diff()] if conf else []),
        ],
    )


if __name__ == "__main__":
    main()
