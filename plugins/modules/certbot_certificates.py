#!/usr/bin/python
"""Ansible module: all of a host's certificates from an ACME server, in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot_certificates
short_description: Certificates from an ACME server are there, renewed, and known to the web server
version_added: 0.1.0
description:
  - Takes the whole list of certificates. Reads what is on the host without certbot and without the network, and orders
    only what is missing, with C(certbot certonly --webroot).
  - Names are compared as a set. A certificate from another ACME server than the declared one (staging instead of
    production, for instance) is replaced by itself.
  - Each certificate is tried by itself. If some can't be had, all others are still brought in order; the module then
    fails and says for each what the ACME server answered and what to do next. The certificates that are in place stay.
  - Only what passes by itself is tried again, a bounded number of times. That is a rejected nonce, no connection to the
    ACME server, or another certbot at work; never a failed validation or a rate limit.
  - Installs a deploy hook that points I(link_dir)/<name> at certbot's directory for the certificate, runs
    I(check_command) and then I(reload_command), and gives the packaged C(certbot.service) a drop-in, so that the
    packaged timer's renewals reach the web server too, and a failed reload fails the unit.
  - A run that was killed half-way is repaired by the next one.
options:
  certificates:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of certbot's lineage.
        type: str
        required: true
      domains:
        description: The names in the certificate, in any order. No wildcards, because those need a DNS challenge.
        type: list
        elements: str
        default: []
      state:
        description:
          - V(absent) removes the lineage and its link. While the web server still uses it (I(check_command) fails
            without the link), nothing is removed.
        type: str
        choices: [present, absent]
        default: present
  directory:
    description: The ACME server's directory URL, or V(production) or V(staging) for those of Let's Encrypt.
    type: str
    default: https://acme-v02.api.letsencrypt.org/directory
  email:
    description: The account's contact. Empty for an account without one. When it changes, the account is updated.
    type: str
    default: ""
  ca:
    description:
      - Certificates (PEM text) to trust for the ACME server's own https, beside the system's. For a private or a test
        CA.
    type: str
    default: ""
  environment:
    description:
      - Variables certbot runs with, C(HTTPS_PROXY) for instance, here and in the timer's renewals. Proxy variables that
        the session happens to have are not passed on.
    type: dict
    default: {}
  preflight:
    description:
      - What is done with what can be seen before an order. DNS has to give an address for each name, a file in the
        webroot has to be found under it at each address, over IPv4 and IPv6, and its CAA records have to allow the CA.
      - V(refuse) sends no order that would fail, V(warn) sends it with a warning, V(off) does not look. Where a host
        can't reach its own public address (NAT without a way back), take V(warn).
    type: str
    choices: [refuse, warn, "off"]
    default: refuse
  caa_identities:
    description: The CA's own domains in CAA records. Known for Let's Encrypt; empty for another CA leaves CAA alone.
    type: list
    elements: str
    default: []
  failed_orders_per_hour:
    description:
      - So many failed orders per name and hour are let through to the ACME server, except to Let's Encrypt's staging. 0
        for no limit.
    type: int
    default: 3
  webroot:
    description:
      - Where the web server serves C(/.well-known/acme-challenge/) from, on port 80, for every declared name. Made if
        it is not there.
    type: path
    default: /var/www/acme
  link_dir:
    description: Directory in which a link per certificate is kept. Empty for no links.
    type: str
    default: ""
  check_command:
    description: Program and arguments. Must succeed before I(reload_command) runs; if it fails, the links go back.
    type: list
    elements: str
    default: []
  reload_command:
    description: Program and arguments that make the web server read its certificates again.
    type: list
    elements: str
    default: []
attributes:
  check_mode: {support: full, description: Says what would be ordered; needs no certbot on the host.}
  diff_mode: {support: full, description: Lists names, server, key and link of each certificate, and the managed files.}
author: [The Portside authors]
"""

EXAMPLES = r"""
- name: Two sites have their certificates
  portside.vps.certbot_certificates:
    certificates:
      - {name: shop, domains: [shop.example.com, www.shop.example.com]}
      - {name: blog, domains: [blog.example.com]}
      - {name: old-shop, state: absent}
    email: ops@example.com
    link_dir: /etc/nginx/tls
    check_command: [nginx, -t]
    reload_command: [systemctl, reload, nginx.service]
"""

