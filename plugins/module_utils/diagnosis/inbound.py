"""From the internet to nginx: which causes mean what was seen of an app's names. Nothing here asks anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import addresses
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding, finding, listed
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.probe import (
    BODY_BYTES,
    OPEN,
    SENDER_TIMEOUT,
    UNREACHABLE,
)

# Let's Encrypt's staging roots and intermediates carry one of these in their names
# (https://letsencrypt.org/docs/staging-environment/).
STAGING = ("(STAGING)", "Fake LE")
REDIRECTS = (301, 302, 303, 307, 308)
# What nginx answers in the app's stead while the app is away.
AWAY = (502, 503, 504)
FORBIDDEN = 403


def dns(domain: str, seen: Mapping[str, Any], known: Sequence[str], own: Sequence[str] = ()) -> Iterator[Finding]:
    """A and AAAA of a name against the host's addresses; nothing to compare with is nothing to blame.

    Args:
        domain: the name.
        seen: what a look-up gave.
        known: the host's addresses, as the internet reaches it.
        own: those that the host itself knows, private ones too.
    """
    if not (seen["4"] or seen["6"]):
        cause = "dns-failed" if seen["error"] else "dns-missing"
        yield finding(cause, name=domain, error=seen["error"], expected=listed(known, "the server's address"))
        return
    for family, cause in (("4", "a"), ("6", "aaaa")) if known else ():
        mine = addresses.of_family(known, family)
        # Private ones, left out of what is known, may be what NAT stands before, or what a name of the office leads to.
        mine = mine or [one for one in addresses.of_family(own, family) if not addresses.is_global(one)]
        strangers = [address for address in seen[family] if address not in mine]
        if strangers:
            hidden = bool(mine) and not any(map(addresses.is_global, mine))
            nat = hidden and any(map(addresses.is_global, strangers))
            kind = "dns-behind-nat" if nat else f"dns-wrong-{cause}" if mine else f"dns-extra-{cause}"
            yield finding(kind, name=domain, found=listed(strangers), expected=listed(mine))


def firewall(outside: Mapping[str, Any], host: Mapping[str, Any] | None) -> Iterator[Finding]:
    """Ports that don't answer from outside, unless nobody waits behind them, which is nginx's business.

    One finding for each port and cause, with all the addresses that it holds for.
    """
    closed: dict[tuple[int, str], list[Mapping[str, Any]]] = {}
    for one in outside["ports"]:
        cause = "" if one["answer"] in (OPEN, UNREACHABLE) else _why_closed(one, host)
        if cause:
            closed.setdefault((one["port"], cause), []).append(one)
    for (port, cause), ones in closed.items():
        rules = listed(_rules(ones[0], host), "nobody")
        answer = ones[0]["error"] or ones[0]["answer"]
        places = listed(list(dict.fromkeys(one["address"] for one in ones)))
        yield finding(cause, port=port, address=places, answer=answer, rules=f"open to {rules}")


def _rules(one: Mapping[str, Any], host: Mapping[str, Any] | None) -> list[str]:
    """To whom ufw opens a port of an address."""
    family = "6" if ":" in one["address"] else "4"
    return list(host["firewall"]["open"].get(f"{one['port']}/{family}", ["anyone"])) if host else []


def _why_closed(one: Mapping[str, Any], host: Mapping[str, Any] | None) -> str:
    if host is None:
        return "firewall-or-down"
    if "anyone" not in _rules(one, host):
        return "firewall-closed"
    return "firewall-provider" if host["listening"][str(one["port"])] else ""


def _has(site: Mapping[str, Any], name: str) -> bool:
    name, names = name.lower(), [own.lower() for own in site["names"]]
    return any(name == own or (own.startswith("*.") and name.endswith(own[1:])) for own in names)


def _https(site: Mapping[str, Any]) -> bool:
    return any(address.endswith(":443") for address in site["addresses"])


def named(host: Mapping[str, Any], name: str) -> bool:
    """Whether nginx has a site for the name on 443."""
    return any(_has(site, name) and _https(site) for site in host["nginx"]["sites"])


def nginx(host: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether it runs and can go on running."""
    seen = host["nginx"]
    if not seen["installed"]:
        yield finding("nginx-missing")
        return
    if not seen["valid"]:
        yield finding("nginx-invalid", said=seen["said"])
    elif not seen["active"]:
        yield finding("nginx-stopped", state=seen["state"])
    else:
        for port, who in host["listening"].items():
            if "nginx" not in who:
                yield finding("nginx-not-listening", port=port, who=listed(who, "nobody"))


