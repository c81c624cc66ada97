"""The path as it is drawn: for each hop a mark, a sentence, and a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding, listed

OK, UNSEEN = "ok", "unseen"

App = Mapping[str, Any]
Seen = Mapping[str, Any] | None
# What is good about a hop, and in how many milliseconds (None: nothing was timed); no text where nothing was seen.
Good = tuple[str, int | None]

NOTHING: Good = ("", None)


def path(app: App, host: Seen, outside: Seen, egress: Seen, findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The hops that the app has, in their order: `{hop, title, mark, seen, ms}`.

    A worker has neither names nor port, and so no way in. `mark` is `ok`, `broken`, `warning`, or `unseen` where an
    earlier hop hid it.
    """
    seen = (host or {}).get("apps", {}).get(app["name"])
    public = bool(app["domains"] and app["port"] is not None)
    good: dict[str, Callable[[], Good]] = {}
    if public:
        good[hops.DNS] = lambda: _dns(app, outside)
        good[hops.FIREWALL] = lambda: _firewall(outside)
        good[hops.NGINX] = lambda: _nginx(app, host, outside)
        good[hops.CERTIFICATE] = lambda: _certificate(app, seen, outside)
    if app["upstream_file"]:
        good[hops.LOOPBACK] = lambda: _loopback(seen)
    good[hops.CONTAINER] = lambda: _container(seen)
    if app["port"] is not None:
        good[hops.APP] = lambda: _app(app, seen)
    if app["checks"]:
        good[hops.EGRESS] = lambda: _egress(egress)
    return [_hop(hop, look, findings) for hop, look in good.items()]


def _hop(hop: str, look: Callable[[], Good], findings: Sequence[Finding]) -> dict[str, Any]:
    own = [one for one in findings if one["hop"] == hop]
    words, spent = look()
    if own:
        return {"hop": hop, "title": hops.TITLES[hop], "mark": own[0]["level"], "seen": own[0]["seen"], "ms": spent}
    mark = OK if words else UNSEEN
    return {"hop": hop, "title": hops.TITLES[hop], "mark": mark, "seen": words or "could not be seen", "ms": spent}


def _dns(app: App, outside: Seen) -> Good:
    if not outside:
        return NOTHING
    name = app["domains"][0]
    seen = outside["names"][name]["dns"]
    more = f" and {len(app['domains']) - 1} more" if len(app["domains"]) > 1 else ""
    return f"{name}{more} leads to {listed([*seen['4'], *seen['6']])}", seen["ms"]


def _firewall(outside: Seen) -> Good:
    answering = [one for one in (outside or {}).get("ports", []) if one["answer"] == "open"]
    if not answering:
        return NOTHING
    families = {"IPv6" if ":" in one["address"] else "IPv4" for one in answering}
    ports = sorted({one["port"] for one in answering})
    return f"{' and '.join(map(str, ports))} answer over {' and '.join(sorted(families))}", max(
        one["ms"] for one in answering
    )


def _nginx(app: App, host: Seen, outside: Seen) -> Good:
    if not host or not host["nginx"]["active"]:
        return NOTHING
    asked = (outside or {}).get("apps", {}).get(app["name"], {})
    hooks = [seen for seen in asked.get("webhooks", {}).values() if seen]
    first = next(iter(hooks), asked.get("health"))
    return "runs, with a valid configuration and a site of that name", first["ms"] if first else None


def _certificate(app: App, seen: Seen, outside: Seen) -> Good:
    facts = (seen or {}).get("certificates", {}).get(app["domains"][0])
    tls = outside["names"][app["domains"][0]]["tls"] if outside else []
    if not facts or not any(one["ok"] for one in tls):
        return NOTHING
    return f"valid for that name, complete, {facts['days']} days left", max(one["ms"] for one in tls)


def _loopback(seen: Seen) -> Good:
    answers = (seen or {}).get("answers")
    if not seen or not answers or answers["connect"]["answer"] != "open":
        return NOTHING
    return f"{seen['upstream']}, reachable on the server alone", answers["connect"]["ms"]


def _container(seen: Seen) -> Good:
    found = (seen or {}).get("container")
    if not found or found["status"] != "running":
        return NOTHING
    return f"{found['name']} has been running since {found['started'][:19].replace('T', ' ')} UTC", None


def _app(app: App, seen: Seen) -> Good:
    answers = (seen or {}).get("answers")
    if not answers or answers["connect"]["answer"] != "open":
        return NOTHING
    health, hooks = answers["health"], {**answers["webhooks"], **(seen or {}).get("elsewhere", {})}
    words = (
        [f"{app['health']['method']} {app['health']['path']}: {health['status']}"] if health else ["takes connections"]
    )
    words += [f"POST {where}: {one['status']}{_signed(one)}" for where, one in hooks.items()]
    times = [one["ms"] for one in (health, *hooks.values()) if one]
    return ", ".join(words), max(times, default=answers["connect"]["ms"])


def _signed(answer: Mapping[str, Any]) -> str:
    return f" unsigned, {answer['signed']} signed" if answer.get("signed") else ""


def _egress(egress: Seen) -> Good:
    if not egress or not egress["checks"]:
        return NOTHING
    words = [
        f"{telltale.address(check['url'])}: {check['attempt']['status']} {_through(check['route'])}"
        for check in egress["checks"]
    ]
    return ", ".join(words), max(check["attempt"]["ms"] for check in egress["checks"])


def _through(route: Mapping[str, Any]) -> str:
    if route["proxy"]:
        return f"through {route['proxy']} ({route['variable']})"
    return f"direct ({route['variable']})" if route["variable"] else "direct (no proxy variable)"
