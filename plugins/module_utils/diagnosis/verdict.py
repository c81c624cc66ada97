"""What all observations mean together: findings in the order of the path, and the path itself for drawing.

The first broken hop is blamed; what can't be judged because of it is not, and what is broken besides comes after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import behind, hops, inbound, outbound, path
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes import BROKEN
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding

App = Mapping[str, Any]
Seen = Mapping[str, Any] | None


def verdict(app: App, host: Seen, outside: Seen, egress: Seen, addresses: Sequence[str]) -> dict[str, Any]:
    """The diagnosis of one app.

    Args:
        app: as diagnose_apps gives it.
        host: what the module diagnose_host found; None where it couldn't be asked.
        outside: what diagnose_outside found; None for nothing.
        egress: what diagnose_egress found of this app; None for nothing.
        addresses: the host's, as the internet reaches it; empty where nobody knows them.
    """
    found = _unique(_findings(app, host, outside, egress, addresses))
    found.sort(key=lambda one: (one["level"] != BROKEN, hops.ORDER.index(one["hop"])))
    seen = (host or {}).get("apps", {}).get(app["name"], {})
    return {
        "app": app["name"],
        "domains": app["domains"],
        "ok": not any(one["level"] == BROKEN for one in found),
        "findings": found,
        "path": path.path(app, host, outside, egress, found),
        "attempts": seen.get("attempts", []),
    }


def _unique(findings: Iterator[Finding]) -> list[Finding]:
    """Two names of an app may have the same trouble in the same words."""
    kept: dict[tuple[str, str], Finding] = {}
    for one in findings:
        kept.setdefault((one["cause"], one["seen"]), one)
    return list(kept.values())


def _findings(app: App, host: Seen, outside: Seen, egress: Seen, addresses: Sequence[str]) -> Iterator[Finding]:
    seen = (host or {}).get("apps", {}).get(app["name"])
    if app["domains"]:
        if outside:
            for domain in app["domains"]:
                yield from inbound.dns(
                    domain, outside["names"][domain]["dns"], addresses, (host or {}).get("addresses", ())
                )
            yield from inbound.firewall(outside, host)
        if host:
            yield from inbound.nginx(host)
            yield from _sites(app, host, outside, seen or {})
            yield from inbound.told(app, host, seen or {})
    if host and seen:
        yield from behind.container(app, seen, host["docker"])
        yield from behind.loopback(app, seen)
        yield from behind.application(app, seen)
        yield from behind.elsewhere(app, seen)
    if outside and app["domains"]:
        yield from _requests(app, host, outside, seen)
    if egress:
        yield from outbound.egress(app, egress)


def _sites(app: App, host: Mapping[str, Any], outside: Seen, seen: Mapping[str, Any]) -> Iterator[Finding]:
    for domain in app["domains"]:
        tls = outside["names"][domain]["tls"] if outside else []
        if host["nginx"]["installed"]:
            yield from inbound.site(app, domain, host, tls)
        # Without a site of its own the name has another's certificate, and that is no second trouble.
        if inbound.named(host, domain):
            yield from inbound.certificate(app, domain, seen.get("certificates", {}).get(domain), tls)


def _requests(app: App, host: Seen, outside: Mapping[str, Any], seen: Seen) -> Iterator[Finding]:
    """What nginx does with a request, judged against the app's own answer where that is known."""
    if host and not inbound.named(host, app["domains"][0]):
        return
    asked = outside["apps"].get(app["name"], {"webhooks": {}, "health": None})
    direct = (seen or {}).get("answers") or {"webhooks": {}, "health": None}
    hooks = {**direct["webhooks"], **(seen or {}).get("elsewhere", {})}
    for where in app["webhooks"]:
        yield from inbound.webhook(app, where, asked["webhooks"].get(where), hooks.get(where))
    yield from inbound.page(app, asked["health"], direct["health"])