def site(
    app: Mapping[str, Any], domain: str, host: Mapping[str, Any], tls: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """A site of that very name."""
    if named(host, domain):
        return
    defaults = [one for one in host["nginx"]["sites"] if any(place.endswith(":443") for place in one["defaults"])]
    # Portside's own default server refuses the handshake; with another's there is a certificate, be it a wrong one.
    answered = any(seen["ok"] or seen["code"] for seen in tls)
    cause = "site-default" if answered else "site-missing"
    yield finding(cause, name=domain, app=app["name"], file=listed([one["file"] for one in defaults], "unknown file"))


def certificate(
    app: Mapping[str, Any], domain: str, facts: Mapping[str, Any] | None, tls: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    """The certificate of a name: what it says of itself explains what a careful client thinks of it."""
    refused = next((seen for seen in tls if not seen["ok"]), None)
    words = {
        "error": refused["error"] if refused else "",
        "address": refused["address"] if refused else "",
        "issuer": facts["issuer"] if facts else "unknown",
    }
    told = ((not refused["code"], "certificate-handshake"), (True, "certificate-untrusted")) if refused else ()
    if facts:
        words |= {
            "not_after": f"{facts['not_after'][:16].replace('T', ' ')} UTC",
            "names": listed(facts["names"]),
            "days": facts["days"],
            "serial": facts["serial"],
            "on_disk": facts["on_disk"],
        }
    cause = next((cause for holds, cause in (*_explanations(domain, facts, refused, bool(tls)), *told) if holds), "")
    if not cause and facts and facts["late"]:
        cause = "certificate-soon"
    if cause:
        yield finding(cause, name=domain, app=app["name"], **words)


def _explanations(
    domain: str, facts: Mapping[str, Any] | None, refused: Mapping[str, Any] | None, tried: bool
) -> tuple[tuple[bool, str], ...]:
    """What a certificate says of itself that would make a client refuse it, the plainest first."""
    if not facts:
        return ()
    return (
        (facts["self_signed"], "certificate-placeholder"),
        (facts["days"] < 0, "certificate-expired"),
        (not facts["begun"], "certificate-future"),
        (not any(_has({"names": [name]}, domain) for name in facts["names"]), "certificate-name"),
        (any(word in facts["issuer"] for word in STAGING), "certificate-staging"),
        # A client that knows the intermediate is content; one that was not there to ask may not be.
        (facts["chain"] == 1 and bool(refused or not tried), "certificate-chain"),
        (not refused and facts["on_disk"] not in ("", facts["serial"]), "certificate-stale"),
    )


def webhook(
    app: Mapping[str, Any], path: str, seen: Mapping[str, Any] | None, direct: Mapping[str, Any] | None
) -> Iterator[Finding]:
    """A webhook through nginx against the same request to the app itself.

    Args:
        app: its `name`, `domains`, and by path of the webhook `allowed`, the senders that it declares, and `certified`,
            whether the `site` or the `webhook` itself wants a client certificate.
        path: of the webhook.
        seen: what was answered outside.
        direct: what the app answered at its loopback port; None where it couldn't be asked.
    """
    if seen is None or (direct is not None and not direct["status"]):
        return
    url = f"https://{app['domains'][0]}{path}"
    words = {"url": url, "path": path, "app": app["name"], "status": seen["status"] or seen["error"]}
    seconds = seen["ms"] / 1000
    # Where the app itself is as slow, that is said of the app.
    if seconds > SENDER_TIMEOUT and (direct is None or direct["ms"] / 1000 <= SENDER_TIMEOUT):
        spent = f"{'' if seen['status'] else 'more than '}{seconds:.0f}"
        itself = f"takes {direct['ms']} ms" if direct else "couldn't be asked"
        yield finding("webhook-slow", **words, seconds=spent, itself=itself)
    elif seen["status"] in REDIRECTS:
        yield finding("webhook-redirected", **words, location=telltale.address(seen["location"]))
    elif direct is not None and seen["status"] != direct["status"]:
        allowed = app.get("allowed", {}).get(path, [])
        forbidden = "webhook-guarded" if allowed else "webhook-forbidden"
        wants = app.get("certified", {}).get(path)
        if wants == "webhook" and seen["status"] == FORBIDDEN:
            # As it was declared: whoever looks has no certificate.
            return
        if wants:
            forbidden = "webhook-certificate"
        cause = {401: "webhook-password", FORBIDDEN: forbidden, 413: "webhook-too-large"}.get(
            seen["status"], "webhook-stopped"
        )
        yield finding(cause, **words, direct=direct["status"], bytes=BODY_BYTES, allowed=listed(allowed))
    elif direct and _accepted(direct.get("signed")) and not _accepted(seen.get("signed")):
        yield finding("webhook-altered", status=seen.get("signed"))


def _accepted(status: Any) -> bool:
    return bool(status) and 200 <= int(status) < 300


def page(app: Mapping[str, Any], seen: Mapping[str, Any] | None, direct: Mapping[str, Any] | None) -> Iterator[Finding]:
    """The health path through nginx: 503 is nginx's own when the app answers something else, and so is a redirect to
    the very page that was asked for."""
    if seen and seen["status"] in REDIRECTS and not (direct and direct["status"] in REDIRECTS):
        url = f"https://{app['domains'][0]}{app['health']['path']}"
        if seen["location"] == url:
            yield finding("redirect-loop", url=url, status=seen["status"], app=app["name"])
    if seen and direct and direct["status"] and seen["status"] in AWAY and seen["status"] != direct["status"]:
        words = {"name": app["domains"][0], "path": app["health"]["path"], "status": seen["status"]}
        yield finding("nginx-unavailable", **words, direct=direct["status"])


def told(app: Mapping[str, Any], host: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """What nginx's logs say of requests to the app's names that it did not pass on as they came."""
    logs = host.get("told", {})
    causes = {"header": "header-too-large", "underscore": "header-underscore"}
    for one in logs.get("complaints", ()):
        if any(_has({"names": [one["server"]]}, name) for name in app["domains"]):
            yield finding(causes[one["kind"]], what=one["what"], name=one["server"], app=app["name"])
    if seen.get("upgrades"):
        yield finding("upgrade-dropped", tokens=listed(seen["upgrades"]), app=app["name"])
    if logs.get("no_proxy_line"):
        yield finding("proxy-protocol-missing", count=logs["no_proxy_line"])
    for check in logs.get("checks", ())[:1]:
        yield finding("balancer-unanswered", **check)
