"""What is said about a plan: Ansible's diff, and the facts that the module returns."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.certbot import own
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host, read_leaf
from ansible_collections.portside.vps.plugins.module_utils.certbot.lineage import Lineage
from ansible_collections.portside.vps.plugins.module_utils.certbot.plan import Plan, Step
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate, Wanted


def facts(host: Host, certificate: Certificate, lineage: Lineage, changed: bool, now: datetime) -> dict[str, Any]:
    """What is returned about one certificate."""
    leaf, path = lineage.leaf, host.live_dir(certificate.name)
    if certificate.own:
        path = own.directory(host, certificate.name)
        leaf = read_leaf(path / "fullchain.pem") if (path / "fullchain.pem").exists() else None
    return {
        "name": certificate.name,
        "domains": list(certificate.domains),
        "changed": changed,
        "days_left": leaf.days_left(now) if leaf else None,
        "not_before": leaf.not_before.strftime("%Y-%m-%dT%H:%M:%SZ") if leaf else None,
        "not_after": leaf.not_after.strftime("%Y-%m-%dT%H:%M:%SZ") if leaf else None,
        "serial": leaf.serial if leaf else None,
        "issuer": leaf.issuer if leaf else None,
        "server": lineage.conf.params.get("server") if lineage.conf and not certificate.own else None,
        "path": str(path) if leaf else None,
    }


def _link_line(link: Path | None, target: str | None) -> str:
    return f"  {link} -> {target or '(nothing)'}\n" if link is not None else ""


def _described(name: str, domains: Iterable[str], server: str | None, key_type: str | None, profile: str) -> str:
    lines = [f"certificate {name}:", f"  domains: {', '.join(sorted(domains))}", f"  server: {server}"]
    lines += [f"  key: {key_type}", *([f"  profile: {profile}"] if profile else [])]
    return "\n".join(lines) + "\n"


def _step_diff(host: Host, wanted: Wanted, step: Step) -> dict[str, str]:
    certificate, lineage = step.certificate, step.lineage
    before = after = ""
    if lineage.conf is not None and lineage.leaf is not None:
        params = lineage.conf.params
        before = _described(
            certificate.name,
            lineage.leaf.names,
            params.get("server"),
            params.get("key_type"),
            params.get("required_profile", ""),
        )
    before += _link_line(step.link, step.points_to) if before or step.points_to else ""
    if certificate.present:
        domains, key_type, profile = certificate.domains, certificate.key_type, certificate.profile
        if certificate.own:
            after = f"certificate {certificate.name}: the user's own, for {', '.join(sorted(domains))}\n"
            after += _link_line(step.link, str(own.directory(host, certificate.name)))
        else:
            after = _described(certificate.name, domains, wanted.server, key_type, profile)
            after += _link_line(step.link, str(host.live_dir(certificate.name)))
        after += "".join(f"  ordered: {reason}\n" for reason in step.reasons)
        after += "".join(f"  {key}: {value}\n" for key, value in {**step.edit.values, **step.edit.params}.items())
        if step.deploy and not step.reasons:
            after += "  the web server is told\n"
    header = f"certificate {certificate.name}"
    return {"before_header": header, "after_header": header, "before": before, "after": after}


def diff(host: Host, wanted: Wanted, what: Plan) -> list[dict[str, str]]:
    """The differences, in Ansible's form."""
    found = [file.diff() for file in what.files if file.changed]
    if what.webroot is not None:
        found.append(
            {
                "before_header": str(what.webroot),
                "after_header": str(what.webroot),
                "before": "",
                "after": "directory\n",
            }
        )
    found += [
        {
            "before_header": timer.name,
            "after_header": timer.name,
            "before": f"{timer}\n",
            "after": "enabled, active\n",
        }
        for timer in what.timers
        if not timer.on
    ]
    if what.register or what.update_account:
        header = f"account at {wanted.server}"
        contact = f"contact: {wanted.email or 'none'}\n"
        found.append({"before_header": header, "after_header": header, "before": "", "after": contact})
    return found + [_step_diff(host, wanted, step) for step in what.steps if step.needed]
