#!/usr/bin/python
"""Ansible module: all of nginx's sites as one transaction."""

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_sites
short_description: All nginx sites of a host, as one transaction
version_added: 0.1.0
description:
  - Takes every file of the role P(portside.vps.nginx#role) at once and makes C(/etc/nginx) match, touching only what
    differs.
  - The tree as it will be is tested by C(nginx -t) first, in a mount namespace of its own, under its real paths.
    Nothing live is touched until nginx has agreed.
  - Then file after file is replaced in one step each, and nginx reloads, or starts if it does not run. When nginx does
    not take the new configuration after all (a port is taken), every file is put back.
  - Own files that are no longer wanted are removed. Files of others are left alone, and reported when they collide.
  - A certificate that is not there yet is a link to a self-signed placeholder, an upstream file that is not there yet
    names a server that is down, so that nginx always starts.
  - A run that was cut off is completed by the next one, also when only the reload was missing.
options:
  files:
    description: The files, rendered.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: "Path, below C(/etc/nginx) if it is relative.", type: str, required: true}
      content: {description: The whole text; its first line says whose it is., type: str, required: true}
      site: {description: The site it belongs to; messages name it., type: str, default: ""}
  certificates:
    description: Directories below O(tls_dir) that sites take C(fullchain.pem) and C(privkey.pem) from.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name of the directory or link., type: str, required: true}
      site: {description: The site that needs it., type: str, required: true}
  upstream_files:
    description: Files that sites include for the addresses of their app, and somebody else writes.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: path, required: true}
      site: {description: The site that includes it., type: str, required: true}
  password_files:
    description: Files for basic authentication, owned by the web server's user and readable for nobody else.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path in C(/etc/nginx/passwords)., type: path, required: true}
      site: {description: The site that asks for the passwords., type: str, required: true}
      users:
        description:
          - Passwords by user name. They are hashed with bcrypt; a hash that fits is kept, so that nothing changes.
        type: dict
        required: true
  worker_connections:
    description:
      - Connections that each worker takes at least. The one number in C(nginx.conf) is raised to it, as far as the host
        allows so many open files. V(0) leaves it as it is.
    type: int
    default: 0
  tls_dir:
    description: Where the certificates' links stand, below C(/etc/nginx).
    type: path
    default: /etc/nginx/tls
  webroot:
    description: Directory that ACME challenges are served from; it is made if it is missing.
    type: path
    default: /var/www/acme
  boot_program:
    description:
      - Where a program is put that mends what nginx's sites name and is not there. A unit among O(files) runs it before
        nginx starts. Empty for none.
    type: path
    default: ""
  reload_program:
    description:
      - Where a program is put that reloads nginx after asking clients to close their connections. A unit among O(files)
        has systemd run it. Empty for none.
    type: path
    default: ""
