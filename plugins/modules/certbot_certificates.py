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
  - Installs a check with a timer of its own, which fails when what is served is not what is on disk, or when a
    certificate comes too near its end; a unit that fails raises an alarm.
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
        description:
          - The names in the certificate, in any order. Wildcards need I(certificates[].dns), IP addresses certbot 5.4.
        type: list
        elements: str
        default: []
      key_type:
        description: The kind of its key; the module's I(key_type) if left out.
        type: str
        choices: [ecdsa, rsa]
      profile:
        description: Its ACME profile; the module's I(profile) if left out. Needs certbot 4.
        type: str
      dns:
        description: Name of an item of I(dns) that proves its names by records in DNS. Left out, the webroot does.
        type: str
      own:
        description:
          - The user's own certificate in place of one from the ACME server. Its key has to fit, its chain to be
            complete, and its names to cover I(certificates[].domains).
        type: dict
        suboptions:
          certificate:
            description: The certificate and then its chain, as PEM text or the absolute path of a file on the host.
            type: str
            required: true
          key:
            description: Its private key, likewise.
            type: str
            required: true
      served_at:
        description: Where it is shown; the module's I(served_at) if left out.
        type: list
        elements: str
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
  source:
    description:
      - Which certbot to use, that of the distribution's package or what M(portside.vps.certbot_venv) has installed.
    type: str
    choices: [distribution, pypi]
    default: distribution
  key_type:
    description: The kind of key of certificates that name none.
    type: str
    choices: [ecdsa, rsa]
    default: ecdsa
  profile:
    description: The ACME profile of certificates that name none. Empty for the ACME server's default.
    type: str
    default: ""
  eab:
    description: External account binding, with which some CAs know their customers.
    type: dict
    suboptions:
      kid:
        description: The key id.
        type: str
        required: true
      hmac_key:
        description: The HMAC key, base64url.
        type: str
        required: true
  dns:
    description: The ways to prove names by records in DNS.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: How certificates refer to it.
        type: str
        required: true
      authenticator:
        description: certbot's plugin, V(dns-rfc2136) or V(manual) for instance.
        type: str
        required: true
      options:
        description: The plugin's options, without its name before them, V(propagation-seconds) for instance.
        type: dict
        default: {}
      credentials:
        description: The text of the plugin's credentials file, which is kept with mode 0600.
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
  served_at:
    description:
      - C(host:port) of each place where the certificates are shown by TLS. The check compares what is shown there under
        each name with what is on disk. Empty for no comparison.
    type: list
    elements: str
    default: ["127.0.0.1:443"]
  alarm_command:
    description:
      - Program and arguments that are run when a renewal, a deployment or the check has failed. What happened is on its
        standard input.
    type: list
    elements: str
    default: []
  alarm_url:
    description: URL that is told the same as the body of a POST. It may hold a token, and is kept out of logs.
    type: str
    default: ""
  service_writable:
    description:
      - Directories that I(check_command) and I(reload_command) write to in the timer's renewals, beside those of
        certbot and nginx. The service sees everything else read-only.
    type: list
    elements: path
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

import contextlib
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot import (
    cli_ini,
    converge,
    directory,
    host,
    managed_files,
    own,
    preflight,
    report,
)
from ansible_collections.portside.vps.plugins.module_utils.certbot import plan as plans
from ansible_collections.portside.vps.plugins.module_utils.certbot.client import Certbot
from ansible_collections.portside.vps.plugins.module_utils.certbot.declaration import DIRECTORIES
from ansible_collections.portside.vps.plugins.module_utils.certbot.dns import host_resolver
from ansible_collections.portside.vps.plugins.module_utils.certbot.guard import Guard
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import account_urls
from ansible_collections.portside.vps.plugins.module_utils.certbot.preflight import Preflight
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import InputError, Wanted, parse
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError
from ansible_collections.portside.vps.plugins.module_utils.lock import LockError, alone
from ansible_collections.portside.vps.plugins.module_utils.quiet import QuietModule
from ansible_collections.portside.vps.plugins.module_utils.telling import no_traceback

ARGUMENTS: dict[str, Any] = {
    "certificates": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": {"type": "str", "required": True},
            "domains": {"type": "list", "elements": "str", "default": []},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "key_type": {"type": "str", "choices": ["ecdsa", "rsa"]},
            "profile": {"type": "str"},
            "dns": {"type": "str"},
            "own": {
                "type": "dict",
                "options": {
                    "certificate": {"type": "str", "required": True},
                    "key": {"type": "str", "required": True, "no_log": True},
                },
            },
            "served_at": {"type": "list", "elements": "str"},
        },
    },
    "directory": {"type": "str", "default": DIRECTORIES["production"]},
    "email": {"type": "str", "default": ""},
    "source": {"type": "str", "choices": ["distribution", "pypi"], "default": "distribution"},
    "key_type": {"type": "str", "choices": ["ecdsa", "rsa"], "default": "ecdsa"},
    "profile": {"type": "str", "default": ""},
    "eab": {
        "type": "dict",
        "options": {
            "kid": {"type": "str", "required": True},
            "hmac_key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "dns": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "name": {"type": "str", "required": True},
            "authenticator": {"type": "str", "required": True},
            "options": {"type": "dict", "default": {}},
            "credentials": {"type": "str", "default": "", "no_log": True},
        },
    },
    "ca": {"type": "str", "default": ""},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    "preflight": {"type": "str", "choices": ["refuse", "warn", "off"], "default": "refuse"},
    "caa_identities": {"type": "list", "elements": "str", "default": []},
    "failed_orders_per_hour": {"type": "int", "default": 3},
    "webroot": {"type": "path", "default": "/var/www/acme"},
    "link_dir": {"type": "str", "default": ""},
    "check_command": {"type": "list", "elements": "str", "default": []},
    "reload_command": {"type": "list", "elements": "str", "default": []},
    "served_at": {"type": "list", "elements": "str", "default": ["127.0.0.1:443"]},
    "alarm_command": {"type": "list", "elements": "str", "default": []},
    "alarm_url": {"type": "str", "default": "", "no_log": True},
    "service_writable": {"type": "list", "elements": "path", "default": []},
}


