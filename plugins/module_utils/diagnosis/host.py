"""What the host itself knows of the path of a request: nginx, certificates, ports, containers, and the app's answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import uplink
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.diagnosis import (
    certificates,
    containers,
    probe,
    told_by_nginx,
)
from ansible_collections.portside.vps.plugins.module_utils.files import read_text
from ansible_collections.portside.vps.plugins.module_utils.nginx import config
from ansible_collections.portside.vps.plugins.module_utils.releases import spoken
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState
from ansible_collections.portside.vps.plugins.module_utils.releases.store import Store, StoreError
from ansible_collections.portside.vps.plugins.module_utils.ufw import listeners
from ansible_collections.portside.vps.plugins.module_utils.ufw.entries import EntryError
from ansible_collections.portside.vps.plugins.module_utils.ufw.exposure import Socket, exposure

NGINX = "/etc/nginx"
NGINX_FILES = ("nginx.conf", "conf.d/*.conf", "sites-enabled/*")
MARKER = re.compile(r"^# configuration file (\S+):$", re.MULTILINE)
SERVER = re.compile(r"^\s*server\s+([0-9.]+:\d+|\[[0-9a-f:]+\]:\d+)", re.MULTILINE)
# Of each access log; the last attempts of a webhook are near its end.
LOG_BYTES = 262144
ATTEMPTS = 5
AT_ONCE = 16


def split_dump(dump: str) -> dict[str, str]:
    """The files of `nginx -T`, by path."""
    parts = MARKER.split(dump)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def sites(files: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every server block: `{file, names, addresses, defaults}`."""
    return [
        {"file": path, **{key: sorted(getattr(one, key)) for key in ("names", "addresses", "defaults")}}
        for path, text in sorted(files.items())
        for one in config.servers(text)
    ]


def nginx(root: Path = Path("/etc/nginx")) -> dict[str, Any]:
    """Whether nginx is installed and runs, what it says of its configuration, and which names that has."""
    try:
        tested = run(["nginx", "-T"], expect=())
    except CommandError as missing:
        return {"installed": False, "active": False, "state": str(missing), "valid": False, "said": "", "sites": []}
    state = run(["systemctl", "is-active", "nginx.service"], expect=()).stdout.strip()
    files = split_dump(tested.stdout) or {
        str(path): read_text(path) or "" for pattern in NGINX_FILES for path in root.glob(pattern) if path.is_file()
    }
    fatal = [line for line in tested.stderr.splitlines() if re.search(r"\[(emerg|crit|alert)\]", line)]
    return {
        "installed": True,
        "active": state == "active",
        "state": state,
        "valid": tested.status == 0,
        "said": (fatal or tested.stderr.strip().splitlines() or [""])[0] if tested.status else "",
        "sites": sites(files),
    }


def firewall() -> dict[str, Any]:
    """`{"active", "open": {"443/4": [...]}, "error"}`: to whom ufw opens the web ports, whoever listens there."""
    try:
        declared = listeners.declared()
    except (CommandError, EntryError, OSError, KeyError) as error:
        return {"active": False, "open": {}, "error": str(error)}
    web = [Socket("tcp", address, port, "") for port in (80, 443) for address in ("0.0.0.0", "::")]  # noqa: S104  # asks, binds nothing
    rows = exposure(web, declared)
    return {
        "active": any(one.active for one in declared.values()),
        "open": {f"{row['port']}/{row['family']}": row["open_to"] for row in rows},
        "error": "",
    }


def upstream(file: str) -> list[str]:
    """The addresses to which nginx sends the app's requests."""
    return SERVER.findall(read_text(Path(file)) or "") if file else []


def worst(places: Sequence[str]) -> str:
    """Of the addresses of an app's replicas the first on loopback that refuses, else the first; empty without any."""
    published = [place for place in places if place.startswith(("127.", "[::1]"))] or list(places)
    if len(published) > 1:
        for place in published:
            connection, _ = probe.connect(*split_place(place))
            if not connection:
                return place
            connection.close()
    return next(iter(published), "")


def behind(state: AppState | None, place: str) -> str:
    """The container that is published there, else the live release's first; empty where none is remembered."""
    serving = [release for release in (state.live, state.canary) if release] if state else []
    replicas = [replica for release in serving for replica in release.replicas]
    same = [one.container for one in replicas if one.host_port and place.endswith(f":{one.host_port}")]
    return next(iter([*same, *(one.container for one in replicas)]), "")


