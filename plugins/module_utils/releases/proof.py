"""The proof that nginx sends the public name's requests to the release that it was pointed at.

nginx on loopback is asked for the health path under the public name, by https, and tells in a header which server of
its upstream it asked (roles/nginx, templates/http.conf.j2: for requests from loopback alone). What stands before the
app (a password, an allow-list, maintenance, a redirect) may answer in its stead: then there is no such header, and that
proves nothing either way.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.releases import spoken
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App

HEADER = "X-Portside-Upstream"
LOOPBACK = "127.0.0.1"
# What nginx notes where nobody answered it, or not in time.
NOBODY = frozenset([502, 504])
TRIES, PAUSE = 3, 0.2


class NotProvenError(Exception):
    """nginx does not send the public name's requests to the new release; the message says what it does."""


@dataclass(frozen=True)
class Seen:
    """What came of one request.

    peer: the server that nginx asked last, as `address:port`; empty where it asked none.
    status: what that answered, 502 and 504 where it didn't.
    refused: nobody listens on the port.
    """

    peer: str = ""
    status: int = 0
    refused: bool = False


def servers(text: str) -> set[str]:
    """The servers that an upstream file names."""
    return set(re.findall(r"^server (\S+?)[ ;]", text, re.MULTILINE))


def seen(header: str) -> Seen:
    """What nginx's header says; it lists all the servers that it tried, the last one last."""
    peers, _, statuses = header.partition(";")
    last = re.split(r"[,:] ", statuses)[-1].strip()
    return Seen(re.split(r", | : ", peers)[-1].strip(), int(last) if last.isdigit() else 0)


def ask(app: App) -> Seen:
    """Ask nginx on loopback for the app's health path, under its public name; never through a proxy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # The first certificate is a placeholder, and whose it is does not matter here.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name, limit = app.front_host, app.health.request_timeout
    try:
        with socket.create_connection((LOOPBACK, app.front_port), timeout=limit) as plain:
            connection = http.client.HTTPConnection(name, timeout=limit)
            connection.sock = context.wrap_socket(plain, server_hostname=name)
            try:
                headers = {"User-Agent": "portside-health-probe", "X-Portside-Proof": "1", "Connection": "close"}
                method, path, body = app.health.method, app.health.path, None
                if app.front_protocol == "grpc":
                    # Whoever speaks gRPC answers that, and may break off anything else.
                    method, path, body = "POST", spoken.HEALTH_PATH, spoken.EMPTY_MESSAGE
                    headers |= {"Content-Type": "application/grpc", "TE": "trailers"}
                connection.request(method, path, body=body, headers=headers)
                return seen(connection.getresponse().headers.get(HEADER, ""))
            finally:
                connection.close()
    except ConnectionRefusedError:
        return Seen(refused=True)
    except (http.client.HTTPException, OSError):
        return Seen()


def problem(found: Seen, wanted: set[str], before: set[str]) -> str:
    """Why the switch did not work; empty where it did, or where that can't be told.

    Args:
        found: what came of a request.
        wanted: the servers that nginx was pointed at.
        before: those that it was pointed at until then.
    """
    if found.refused:
        return "nobody listens there"
    if found.peer in wanted:
        return f"nginx got no answer from {found.peer} ({found.status})" if found.status in NOBODY else ""
    return f"nginx still asks {found.peer}, the release before" if found.peer in before else ""


def prove(app: App, text: str, before: str, look: Callable[[App], Seen], clock: Clock) -> None:
    """Make sure that nginx uses the upstream file as it is now.

    Args:
        app: the app, with the name to ask for.
        text: the upstream file as it is now.
        before: as it was.
        look: asks nginx.
        clock: time.

    Raises:
        NotProvenError: it does not, as often as it was asked.
    """
    wanted, old = servers(text), servers(before)
    why = ""
    for _ in range(TRIES):
        why = problem(look(app), wanted, old)
        if not why:
            return
        clock.sleep(PAUSE)
    raise NotProvenError(
        f"asked for https://{app.front_host}{app.health.path} on {LOOPBACK}:{app.front_port} after the switch, {why}"
    )
