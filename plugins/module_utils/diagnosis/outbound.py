"""The way out of a container: which causes the attempts mean. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding, finding
from ansible_collections.portside.vps.plugins.module_utils.inventory.egress import PROXIES
from ansible_collections.portside.vps.plugins.module_utils.proxies import VARIABLES

OK = "ok"
# A proxy's answers to a login that is missing or wrong: RFC 9110 section 15.5.8; tinyproxy says 401 to a wrong one.
LOGIN = (401, 407)
# How far an attempt got before it failed (diagnosis/egress.py) -> the cause.
CAUSES = {
    "dns": "egress-dns",
    "tcp": "egress-closed",
    "proxy-dns": "proxy-unknown",
    "proxy-tcp": "proxy-unreachable",
    "proxy-url": "proxy-url",
    "proxy-socks": "proxy-socks",
    "proxy-certificate": "proxy-certificate",
    "proxy-tls": "proxy-tls",
    "connect": "proxy-refused",
    "certificate": "egress-certificate",
    "tls": "egress-tls",
    "http": "egress-answer",
    "silent": "egress-silent",
    "untried": "egress-untried",
}
# Where a connection ends that the firewall refuses, and the errors by which its refusal is known (connect(2), for the
# ICMP messages "administratively prohibited": RFC 1812 section 5.2.7.1, RFC 4443 section 3.1).
UNREACHED = ("tcp", "proxy-tcp")
REFUSED = ("No route to host", "Permission denied", "Network is unreachable")
CERTIFICATE = ("certificate", "proxy-certificate")
# Where a proxy variable is declared, beside an app's `env` and `secrets`.
SHARED, OWN, IMAGE = "portside_egress", "egress", "image"
# What is wrong with the CA certificates of a container (diagnosis/trust.py) -> the cause.
TRUST = {"file": "egress-ca-file", "none": "egress-ca-none"}


def egress(app: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding for each URL that can't be reached the way the container's environment says.

    Args:
        app: its `name`, and `egress`: where each proxy variable of its container is declared (`sources`).
        seen: `container`, `trust` (what is wrong with its CA certificates), and `checks`: for each URL `route`,
            `attempt` (that way) and `direct` (tried too where the route is a proxy, else None).
    """
    trust = seen["trust"]["stage"]
    if _trust_counts(trust, seen["checks"]):
        yield finding(TRUST[trust], app=app["name"], container=seen["container"], error=seen["trust"]["error"])
    for check in seen["checks"]:
        attempt, route, url = check["attempt"], check["route"], urlsplit(check["url"])
        if attempt["stage"] == OK or (attempt["stage"] in CERTIFICATE and trust == "file"):
            continue
        host = url.hostname or ""
        cause = "egress-enforced" if _is_enforced(app, attempt) else CAUSES[attempt["stage"]]
        if cause == "proxy-refused" and attempt["status"] in LOGIN:
            cause = "proxy-login"
        tried, works = _without(check["direct"])
        place, leave_out = _declared(app, route["variable"], host)
        yield finding(
            cause,
            app=app["name"],
            container=seen["container"],
            url=telltale.address(check["url"]),
            host=host,
            port=url.port or (443 if url.scheme == "https" else 80),
            proxy=route["proxy"],
            variable=route["variable"],
            through=f" through the proxy {route['proxy']} ({route['variable']})" if route["proxy"] else "",
            status=attempt["status"],
            reason=attempt["error"],
            error=attempt["error"],
            tried=tried,
            or_direct=f", or leave it out: {leave_out}" if works else "",
            place=place,
            rule=app.get("enforced", {}).get("rule", ""),
        )


def _is_enforced(app: Mapping[str, Any], attempt: Mapping[str, Any]) -> bool:
    """Whether the firewall's rule for the app is what the attempt ended at.

    Args:
        app: with `enforced`: empty, or its `rule` in words, whether it lets `some` out, and `names` be looked up.
        attempt: one that failed.
    """
    enforced = app.get("enforced")
    if not enforced:
        return False
    if attempt["stage"] in ("dns", "proxy-dns"):
        return not enforced["names"]
    return attempt["stage"] in UNREACHED and (not enforced["some"] or any(word in attempt["error"] for word in REFUSED))


def _trust_counts(trust: str, checks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether anybody minds: without https nobody, and where a certificate is refused for want of a bundle, that is
    said of the certificate."""
    refused = any(check["attempt"]["stage"] in CERTIFICATE for check in checks)
    secure = refused or any(check["url"].startswith("https:") for check in checks)
    return secure and (trust == "file" or (trust == "none" and not refused))


def _without(direct: Mapping[str, Any] | None) -> tuple[str, bool]:
    """What is said of going without the proxy: only what was tried; and whether it works."""
    if direct is None:
        return "", False
    if direct["stage"] == OK:
        return f" The same request without the proxy was tried and works ({direct['status']}).", True
    return f" Without the proxy it doesn't work either ({direct['error'] or direct['stage']}).", False


def _declared(app: Mapping[str, Any], variable: str, host: str) -> tuple[str, str]:
    """Where a proxy variable is declared, and what goes past the proxy there: the other places would change nothing."""
    name, source = app["name"], app["egress"].get(variable.lower(), IMAGE)
    if source == SHARED:
        return "`portside_egress`", f"`portside_egress.no_proxy: [{host}]`, or `egress: direct` for the app"
    if source == OWN:
        place = f"`egress` of app {name}"
        return place, f"`no_proxy: [{host}]` in {place}, or `egress: direct` for the app"
    both = f"`{variable.lower()}` and `{variable.upper()}`"
    if source == IMAGE:
        place = f"{both} in `env` of app {name} (what is there now comes from the image)"
        return place, f"both variables empty in `env` of app {name}, or {host} in its `no_proxy` and `NO_PROXY`"
    return f"{both} in `{source}` of app {name}", f"{host} in `no_proxy` and `NO_PROXY` there, or without the variable"


def sources(app: Mapping[str, Any], way: Mapping[str, Any] | None) -> dict[str, str]:
    """Where each proxy variable of an app is declared, by its name in lower case; what is missing, the image has set.

    Args:
        app: with `egress`, `env` and `secrets`. Only names are taken from them, no values.
        way: the proxies that it uses, None for the direct way.
    """
    shared = app["egress"] == "proxy"
    found = {name: SHARED if shared else OWN for name in PROXIES if (way or {}).get(name)}
    # What the user wrote takes the variable's place (inventory/wiring.py).
    return found | {
        name.lower(): kind for kind in ("env", "secrets") for name in app[kind] if name.lower() in VARIABLES
    }