attributes:
  check_mode:
    support: full
    description: Also tests the candidate, so that a configuration that nginx would refuse fails in check mode too.
  diff_mode: {support: full, description: Shows every file, also hand edits that are about to be undone.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: nginx serves what the templates say
  portside.vps.nginx_sites:
    files:
      - path: sites-enabled/portside-shop.conf
        content: "{{ lookup('ansible.builtin.template', 'shop.conf.j2') }}"
        site: shop
    certificates:
      - {name: shop, site: shop}
"""

RETURN = r"""
sites:
  description: Names of the sites that were changed, or would be in check mode.
  type: list
  elements: str
  returned: always
action:
  description:
    - What nginx was told, C(reload), C(start), C(restart) or nothing. It restarts only when its unit has changed.
  type: str
  returned: always
"""

import inspect
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError, alone
from ansible_collections.portside.vps.plugins.module_utils.nginx import (
    boot,
    capacity,
    config,
    host,
    passwords,
    reload,
    tree,
)
from ansible_collections.portside.vps.plugins.module_utils.nginx.host import HostError, NginxRefused
from ansible_collections.portside.vps.plugins.module_utils.nginx.passwords import HashError
from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import Change, PlanError, Text, Wanted, WantedFile
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

MAIN = Path(tree.NGINX) / "nginx.conf"
NOTHING_CHANGED = "nginx goes on with the configuration that it has."


def _password_file(item: dict[str, Any]) -> WantedFile:
    present = host.node_at(Path(item["path"]))
    content = passwords.file(item["users"], present.content if isinstance(present, Text) else "", tree.MARKER)
    return WantedFile(item["path"], Text(content, 0o600, secret=True, owner="www-data"), item["site"])


def _wanted(params: dict[str, Any], ipv6: bool, open_files: int | None) -> Wanted:
    owner = host.user()
    contents = [file["content"] if ipv6 else boot.without_ipv6(file["content"]) for file in params["files"]]
    files = [
        WantedFile(
            path=str(Path(tree.NGINX) / file["path"]),
            text=Text(capacity.with_files(content, open_files), owner=owner),
            site=file["site"],
        )
        for file, content in zip(params["files"], contents, strict=True)
    ]
    for key, source in (("boot_program", boot), ("reload_program", reload)):
        if params[key]:
            files.append(WantedFile(params[key], Text(inspect.getsource(source), 0o755, owner=owner)))
    return Wanted(
        files=(*files, *(_password_file(item) for item in params["password_files"])),
        certificates={item["name"]: item["site"] for item in params["certificates"]},
        upstream_files={item["path"]: item["site"] for item in params["upstream_files"]},
        tls_dir=params["tls_dir"],
        webroot=params["webroot"],
    )


def _owners(wanted: Wanted) -> dict[str, str]:
    """The site by what nginx names when it complains."""
    local = {
        address: file.site
        for file in wanted.files
        for server in config.servers(file.text.content)
        for address in server.addresses
        if file.site and not address.endswith((":80", ":443"))
    }
    return {
        **local,
        **{file.path: file.site for file in wanted.files},
        **{f"{wanted.tls_dir}/{name}/": site for name, site in wanted.certificates.items()},
        **wanted.upstream_files,
    }


def _plan(wanted: Wanted) -> list[Change]:
    seen = host.snapshot(wanted)
    made = host.unmade_placeholder()
    if tree.needs_placeholder(wanted, seen) and host.program("openssl"):
        made = host.placeholder()
    return tree.plan(wanted, seen, made)


class Run:
    """One run of the module, from the plan to the reload."""

    def __init__(self, params: dict[str, Any], ipv6: bool) -> None:
        self.service = host.service()
        files = host.open_files_limit(self.service.master)
        wanted = _wanted(params, ipv6, files)
        room, shortage = capacity.change(str(MAIN), host.node_at(MAIN), params["worker_connections"], files)
        self.own = [file.path for file in wanted.files]
        self.owners = _owners(wanted)
        self.nginx = host.program("nginx")
        self.changes = [*_plan(wanted), *room]
        going = [change.path for change in self.changes if change.after is None]
        foreign = host.foreign_sites([*self.own, *going])
        self.warnings = [*config.collisions([file.text.content for file in wanted.files], foreign), *shortage]

    def action(self) -> str:
        """What nginx has to be told: `reload`, `start`, `restart` or nothing."""
        if not self.service.active:
            return "start"
        new = [change.path for change in self.changes if change.path.startswith(f"{tree.DROP_INS}/")]
        unread = (host.UNREAD.read_text(encoding="ascii") or "reload") if host.UNREAD.exists() else ""
        # How it is reloaded, systemd alone has to know.
        if unread == "restart" or any(path != tree.RELOAD_UNIT for path in new):
            return "restart"
        return "reload" if self.changes or unread else ""

    def check(self) -> bool:
        """Test the tree as it will be; False where that can't be done aside."""
        if not (self.changes and self.nginx and host.program("openssl")):
            return True
        return host.test_aside(self.changes, self.nginx, self.owners, self.own)

    def carry_out(self, tested: bool) -> None:
        """Replace the files and have nginx read them; on failure the old ones are put back."""
        action = self.action()
        if self.changes:
            host.UNREAD.write_text(action, encoding="ascii")
            host.replace(self.changes)
        try:
            if self.service.masked:
                host.unmask()
            if not tested:
                host.test_live(str(self.nginx))
            if action in {"start", "restart"}:
                host.read_units()
                host.bring_up(action)
            elif action == "reload":
                host.read_units()
                host.reload_and_wait(self.service.master)
        except (NginxRefused, CommandError) as error:
            explained = config.explanation(str(error), self.owners, host.texts(), self.own)
            self.take_back(action)
            raise NginxRefused(explained) from error
        host.UNREAD.unlink(missing_ok=True)
        if not self.service.enabled:
            host.enable()

    def take_back(self, action: str) -> None:
        """Put every file back, and nginx to work again if it was stopped on the way."""
        host.take_back(self.changes)
        if self.changes:
            host.UNREAD.unlink(missing_ok=True)
        if action == "restart":
            host.read_units()
            host.bring_up("restart")

    def result(self) -> dict[str, Any]:
        """The module's result."""
        action = self.action()
        shown = tree.diff(self.changes)
        boots = "masked" if self.service.masked else "disabled"
        wanted = [("inactive", "active")] * (action == "start") + [(boots, "enabled")] * (not self.service.enabled)
        shown += [
            {"before_header": host.SERVICE, "after_header": host.SERVICE, "before": f"{old}\n", "after": f"{new}\n"}
            for old, new in wanted
        ]
        return {
            "changed": bool(shown or action),
            "diff": shown,
            "action": action,
            "sites": sorted({change.site for change in self.changes if change.site}),
        }


@no_traceback
def main() -> None:
    """Entry point."""
    site = {"type": "str", "required": True}
    module = QuietModule(
        argument_spec={
            "files": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "path": {"type": "str", "required": True},
                    "content": {"type": "str", "required": True},
                    "site": {"type": "str", "default": ""},
                },
            },
            "certificates": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"name": {"type": "str", "required": True}, "site": site},
            },
            "upstream_files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {"path": {"type": "path", "required": True}, "site": site},
            },
            "password_files": {
                "type": "list",
                "elements": "dict",
                # What is secret in it says so itself.
                "no_log": False,
                "default": [],
                "options": {
                    "path": {"type": "path", "required": True},
                    "site": site,
                    "users": {"type": "dict", "required": True, "no_log": True},
                },
            },
            "worker_connections": {"type": "int", "default": 0},
            "tls_dir": {"type": "path", "default": "/etc/nginx/tls"},
            "webroot": {"type": "path", "default": "/var/www/acme"},
            "boot_program": {"type": "path", "default": ""},
            "reload_program": {"type": "path", "default": ""},
        },
        supports_check_mode=True,
        facts=("action", "sites"),
    )
    params = module.params
    for item in (*params["files"], *params["certificates"], *params["password_files"]):
        module.make_public(item.get(key) for key in ("site", "name", "path"))
    warnings: list[str] = []
    try:
        with alone(host.LOCK, host.LOCK_LIMIT):
            this = Run(params, boot.has_ipv6())
            warnings = this.warnings
            if not (this.nginx or module.check_mode):
                raise HostError("nginx is not installed: set nginx_manage_packages to true, or install it before")
            result = this.result()
            tested = this.check()
            if not module.check_mode:
                this.carry_out(tested)
    except NginxRefused as refused:
        module.fail_json(msg="\n".join([str(refused), *warnings, NOTHING_CHANGED]))
    except (PlanError, HostError, HashError, LockError, CommandError, OSError) as error:
        module.fail_json(msg=f"{error}\n{NOTHING_CHANGED}")
    for warning in warnings:
        module.warn(warning)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
