"""The health gate: a release takes traffic once it has answered as it will have to answer nginx."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Condition
from ansible_collections.portside.vps.plugins.module_utils.releases import spoken
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health

# Seconds within which Docker's proxy closes a connection for which nobody listens in the container.
CLOSES_WITHIN = 0.5


class NotHealthyError(Exception):
    """The container did not pass; the message says what was seen of it last."""


@dataclass(frozen=True)
class Answer:
    """What a probe got: an HTTP status, a connection, or the reason why there was none."""

    status: int | None = None
    error: str = ""
    connected: bool = False

    def good(self, health: Health) -> bool:
        """Whether it is one that counts."""
        return self.connected if health.check in {"tcp", "grpc"} else self.status in health.status


def probe(address: str, port: int, health: Health) -> Answer:
    """Ask the app as its gate says; proxy variables of this process's environment play no part."""
    return {"tcp": _connect, "grpc": _ask_grpc}.get(health.check, _ask)(address, port, health)


def _ask_grpc(address: str, port: int, health: Health) -> Answer:
    """Ask gRPC's own health service for the whole server."""
    try:
        said = spoken.grpc_serving(
            address, port, health.request_timeout, tls=health.scheme == "https", name=health.host
        )
    except TimeoutError:
        return Answer(error=f"no answer within {health.request_timeout:g} s")
    except (OSError, spoken.SpokenError) as error:
        return Answer(error=str(error) or type(error).__name__)
    return Answer(connected=True) if said == "SERVING" else Answer(error=f"it says {said}")


def _connect(address: str, port: int, health: Health) -> Answer:
    """Open a connection. Docker's proxy accepts it whether or not the app listens, and closes it again if not."""
    try:
        with socket.create_connection((address, port), timeout=health.request_timeout) as connection:
            connection.settimeout(min(CLOSES_WITHIN, health.request_timeout))
            if connection.recv(1):
                return Answer(connected=True)
            return Answer(error="the connection was closed at once")
    except TimeoutError:
        # Silence on an open connection: the app waits for us to speak first. (Loopback connects at once or never.)
        return Answer(connected=True)
    except OSError as error:
        return Answer(error=str(error) or type(error).__name__)


def _ask(address: str, port: int, health: Health) -> Answer:
    """Ask the app as nginx would: with the public Host header, and saying that the client came by https."""
    limit = health.request_timeout
    connection = http.client.HTTPConnection(address, port, timeout=limit)
    headers = {
        "Host": health.host,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": address,
        "User-Agent": "portside-health-probe",
        "Connection": "close",
    }
    try:
        connection.sock = spoken.opened(address, port, limit, tls=health.scheme == "https", name=health.host)
        connection.request(health.method, health.path, headers=headers)
        return Answer(status=connection.getresponse().status)
    except TimeoutError:
        return Answer(error=f"no answer within {limit:g} s")
    # UnicodeError: a path that an earlier Portside kept, and that no request line can hold (http.client).
    except (http.client.HTTPException, OSError, socket.gaierror, UnicodeError) as error:
        return Answer(error=str(error) or type(error).__name__)
    finally:
        connection.close()


def crashed(condition: Condition, restarts: int = 0) -> str | None:
    """Why the container will not get healthy any more, or None while it runs; `restarts` are those of the past."""
    if condition.restarts > restarts or condition.status == "restarting":
        return f"it keeps ending and being started again (last exit status {condition.exit_code})"
    if condition.status in {"exited", "dead", "removing"}:
        why = " (out of memory)" if condition.out_of_memory else f": {condition.error}" if condition.error else ""
        return f"it ended with exit status {condition.exit_code}{why}"
    return None


def describe(app: App, last: Answer | None) -> str:
    """What was seen of an app that did not get healthy in time, and where to look."""
    health = app.health
    where = f"{health.method} {health.path} (Host: {health.host}) on port {app.port}"
    if health.check == "tcp":
        where = f"a connection to port {app.port}"
    if health.check == "grpc":
        where = f"{spoken.HEALTH_PATH} on port {app.port}"
    expected = " or ".join(str(status) for status in health.status)
    if last is None:
        return f"{where} was never asked"
    if last.status is not None:
        return f"{where} answered {last.status} and not {expected} for {health.timeout:g} s"
    return (
        f"{where} got no answer for {health.timeout:g} s ({last.error}). Does the app listen on that port, "
        f"and on all addresses (0.0.0.0:{app.port}) rather than on the container's own 127.0.0.1?"
    )


