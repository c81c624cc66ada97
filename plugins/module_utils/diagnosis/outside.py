"""What somebody on the internet sees of an app: its names, its ports, its certificate, its webhooks."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import probe
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.addresses import to_try

FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}
PORTS = (80, 443)
AT_ONCE = 32
# The name does not exist, or has no address of that family; all else means that nobody could be asked (netdb.h).
NOT_THERE = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", -5), getattr(socket, "EAI_ADDRFAMILY", -9)}


def look_up(name: str) -> dict[str, Any]:
    """`{"4": [...], "6": [...], error, ms}`: the addresses of a name, as this machine's resolver gives them."""
    begin = time.monotonic()
    found: dict[str, Any] = {"4": [], "6": [], "error": ""}
    for family, number in FAMILIES.items():
        try:
            answers = socket.getaddrinfo(name, None, number, socket.SOCK_STREAM)
            found[family] = sorted({str(answer[4][0]) for answer in answers})
        except socket.gaierror as error:
            if error.errno not in NOT_THERE:
                found["error"] = error.strerror or str(error)
        except UnicodeError as error:
            found["error"] = str(error)
    return {**found, "ms": probe.milliseconds(begin)}


def reach(address: str, port: int) -> dict[str, Any]:
    """Whether a port answers: `{address, port, answer, error, ms}`."""
    connection, seen = probe.connect(address, port)
    if connection:
        connection.close()
    return {"address": address, "port": port, **seen}


def certificate(name: str, address: str, trusted: str) -> dict[str, Any] | None:
    """What a careful client says of the certificate for a name at an address; None where the port does not answer."""
    connection, _ = probe.connect(address, 443)
    if not connection:
        return None
    secured, seen = probe.handshake(connection, name, probe.trusting(trusted))
    if secured:
        secured.close()
    return {"address": address, **seen}


def request(name: str, address: str, method: str, target: str, **options: Any) -> dict[str, Any] | None:
    """One request over https, whatever the certificate; None where there was no connection or no handshake."""
    connection, _ = probe.connect(address, 443)
    if not connection:
        return None
    secured, _ = probe.handshake(connection, name, probe.trusting_anything())
    return {"address": address, **probe.ask(secured, name, method, target, **options)} if secured else None


def webhook(name: str, address: str, path: str, secret: str = "") -> dict[str, Any] | None:
    """A POST as Stripe sends it, without a signature and, given the secret, with one."""
    body = probe.event()
    seen = request(name, address, "POST", path, body=body, headers=probe.webhook_headers())
    if seen and secret:
        signed = request(name, address, "POST", path, body=body, headers=probe.webhook_headers(secret, body))
        seen["signed"] = signed and signed["status"]
    return seen


def look(apps: Sequence[dict[str, Any]], addresses: Sequence[str], trusted: str = "") -> dict[str, Any]:
    """Everything, many things at a time.

    Args:
        apps: items with `name`, `domains`, `webhooks` (paths), `health` and perhaps `secret`.
        addresses: the host's, as the internet reaches it; without a public one those of the names are tried.
        trusted: certificates (PEM) to trust in place of this machine's own.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = list(dict.fromkeys(domain for app in apps for domain in app["domains"]))
        dns = dict(zip(names, pool.map(look_up, names), strict=True))
        named = [address for seen in dns.values() for family in FAMILIES for address in seen[family]]
        places = [(address, port) for address in to_try(addresses, named) for port in PORTS]
        ports = list(pool.map(lambda place: reach(*place), places)) if names else []
        answering = [seen["address"] for seen in ports if seen["port"] == 443 and seen["answer"] == probe.OPEN]
        pairs = [(name, address) for name in names for address in answering]
        tls: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for (name, _), seen in zip(
            pairs, pool.map(lambda pair: certificate(pair[0], pair[1], trusted), pairs), strict=True
        ):
            tls[name] += [seen] if seen else []
        found = list(pool.map(lambda app: requests(app, answering), apps))
    return {
        "ports": ports,
        "names": {name: {"dns": dns[name], "tls": tls[name]} for name in names},
        "apps": {app["name"]: seen for app, seen in zip(apps, found, strict=True)},
    }


def requests(app: dict[str, Any], answering: Sequence[str]) -> dict[str, Any]:
    """The app's webhooks and health path, asked under its first name at the first address that answers."""
    if not (app["domains"] and answering):
        return {"webhooks": {}, "health": None}
    name, address = app["domains"][0], answering[0]
    hooks = {path: webhook(name, address, path, app.get("secret") or "") for path in app["webhooks"]}
    return {"webhooks": hooks, "health": request(name, address, "GET", app["health"]["path"])}
