"""The ACME server's directory (RFC 8555, section 7.1.1): which profiles there are."""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.request
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import NO_PROFILE, Problem

# Seconds.
TIMEOUT = 10.0


def profiles_in(document: str) -> frozenset[str] | None:
    """The profiles that a directory names; None if it is no directory.

    Source: draft-ietf-acme-profiles, section 3: `profiles` in `meta`, names with a description each.
    """
    try:
        read = json.loads(document)
        if not isinstance(read, dict) or "newOrder" not in read:
            return None
        return frozenset((read.get("meta") or {}).get("profiles") or ())
    except (ValueError, TypeError, AttributeError):
        return None


def proxy_for(url: str, environment: Mapping[str, str]) -> str | None:
    """The proxy that a program with this environment goes through to a URL; None for none."""
    parts = urlsplit(url)
    proxies = {
        name.lower().removesuffix("_proxy"): value
        # The name in lower case comes last and wins, as in every library that reads these.
        for name, value in sorted(environment.items())
        if name.lower().endswith("_proxy") and value
    }
    if urllib.request.proxy_bypass(parts.netloc, proxies):
        return None
    return proxies.get(parts.scheme) or proxies.get("all")


def profiles(server: str, environment: Mapping[str, str]) -> frozenset[str] | None:
    """The profiles that the ACME server has; None if it can't be asked (the order will say why).

    Args:
        server: the directory's https URL.
        environment: certbot's: its proxies, and its CAs in REQUESTS_CA_BUNDLE.
    """
    proxy = proxy_for(server, environment)
    try:
        context = ssl.create_default_context(cafile=environment.get("REQUESTS_CA_BUNDLE") or None)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": proxy} if proxy else {}),
            urllib.request.HTTPSHandler(context=context),
        )
        with opener.open(server, timeout=TIMEOUT) as answer:
            return profiles_in(answer.read().decode("utf-8", "replace"))
    except (OSError, ValueError, http.client.HTTPException):
        return None


def lacking_profile(server: str, profile: str, there: Collection[str] | None) -> list[Problem]:
    """What an order with this profile would founder on.

    A server without profiles ignores the one that is asked for (RFC 8555, section 7.1: unknown fields are), and certbot
    takes what it gets: the certificate would have another lifetime than the user wants.

    Args:
        server: the directory's URL.
        profile: the wanted one.
        there: those that the server has; None if it could not be asked.
    """
    if there is None or profile in there:
        return []
    has = f"it has {', '.join(sorted(there))}" if there else "it has none at all"
    return [Problem(NO_PROFILE, f"{server} has no profile `{profile}`, {has}")]