def other_language(health: Health, speaks: str) -> str:
    """What to write where the app speaks something else than it was asked in; empty where it doesn't."""
    asked = spoken.HTTP2 if health.check == "grpc" and health.scheme == "http" else health.scheme
    if speaks == asked:
        return ""
    return {
        spoken.HTTPS: "It speaks https on that port, and no plain http: write `site: {scheme: https}` for the app "
        "(`health: {scheme: https}` with the role alone), or have it speak plain http, since nobody but this server "
        "hears it",
        spoken.HTTP2: "It speaks HTTP/2 alone on that port, as gRPC does: write `site: {protocol: grpc}` for the app "
        "(`health: {check: grpc}` or `{check: tcp}` with the role alone)",
        spoken.HTTP: "It speaks plain http/1.1 on that port: take `scheme: https`, `protocol: grpc` and "
        "`check: grpc` out of `site` and `health`",
    }.get(speaks, "")


def unhealthy(
    app: App, host_port: int | None, state: Condition, last: Answer | None, speaks: Callable[[str, int], str]
) -> str:
    """Why the time is up."""
    if app.health.check == "image":
        return f"its image's HEALTHCHECK said `{state.health}` for {app.health.timeout:g} s"
    if not host_port:
        return f"it is {state.status}, and not running"
    said = describe(app, last)
    # What servers say of TLS that is not there, or of its absence: 400, or an answer that is none.
    if app.health.check in {"http", "grpc"} and last and last.status in {None, 400}:
        other = other_language(app.health, speaks(app.bind, host_port))
        return f"{said.partition('. Does the app listen')[0]}. {other}" if other else said
    return said


def healthy_by_image(state: Condition) -> bool:
    """What the image's own HEALTHCHECK says; `starting` is no.

    Raises:
        NotHealthyError: there is none, or it has failed as often as the image allows.
    """
    if state.status == "running" and not state.health:
        raise NotHealthyError("`health.check: image` needs an image with a HEALTHCHECK, and this one has none")
    if state.health == "unhealthy":
        raise NotHealthyError("its image's HEALTHCHECK failed as often as the image allows")
    return state.health == "healthy"


@dataclass(frozen=True)
class Clock:
    """Time, so that a test can make it up: both in seconds."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


def wait_healthy(
    app: App,
    host_port: int | None,
    condition: Callable[[], Condition],
    ask: Callable[[str, int, Health], Answer],
    clock: Clock,
    *,
    restarts: int = 0,
    speaks: Callable[[str, int], str] = spoken.spoken,
) -> None:
    """Wait until the container is fit to take traffic.

    One that is asked by its image's HEALTHCHECK is fit when Docker says so. One that has no port has to stay up for
    `health.grace` seconds; one that has must give `health.successes` good answers in a row within `health.timeout`. A
    container that ends fails at once; of one that has served for a while, the `restarts` before now do not count. Where
    an app gave no answer in HTTP, `speaks` finds out what it speaks.

    Raises:
        NotHealthyError: it did not pass.
    """
    health = app.health
    begin = clock.now()
    good = 0
    last: Answer | None = None
    while True:
        state = condition()
        end = crashed(state, restarts)
        if end:
            raise NotHealthyError(end)
        waited = clock.now() - begin
        if health.check == "image":
            if healthy_by_image(state):
                return
        elif host_port is None:
            if state.status == "running" and waited >= health.grace:
                return
        elif state.status == "running":
            last = ask(app.bind, host_port, health)
            good = good + 1 if last.good(health) else 0
            if good >= health.successes:
                return
        if clock.now() - begin >= max(health.timeout, health.grace):
            raise NotHealthyError(unhealthy(app, host_port, state, last, speaks))
        clock.sleep(health.interval)
