"""URLs asked for as an app would: from its container's network, with its environment, and without its proxy as well."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import namespace, probe
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.containers import everything, own
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.route import environment, proxy_of, route
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError

# What libraries read for another bundle of CA certificates, in the order in which requests and OpenSSL do.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Where images have it: Debian and Alpine, Red Hat.
CA_FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# What a proxy says of its own accord for plain http.
PROXY_REFUSALS = (403, 407)


class Stopped(Exception):
    """An attempt ended before there was an answer."""

    def __init__(self, stage: str, error: str, status: int = 0) -> None:
        super().__init__(error)
        self.stage, self.error, self.status = stage, error, status


def ca_file(variables: Mapping[str, str], root: Path) -> str:
    """The bundle that programs in a container trust, as a path of the host; the host's own where the image has none.

    Args:
        variables: the container's environment.
        root: its root directory, as the host sees it.
    """
    wanted = [variables[name] for name in CA_VARIABLES if variables.get(name)]
    found = next(
        (root / path.lstrip("/") for path in (*wanted, *CA_FILES) if (root / path.lstrip("/")).is_file()), None
    )
    return str(found) if found else ""


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
    lines = [f"CONNECT {host}:{port} HTTP/1.1", f"Host: {host}:{port}", f"User-Agent: {probe.USER_AGENT}"]
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


def _login(proxy: str) -> str:
    parts = urlsplit(proxy)
    if not parts.username:
        return ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def attempt(url: str, proxy: str, trusted: str) -> dict[str, Any]:
    """One request: `{stage, status, error, ms}`; the stage is `ok`, or where it ended.

    Args:
        url: what is asked for.
        proxy: the proxy's URL, empty for none.
        trusted: the bundle of CA certificates; empty for the machine's own.
    """
    begin = time.monotonic()
    try:
        status, error = _attempt(url, proxy if not proxy or "://" in proxy else f"http://{proxy}", trusted)
        found = {"stage": "http" if status >= 500 else "ok", "status": status, "error": error}
    except Stopped as stopped:
        found = {"stage": stopped.stage, "status": stopped.status, "error": stopped.error}
    return {**found, "ms": probe.milliseconds(begin)}


def _attempt(url: str, proxy: str, trusted: str) -> tuple[int, str]:
    parts, through = urlsplit(url), urlsplit(proxy)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {}
    if proxy:
        secure = through.scheme == "https"
        raw = _dial(through.hostname or "", through.port or (443 if secure else 80), ("proxy-dns", "proxy-tcp"))
        if secure:
            raw = _secured(raw, through.hostname or "", trusted)
        if parts.scheme == "https":
            _tunnel(raw, host, port, _login(proxy))
        else:
            target, headers = url, {"Proxy-Authorization": login} if (login := _login(proxy)) else {}
    else:
        raw = _dial(host, port, ("dns", "tcp"))
    if parts.scheme == "https":
        raw = _secured(raw, host, trusted)
    answer = probe.ask(raw, parts.netloc, "GET", target, headers=headers)
    if not answer["status"]:
        raise Stopped("http", answer["error"])
    if proxy and parts.scheme == "http" and answer["status"] in PROXY_REFUSALS:
        raise Stopped("connect", "", answer["status"])
    return answer["status"], ""


def _secured(raw: socket.socket, host: str, trusted: str) -> ssl.SSLSocket:
    secured, seen = probe.handshake(raw, host, probe.trusting(file=trusted))
    if secured is None:
        raise Stopped("certificate" if seen["code"] else "tls", seen["error"])
    return secured


def check(url: str, variables: Mapping[str, str], trusted: str) -> dict[str, Any]:
    """A URL the way the environment says, and, where that is a proxy, without it too."""
    proxy = proxy_of(url, variables)
    return {
        "url": url,
        "route": route(url, variables),
        "attempt": attempt(url, proxy, trusted),
        "direct": attempt(url, "", trusted) if proxy else None,
    }


def checks(urls: Sequence[str], variables: Mapping[str, str], trusted: str) -> list[dict[str, Any]]:
    """All URLs of an app, one after the other: they are few."""
    return [check(url, variables, trusted) for url in urls]


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
        variables = environment(container["env"])
        trusted = ca_file(variables, Path(f"/proc/{container['pid']}/root"))
        urls = list(app["checks"])
        work = _work(urls, variables, trusted)
        tasks.append((app["name"], container["name"], namespace.Task(container["pid"], work)))
    return {name: {"container": container, "checks": task.result()} for name, container, task in tasks}


def _work(urls: Sequence[str], variables: Mapping[str, str], trusted: str) -> Any:
    # The bundle is read through /proc, which the new mount namespace has too.
    return lambda: checks(urls, variables, trusted)


def _live(app: str, state_dir: Path) -> str:
    try:
        state = Store(state_dir).load(app)
    except StoreError:
        return ""
    return state.live.container if state and state.live else ""
