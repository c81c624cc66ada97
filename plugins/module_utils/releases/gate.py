"""The health gate: a release takes traffic once it has answered as it will have to answer nginx."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Condition
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App, Health


class NotHealthyError(Exception):
    """The container did not pass; the message says what was seen of it last."""


@dataclass(frozen=True)
class Answer:
    """What a probe got: an HTTP status, or the reason why there was none."""

    status: int | None = None
    error: str = ""


def probe(address: str, port: int, health: Health) -> Answer:
    """Ask the app as nginx would: with the public Host header, and saying that the client came by https.

    A plain connection to loopback: proxy variables of this process's environment play no part.
    """
    connection = http.client.HTTPConnection(address, port, timeout=health.request_timeout)
    headers = {
        "Host": health.host,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": address,
        "User-Agent": "portside-health-probe",
        "Connection": "close",
    }
    try:
        connection.request("GET", health.path, headers=headers)
        return Answer(status=connection.getresponse().status)
    except TimeoutError:
        return Answer(error=f"no answer within {health.request_timeout:g} s")
    except (http.client.HTTPException, OSError, socket.gaierror) as error:
        return Answer(error=str(error) or type(error).__name__)
    finally:
        connection.close()


def crashed(condition: Condition) -> str | None:
    """Why the container will not get healthy any more, or None while it runs."""
    if condition.restarts or condition.status == "restarting":
        return f"it keeps ending and being started again (last exit status {condition.exit_code})"
    if condition.status in {"exited", "dead", "removing"}:
        why = " (out of memory)" if condition.out_of_memory else f": {condition.error}" if condition.error else ""
        return f"it ended with exit status {condition.exit_code}{why}"
    return None


def describe(app: App, last: Answer | None) -> str:
    """What was seen of an app that did not get healthy in time, and where to look."""
    health = app.health
    where = f"GET {health.path} (Host: {health.host}) on port {app.port}"
    expected = " or ".join(str(status) for status in health.status)
    if last is None:
        return f"{where} was never asked"
    if last.status is not None:
        return f"{where} answered {last.status} and not {expected} for {health.timeout:g} s"
    return (
        f"{where} got no answer for {health.timeout:g} s ({last.error}). Does the app listen on that port, "
        f"and on all addresses (0.0.0.0:{app.port}) rather than on the container's own 127.0.0.1?"
    )


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
) -> None:
    """Wait until the container is fit to take traffic.

    One that has no port has to stay up for `health.grace` seconds; one that has must give `health.successes` good
    answers in a row within `health.timeout`. A container that ends fails at once.

    Raises:
        NotHealthyError: it did not pass.
    """
    health = app.health
    begin = clock.now()
    good = 0
    last: Answer | None = None
    while True:
        state = condition()
        end = crashed(state)
        if end:
            raise NotHealthyError(end)
        waited = clock.now() - begin
        if host_port is None:
            if state.status == "running" and waited >= health.grace:
                return
        elif state.status == "running":
            last = ask(app.bind, host_port, health)
            good = good + 1 if last.status in health.status else 0
            if good >= health.successes:
                return
        if clock.now() - begin >= max(health.timeout, health.grace):
            raise NotHealthyError(describe(app, last) if host_port else f"it is {state.status}, and not running")
        clock.sleep(health.interval)
