"""URLs asked for as an app would: from its container's network, with its environment, and without its proxy as well."""

from __future__ import annotations

import base64
import http.client
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.portside.vps.plugins.module_utils import proxies
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import namespace, probe
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.containers import everything, own
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.route import (
    environment,
    proxy_of,
    route,
    with_scheme,
)
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.trust import Trust, trust
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError

# What a proxy says of its own accord for plain http.
PROXY_REFUSALS = (403, 407)


class Stopped(Exception):
    """An attempt ended before there was an answer."""

    def __init__(self, stage: str, error: str, status: int = 0) -> None:
        super().__init__(error)
        self.stage, self.error, self.status = stage, error, status


def _dial(host: str, port: int, stages: tuple[str, str]) -> socket.socket:
    """A connection; failing at the name or at the port are two stages."""
    try:
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise Stopped(stages[0], getattr(error, "strerror", None) or str(error)) from error
    said = ""
    for place in places:
        connection, seen = probe.connect(str(place[4][0]), port)
        if connection:
            return connection
        said = said or seen["error"]
    raise Stopped(stages[1], said)


def _tunnel(raw: socket.socket, host: str, port: int, login: str) -> None:
    """CONNECT (RFC 9110, section 9.3.6)."""
    target = proxies.authority(host, port)
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {probe.USER_AGENT}"]
    lines += [f"Proxy-Authorization: {login}"] if login else []
    try:
        raw.settimeout(probe.ANSWER_TIMEOUT)
        raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        answer = http.client.HTTPResponse(raw, method="CONNECT")
        answer.begin()
    except (OSError, http.client.HTTPException) as error:
        raise Stopped("proxy-tcp", str(error) or type(error).__name__) from error
    if answer.status != 200:
        raise Stopped("connect", answer.reason, answer.status)


def _login(proxy: proxies.Proxy) -> str:
    if not proxy.login:
        return ""
    user, _, password = proxy.login.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _read(proxy: str) -> proxies.Proxy | None:
    """The proxy of a variable; None for none. Where it can't be read, no library may say why: it would quote it."""
    if not proxy:
        return None
    if proxies.is_socks(proxy):
        raise Stopped("proxy-socks", "it is a SOCKS proxy")
    found = proxies.parse(with_scheme(proxy))
    if found is None:
        raise Stopped("proxy-url", "its URL can't be read")
    return found


def attempt(url: str, proxy: str, trusted: Trust) -> dict[str, Any]:
    """One request: `{stage, status, error, ms}`; the stage is `ok`, or where it ended.

    Args:
        url: what is asked for.
        proxy: the proxy's URL, empty for none.
        trusted: whose certificates are believed.
    """
    begin = time.monotonic()
    try:
        status, error = _attempt(url, _read(proxy), trusted)
        found = {"stage": "http" if status >= 500 else "ok", "status": status, "error": error}
    except Stopped as stopped:
        found = {"stage": stopped.stage, "status": stopped.status, "error": stopped.error}
    return {**found, "ms": probe.milliseconds(begin)}


def _attempt(url: str, proxy: proxies.Proxy | None, trusted: Trust) -> tuple[int, str]:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {}
    if proxy:
        raw = _dial(proxy.host, proxy.port, ("proxy-dns", "proxy-tcp"))
        if proxy.scheme == "https":
            raw = _secured(raw, proxy.host, trusted, ("proxy-certificate", "proxy-tls"))
        if parts.scheme == "https":
            _tunnel(raw, host, port, _login(proxy))
        else:
            target, headers = url, {"Proxy-Authorization": login} if (login := _login(proxy)) else {}
    else:
        raw = _dial(host, port, ("dns", "tcp"))
    if parts.scheme == "https":
        raw = _secured(raw, host, trusted, ("certificate", "tls"))
    answer = probe.ask(raw, parts.netloc, "GET", target, headers=headers)
    if not answer["status"]:
        raise Stopped("silent", answer["error"])
    if proxy and parts.scheme == "http" and answer["status"] in PROXY_REFUSALS and not answer["forwarded"]:
        raise Stopped("connect", "", answer["status"])
    return answer["status"], ""


def _secured(raw: socket.socket, host: str, trusted: Trust, stages: tuple[str, str]) -> Any:
    """The connection in TLS; a certificate that is not trusted and another failure are two stages."""
    secured, seen = probe.handshake(raw, host, probe.trusting(bundle=trusted.bundle, added=trusted.added))
    if secured is None:
        raise Stopped(stages[0] if seen["code"] else stages[1], seen["error"])
    return secured


def check(url: str, variables: Mapping[str, str], trusted: Trust) -> dict[str, Any]:
    """A URL the way the environment says, and, where that is a proxy, without it too."""
    proxy = proxy_of(url, variables)
    found = attempt(url, proxy, trusted)
    direct = attempt(url, "", trusted) if proxy else None
    if direct and found["stage"] == "connect" and url.startswith("http:") and direct["status"] == found["status"]:
        # The proxy passed it on: whoever was asked refuses it.
        found["stage"] = "ok"
    return {"url": url, "route": route(url, variables), "attempt": found, "direct": direct}


def untried(url: str, error: str) -> dict[str, Any]:
    """A URL that could not be asked for at all."""
    return {
        "url": url,
        "route": {"proxy": "", "variable": ""},
        "attempt": {"stage": "untried", "status": 0, "error": error, "ms": 0},
        "direct": None,
    }


def checks(urls: Sequence[str], variables: Mapping[str, str], trusted: Trust) -> list[dict[str, Any]]:
    """All URLs of an app, one after the other: they are few. One that can't be asked for leaves the others alone."""
    found = []
    for url in urls:
        try:
            found.append(check(url, variables, trusted))
        except (OSError, ValueError) as error:
            found.append(untried(url, str(error)))
    return found


def look(apps: Sequence[Mapping[str, Any]], state_dir: Path) -> dict[str, Any]:
    """What each app whose container runs can reach.

    Args:
        apps: items with `name` and `checks` (URLs).
        state_dir: where the releases are remembered.
    """
    found, _ = everything()
    tasks = []
    for app in apps:
        container = own(app["name"], _live(app["name"], state_dir), found)
        if not app["checks"] or container is None or container["status"] != "running":
            continue
        tasks.append((app, container, namespace.Task(container["pid"], _work(app["checks"], container))))
    return {
        app["name"]: {"container": container["name"], **_seen(app["checks"], task)} for app, container, task in tasks
    }


def _work(urls: Sequence[str], container: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
    def work() -> dict[str, Any]:
        variables = environment(container["env"])
        # Read through /proc, which the new mount namespace has too.
        trusted = trust(variables, Path(f"/proc/{container['pid']}/root"))
        return {
            "trust": {"stage": trusted.stage, "error": trusted.error},
            "checks": checks(urls, variables, trusted),
        }

    return work


def _seen(urls: Sequence[str], task: namespace.Task) -> dict[str, Any]:
    """What came of it; a container may end meanwhile, and that concerns this app alone."""
    try:
        return dict(task.result())
    except RuntimeError as error:
        return {"trust": {"stage": "", "error": ""}, "checks": [untried(url, str(error)) for url in urls]}


def _live(app: str, state_dir: Path) -> str:
    try:
        state = Store(state_dir).load(app)
    except StoreError:
        return ""
    return state.live.container if state and state.live else ""