def logged(log: str) -> Iterator[dict[str, Any]]:
    """The requests in an access log in JSON, the newest first, each `path` without its query; none of a diagnosis."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
            entry["path"] = entry["uri"].partition("?")[0]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        if entry.get("user_agent") != probe.USER_AGENT:
            yield entry


def is_below(path: str, hook: str) -> bool:
    """Whether a path lies below a webhook's own."""
    return path.rstrip("/").startswith(f"{hook.rstrip('/')}/")


def attempts(log: str, paths: Sequence[str]) -> list[dict[str, Any]]:
    """The last requests for a webhook in an access log in JSON, the newest first, without those of a diagnosis.

    Their queries are left out: some senders have a token there.
    """
    found = []
    for entry in logged(log):
        path = entry["path"]
        if any(path.rstrip("/") == hook.rstrip("/") or is_below(path, hook) for hook in paths):
            shown = {key: entry.get(key) for key in ("time", "client", "method", "status", "seconds", "upstream")}
            found.append({**shown, "uri": path, "signed": entry.get("stripe_signature")})
        if len(found) == ATTEMPTS:
            break
    return found


def taken_below(log: str, paths: Sequence[str]) -> list[str]:
    """The webhooks below whose paths something was posted and taken, going by an access log."""
    taken = {
        entry["path"]
        for entry in logged(log)
        if entry.get("method") == "POST" and str(entry.get("status")).startswith("2")
    }
    return [hook for hook in paths if any(is_below(path, hook) for path in taken)]