RETURN = r"""
certificates:
  description: One entry for each certificate that is to be there, also when the module fails.
  type: list
  elements: dict
  returned: always
  contains:
    name: {description: The lineage., type: str}
    domains: {description: The declared names., type: list, elements: str}
    changed: {description: Whether this call changed it, or would in check mode., type: bool}
    days_left: {description: Whole days until it expires; none without a certificate., type: int}
    not_before: {description: When it begins, ISO 8601 in UTC., type: str}
    not_after: {description: When it expires, ISO 8601 in UTC., type: str}
    serial: {description: Its serial number in hexadecimal., type: str}
    issuer: {description: Who signed it (RFC 2253)., type: str}
    server: {description: Directory URL of the ACME server it is renewed from., type: str}
    path: {description: The directory that holds fullchain.pem and privkey.pem., type: str}
removed:
  description: The lineages that this call removed, or would remove in check mode.
  type: list
  elements: str
  returned: always
failures:
  description: One message for each thing that could not be done.
  type: list
  elements: str
  returned: always
"""

import shutil
from datetime import UTC, datetime
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.portside.vps.plugins.module_utils.certbot import converge, host, managed_files, preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.dns import host_resolver
from ansible_collections.portside.vps.plugins.module_utils.certbot.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import DIRECTORIES, InputError, Wanted, parse
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError

ARGUMENTS: dict[str, Any] = {
    "certificates": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
    },
    "directory": {"type": "str", "default": DIRECTORIES["production"]},
    "email": {"type": "str", "default": ""},
    "ca": {"type": "str", "default": ""},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "preflight": {"type": "str", "choices": ["refuse", "warn", "off"], "default": "refuse"},
    "caa_identities": {"type": "list", "elements": "str", "default": []},
    "failed_orders_per_hour": {"type": "int", "default": 3},
    "webroot": {"type": "path", "default": "/var/www/acme"},
    "link_dir": {"type": "str", "default": ""},
    "check_command": {"type": "list", "elements": "str", "default": []},
    "reload_command": {"type": "list", "elements": "str", "default": []},
}


def _checks(params: dict[str, Any], here: Host, wanted: Wanted, now: datetime) -> converge.Checks:
    """What is looked at before an order."""
    looks = Preflight(
        webroot=here.root / wanted.webroot.lstrip("/"),
        identities=preflight.identities(wanted.server, params["caa_identities"]),
        resolver=host_resolver(),
        own=preflight.host_addresses(),
    )
    return converge.Checks(
        preflight=None if params["preflight"] == "off" else looks,
        strict=params["preflight"] == "refuse",
        guard=Guard(here.failed_orders, wanted.server, params["failed_orders_per_hour"], now),
    )


def _carry_out(module: AnsibleModule, wanted: Wanted) -> tuple[dict[str, Any], list[str]]:
    """Plan and, outside check mode, do it; returns the result and the failures."""
    params = module.params
    here, now = Host(), datetime.now(UTC)
    declared = {str(key): str(value) for key, value in params["environment"].items()}
    config = managed_files.hook_config(here, wanted, params["check_command"], params["reload_command"])
    files = managed_files.managed_files(here, wanted, ca=params["ca"], declared=declared, config=config)
    plan = converge.plan(here, wanted, files, config, now)
    result: dict[str, Any] = {"changed": plan.changed, "diff": converge.diff(here, wanted, plan)}
    changed = {step.certificate.name for step in plan.steps if step.needed}
    outcome = converge.Outcome(changed=changed)
    if plan.changed and not module.check_mode:
        if converge.needs_certbot(plan) and shutil.which("certbot") is None:
            raise CommandError(
                "certbot is not installed on this host; install it, or set certbot_manage_packages: true"
            )
        bundle = here.ca_bundle if params["ca"].strip() else None
        certbot = Certbot(
            server=wanted.server,
            email=wanted.email,
            webroot=wanted.webroot,
            environment=managed_files.own_environment(managed_files.environment(declared, bundle)),
            log=here.log,
        )
        outcome = converge.Convergence(here, wanted, config, certbot, _checks(params, here, wanted, now)).run(plan)
    result["certificates"] = [
        converge.facts(
            here, certificate, host.read_lineage(here, certificate.name), certificate.name in outcome.changed, now
        )
        for certificate in wanted.present
    ]
    present = {certificate.name for certificate in wanted.present}
    result["removed"] = sorted(outcome.changed - present)
    result["failures"] = outcome.failures
    for warning in outcome.warnings:
        module.warn(warning)
    return result, outcome.failures


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        wanted = parse(
            params["certificates"],
            directory=params["directory"],
            email=params["email"],
            webroot=params["webroot"],
            link_dir=params["link_dir"],
        )
        result, failures = _carry_out(module, wanted)
    except InputError as wrong:
        module.fail_json(msg=str(wrong))
    except (CommandError, OSError) as error:
        module.fail_json(msg=str(error))
    if failures:
        module.fail_json(msg="\n\n".join(failures), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
