"""The way out of a container: which causes the attempts mean. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding, finding

OK = "ok"
# A proxy's answers to a login that is missing or wrong: RFC 9110 section 15.5.8; tinyproxy says 401 to a wrong one.
LOGIN = (401, 407)
# How far an attempt got before it failed (diagnosis/egress.py) -> the cause.
CAUSES = {
    "dns": "egress-dns",
    "tcp": "egress-closed",
    "proxy-dns": "proxy-unknown",
    "proxy-tcp": "proxy-unreachable",
    "connect": "proxy-refused",
    "certificate": "egress-certificate",
    "tls": "egress-tls",
    "http": "egress-answer",
    "silent": "egress-silent",
    "untried": "egress-untried",
}
# What is wrong with the CA certificates of a container (diagnosis/trust.py) -> the cause.
TRUST = {"file": "egress-ca-file", "none": "egress-ca-none"}


def egress(app: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """One finding for each URL that can't be reached the way the container's environment says.

    Args:
        app: its `name`.
        seen: `container`, `trust` (what is wrong with its CA certificates), and `checks`: for each URL `route`,
            `attempt` (that way) and `direct` (tried too where the route is a proxy, else None).
    """
    trust = seen["trust"]["stage"]
    if _trust_counts(trust, seen["checks"]):
        yield finding(TRUST[trust], app=app["name"], container=seen["container"], error=seen["trust"]["error"])
    for check in seen["checks"]:
        attempt, route, url = check["attempt"], check["route"], urlsplit(check["url"])
        if attempt["stage"] == OK or (attempt["stage"] == "certificate" and trust == "file"):
            continue
        host = url.hostname or ""
        cause = CAUSES[attempt["stage"]]
        if cause == "proxy-refused" and attempt["status"] in LOGIN:
            cause = "proxy-login"
        tried, or_direct = _without(check["direct"], host)
        yield finding(
            cause,
            app=app["name"],
            container=seen["container"],
            url=check["url"],
            host=host,
            port=url.port or (443 if url.scheme == "https" else 80),
            proxy=route["proxy"],
            variable=route["variable"],
            through=f" through the proxy {route['proxy']} ({route['variable']})" if route["proxy"] else "",
            status=attempt["status"],
            reason=attempt["error"],
            error=attempt["error"],
            tried=tried,
            or_direct=or_direct,
        )


def _trust_counts(trust: str, checks: Sequence[Mapping[str, Any]]) -> bool:
    """Whether anybody minds: without https nobody, and where a certificate is refused for want of a bundle, that is
    said of the certificate."""
    refused = any(check["attempt"]["stage"] == "certificate" for check in checks)
    secure = any(check["url"].startswith("https:") for check in checks)
    return secure and (trust == "file" or (trust == "none" and not refused))


def _without(direct: Mapping[str, Any] | None, host: str) -> tuple[str, str]:
    """What is said of going without the proxy: only what was tried."""
    if direct is None:
        return "", ""
    if direct["stage"] == OK:
        words = f" The same request without the proxy was tried and works ({direct['status']})."
        return words, f", or leave it out: `portside_egress.no_proxy: [{host}]`, or `egress: direct` for the app"
    return f" Without the proxy it doesn't work either ({direct['error'] or direct['stage']}).", ""