def _checks(
    params: dict[str, Any], here: Host, wanted: Wanted, environment: Mapping[str, str], now: datetime
) -> converge.Checks:
    """What is looked at before an order."""
    looks = Preflight(
        webroot=here.root / wanted.webroot.lstrip("/"),
        identities=preflight.identities(wanted.server, params["caa_identities"]),
        resolver=host_resolver(),
        own=preflight.host_addresses(),
        accounts=lambda: account_urls(here.config_dir, wanted.server),
    )
    return converge.Checks(
        preflight=None if params["preflight"] == "off" else looks,
        strict=params["preflight"] == "refuse",
        guard=Guard(here.failed_orders, wanted.server, params["failed_orders_per_hour"], now),
        profiles=lambda: directory.profiles(wanted.server, environment),
    )


def _carry_out(module: QuietModule, wanted: Wanted) -> tuple[dict[str, Any], list[str]]:
    """Plan and, outside check mode, do it; returns the result and the failures."""
    params = module.params
    here, now = Host(), datetime.now(UTC)
    declared = {str(key): str(value) for key, value in params["environment"].items()}
    from_pypi = params["source"] == "pypi"
    program = host.certbot_program(here, from_pypi)
    config = managed_files.hook_config(here, wanted, params["check_command"], params["reload_command"], program)
    watch = managed_files.Watch(
        params["served_at"], params["alarm_command"], params["alarm_url"], params["service_writable"]
    )
    files = managed_files.managed_files(
        here, wanted, ca=params["ca"], declared=declared, config=config, watch=watch, from_pypi=from_pypi
    )
    standing = plans.plan(here, wanted, files, config, now)
    result: dict[str, Any] = {"changed": standing.changed, "diff": report.diff(here, wanted, standing)}
    changed = {step.certificate.name for step in standing.steps if step.needed}
    outcome = converge.Outcome(changed=changed)
    if standing.changed and not module.check_mode:
        if plans.needs_certbot(standing) and shutil.which(program) is None:
            raise CommandError(
                "certbot is not installed on this host; install it, or set certbot_manage_packages: true"
            )
        bundle = here.ca_bundle if params["ca"].strip() else None
        environment = managed_files.own_environment(managed_files.environment(declared, bundle))
        certbot = Certbot(
            server=wanted.server,
            email=wanted.email,
            webroot=wanted.webroot,
            environment=environment,
            log=here.log,
            program=program,
            credentials={dns.name: here.credentials(dns.name) for dns in wanted.dns if dns.credentials},
            eab=wanted.eab,
            account=plans.account(here, wanted),
            cli_ini=cli_ini.files({**os.environ, **environment}, here.config_dir),
        )
        checks = _checks(params, here, wanted, environment, now)
        outcome = converge.Convergence(here, wanted, config, certbot, checks).run(standing)
    # What was not touched needs no second look, which costs a process for each certificate.
    known = {step.certificate.name: step.lineage for step in standing.steps if module.check_mode or not step.needed}
    result["certificates"] = [
        report.facts(
            here,
            certificate,
            known.get(certificate.name) or host.read_lineage(here, certificate.name),
            certificate.name in outcome.changed,
            now,
        )
        for certificate in wanted.present
    ]
    present = {certificate.name for certificate in wanted.present}
    result["removed"] = sorted(outcome.changed - present)
    result["failures"] = outcome.failures
    for warning in outcome.warnings:
        module.warn(warning)
    return result, outcome.failures


def _check_own(wanted: Wanted) -> None:
    """See that all of the user's own files are fit; a host without openssl yet is taken at its word.

    Raises:
        InputError: some are not.
    """
    unfit = []
    for certificate in wanted.present if shutil.which("openssl") else ():
        try:
            own.check(Host(), certificate, datetime.now(UTC))
        except own.Unfit as error:
            unfit.append(f"certificate {certificate.name}: {error}")
    if unfit:
        raise InputError("\n".join(unfit))


@no_traceback
def main() -> None:
    """Entry point."""
    module = QuietModule(argument_spec=ARGUMENTS, supports_check_mode=True, facts=("certificates", "removed"))
    params = module.params
    for item in params["certificates"]:
        module.make_public([item["name"], *(item.get("domains") or ())])
    try:
        wanted = parse(
            params["certificates"],
            directory=params["directory"],
            email=params["email"],
            webroot=params["webroot"],
            link_dir=params["link_dir"],
            key_type=params["key_type"],
            profile=params["profile"],
            dns=params["dns"],
            eab=params["eab"],
            version=host.certbot_version(Host(), params["source"] == "pypi"),
            environment=params["environment"],
            service_writable=params["service_writable"],
        )
        _check_own(wanted)
        # Before the certificates are read: what another run has just ordered is not ordered again.
        with contextlib.nullcontext() if module.check_mode else alone(host.LOCK, host.LOCK_LIMIT):
            result, failures = _carry_out(module, wanted)
    except InputError as wrong:
        module.fail_json(msg=str(wrong))
    except (CommandError, LockError, OSError) as error:
        module.fail_json(msg=str(error))
    if failures:
        module.fail_json(msg="\n\n".join(failures), **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