def tail(path: Path, size: int = LOG_BYTES) -> str:
    """The end of a file, nothing where there is none."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(path.stat().st_size - size, 0))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""


def split_place(place: str) -> tuple[str, int]:
    """Address and port of `127.0.0.1:8000` or `[::1]:8000`."""
    host, _, port = place.rpartition(":")
    return host.strip("[]"), int(port)


def ask(place: str, name: str, method: str, path: str, *, scheme: str = "http", **options: Any) -> dict[str, Any]:
    """One request to a port of this host, as nginx would make it."""
    connection, seen = probe.connect(*split_place(place))
    if connection and scheme == "https":
        connection, seen = probe.handshake(connection, name, probe.trusting_anything())
    if not connection:
        return {"status": 0, "location": "", "error": seen["error"], "ms": seen["ms"]}
    heads = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1", **options.pop("headers", {})}
    return probe.ask(connection, name, method, path, headers=heads, **options)


def post(
    app: Mapping[str, Any], place: str, name: str, path: str, *, prefix: str = "", scheme: str = "http"
) -> dict[str, Any]:
    """A webhook without a signature and, given the secret, with one."""
    body = probe.event()
    heads = {"X-Forwarded-Prefix": prefix} if prefix else {}
    seen = ask(place, name, "POST", path, body=body, headers={**probe.webhook_headers(), **heads}, scheme=scheme)
    if app.get("secret"):
        headers = {**probe.webhook_headers(app["secret"], body), **heads}
        seen["signed"] = ask(place, name, "POST", path, body=body, headers=headers, scheme=scheme)["status"]
    return seen


def answers(app: Mapping[str, Any], place: str) -> dict[str, Any]:
    """What the app itself answers at its loopback port: `{connect, health, webhooks}`."""
    name = app["health"].get("host") or next(iter(app["domains"]), place)
    connection, connected = probe.connect(*split_place(place))
    if not connection:
        return {"connect": connected, "health": None, "webhooks": {}}
    connection.close()
    health = app["health"]
    scheme = health.get("scheme", "http")
    by_http = health["check"] == "http"
    seen = ask(place, name, health["method"], health["path"], scheme=scheme) if by_http else None
    own = [path for path in app["webhooks"] if path not in app.get("targets", {})]
    hooks = {path: post(app, place, name, path, scheme=scheme) for path in own}
    # Servers answer what is not their language with 400, or not at all.
    lost = seen is not None and seen["status"] in (0, 400)
    speaks = spoken.spoken(*split_place(place)) if lost else ""
    return {"connect": connected, "health": seen, "webhooks": hooks, "speaks": speaks}


def elsewhere(app: Mapping[str, Any], found: list[dict[str, Any]], state_dir: Path) -> dict[str, dict[str, Any]]:
    """What those answer to whom nginx hands webhooks of this app's site, by path, each with `by`, who that is.

    One that listens on no address and port (a socket, or a release that was never made) is not asked.
    """
    seen = {}
    for path, target in app.get("targets", {}).items():
        places = upstream(target["file"]) if target["file"] else target["servers"]
        place = worst([one for one in places if not one.startswith("unix:")])
        if place:
            by: dict[str, Any] = {"app": target["app"], "place": place, "container": "", "log": []}
            container = target["app"] and containers.own(
                target["app"], behind(_state(state_dir, target["app"]), place), found
            )
            if container:
                by |= {"container": container["name"], "log": containers.log(container["name"])}
            seen[path] = {
                **post(
                    app,
                    place,
                    app["domains"][0],
                    target["path"],
                    prefix=target["prefix"],
                    scheme=target.get("scheme", "http"),
                ),
                "by": by,
            }
    return seen


def _state(state_dir: Path, name: str) -> AppState | None:
    try:
        return Store(state_dir).load(name)
    except StoreError:
        return None


def look_at(app: Mapping[str, Any], found: list[dict[str, Any]], options: Mapping[str, str]) -> dict[str, Any]:
    """One app: certificates, upstream, container, answers, last webhook attempts."""
    name = app["name"]
    state, unreadable = None, ""
    try:
        state = Store(Path(options["state_dir"])).load(name)
    except StoreError as error:
        unreadable = str(error)
    live = state.live if state else None
    places = upstream(app["upstream_file"])
    if not places and live and live.host_port:
        places = [f"{app['bind']}:{live.host_port}"]
    place = worst(places)
    container = containers.own(name, behind(state, place), found)
    log = tail(Path(options["log_dir"]) / f"{name}.access.log")
    seen: dict[str, Any] = {
        "certificates": {
            domain: certificates.look(domain, Path(options["tls_dir"]) / name / "fullchain.pem")
            for domain in app["domains"]
        },
        "upstream": place,
        "upstream_file": app["upstream_file"],
        "state_error": unreadable,
        "image": live.image if live else "",
        "container": None,
        "answers": None,
        "elsewhere": elsewhere(app, found, Path(options["state_dir"])),
        "attempts": attempts(log, app["webhooks"]),
        "below": taken_below(log, app["webhooks"]),
        "upgrades": told_by_nginx.dropped_upgrades(logged(log), app.get("upgrade", ["websocket"])),
    }
    if container:
        shown = {key: value for key, value in container.items() if key not in ("env", "pid")}
        seen["container"] = {**shown, "listening": listening_in(container), "log": containers.log(container["name"])}
    if app["port"] is not None and place:
        owners = [one["name"] for one in found for bound in one["published"].values() if place in bound]
        seen["owner"] = owners[0] if owners else ""
        seen["answers"] = answers(app, place)
    return seen


def listening_in(container: Mapping[str, Any]) -> list[str]:
    """What waits for connections inside a running container."""
    return containers.listening(container["pid"]) if container["status"] == "running" and container["pid"] else []


def told(log_dir: Path, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What nginx's logs tell of the time since its files were written: `{complaints, no_proxy_line, checks}`."""
    error, access = tail(log_dir / "error.log"), tail(log_dir / "access.log")
    written = {name: _written(site["file"]) for site in files for name in site["names"]}
    common = _written(f"{NGINX}/conf.d/portside.conf")
    return {
        "complaints": list(told_by_nginx.complaints(error, written)),
        "no_proxy_line": told_by_nginx.without_proxy_line(error, common),
        "checks": told_by_nginx.unanswered_checks(access, common),
    }


def _written(path: str) -> float:
    """When a file was written, in seconds since 1970; 0 where there is none."""
    try:
        return Path(path).stat().st_mtime
    except OSError:
        return 0.0


def look(apps: Sequence[Mapping[str, Any]], options: Mapping[str, str]) -> dict[str, Any]:
    """The whole host.

    Args:
        apps: as the filter diagnose_apps gives them.
        options: `state_dir`, `tls_dir` and `log_dir`.
    """
    found, unanswered = containers.everything()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda app: look_at(app, found, options), apps))
    try:
        addresses, waiting = uplink.addresses(), listeners.sockets()
    except (CommandError, OSError) as error:
        addresses, waiting, unanswered = [], [], unanswered or str(error)
    served = nginx()
    return {
        "addresses": addresses,
        "listening": {
            str(port): sorted({s.who for s in waiting if s.protocol == "tcp" and s.port == port}) for port in (80, 443)
        },
        "firewall": firewall(),
        "nginx": served,
        "told": told(Path(options["log_dir"]), served["sites"]),
        "docker": unanswered,
        "apps": {app["name"]: one for app, one in zip(apps, seen, strict=True)},
    }
