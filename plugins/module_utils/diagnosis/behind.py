"""Behind nginx: the loopback port, the container, the app. Which causes the host's observations mean; asks nobody."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis.finding import Finding, finding, listed
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.probe import SENDER_TIMEOUT

# Seconds for which a container that is in a loop runs at most: Docker counts its restarts for ever, and waits up to a
# minute between two (https://docs.docker.com/engine/containers/start-containers-automatically/).
LOOP = 60
# What a route that doesn't exist, or takes no POST, answers.
NO_ROUTE = (404, 405)


def _loopback(place: str) -> bool:
    return ipaddress.ip_address(place.rpartition(":")[0].strip("[]")).is_loopback


def container(app: Mapping[str, Any], seen: Mapping[str, Any], docker: str) -> Iterator[Finding]:
    """Whether the container is there and stays."""
    found = seen["container"]
    if docker:
        yield finding("docker-down", error=docker)
    elif found is None:
        yield finding("container-missing", app=app["name"])
    else:
        words = {"container": found["name"], "app": app["name"], "exit_code": found["exit_code"]}
        reason = " (out of memory)" if found["out_of_memory"] else f": {found['error']}" if found["error"] else ""
        if found["status"] == "restarting" or (found["restarts"] and found["status"] != "running"):
            yield finding("container-restarting", log=found["log"], restarts=found["restarts"], reason=reason, **words)
        elif found["status"] in ("exited", "dead", "created", "removing"):
            yield finding("container-dead", log=found["log"], reason=reason, **words)
        elif found["status"] != "running":
            yield finding("container-paused", status=found["status"], **words)
        elif looping(found):
            yield finding("container-restarting", log=found["log"], restarts=found["restarts"], reason=reason, **words)
        elif found["health"] == "unhealthy":
            yield finding("container-unhealthy", log=found["log"], **words)


def looping(found: Mapping[str, Any]) -> bool:
    """Whether a container that runs just now was started again and again, the last time a moment ago.

    Nothing listens in it between two ends.
    """
    return found["restarts"] > 1 and found["up"] < LOOP and not found["listening"]


def loopback(app: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether the way from nginx leads to the app's own container. Blames nothing while the container doesn't run."""
    found = seen["container"]
    if app["port"] is None or found is None or found["status"] != "running":
        return
    published = sorted({place for places in found["published"].values() for place in places})
    public = [place for place in published if not _loopback(place)]
    if public:
        yield finding("published-publicly", container=found["name"], published=listed(public), app=app["name"])
    if not app["upstream_file"]:
        return
    words = {"app": app["name"], "upstream": seen["upstream"], "container": found["name"]}
    if not seen["upstream"]:
        yield finding("upstream-missing", file=app["upstream_file"], app=app["name"])
    elif seen["owner"] and seen["owner"] != found["name"]:
        yield finding("upstream-stranger", owner=seen["owner"], **words)
    elif not _meets(seen["upstream"], published):
        yield finding("upstream-elsewhere", published=listed(published, "no port at all"), **words)
    elif (seen["answers"] or {}).get("connect", {}).get("answer") not in ("open", None) and serving(app, found):
        yield finding("upstream-closed", error=seen["answers"]["connect"]["error"], **words)


def _meets(upstream: str, published: Sequence[str]) -> bool:
    port = upstream.rpartition(":")[2]
    return upstream in published or f"0.0.0.0:{port}" in published


def inside(app: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """What listens in the container where nginx could reach it, and what listens for the container alone.

    Docker's own resolver (127.0.0.11) is no server of the app's.
    """
    places = [place for place in found["listening"] if not place.startswith("127.0.0.11:")]
    return [place for place in places if not _loopback(place)], [place for place in places if _loopback(place)]


def serving(app: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Whether the app listens where the inventory says."""
    return any(place.rpartition(":")[2] == str(app["port"]) for place in inside(app, found)[0])


def application(app: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """What the app itself does with a request. Blames nothing while the container doesn't run."""
    found = seen["container"]
    if app["port"] is None or found is None or found["status"] != "running" or looping(found):
        return
    words = {"app": app["name"], "container": found["name"], "port": app["port"]}
    if not serving(app, found):
        open_, closed = inside(app, found)
        mine = [place for place in closed if place.rpartition(":")[2] == str(app["port"])]
        if mine or (closed and not open_):
            yield finding("app-on-loopback", listening=listed(mine or closed), **words)
        elif open_:
            yield finding("app-other-port", listening=listed(open_), **words)
        else:
            yield finding("app-not-listening", log=found["log"], **words)
        return
    answers = seen["answers"]
    if answers and answers["connect"]["answer"] == "open":
        yield from _health(app, answers["health"], found, answers.get("speaks", ""))
        for path, answer in answers["webhooks"].items():
            yield from _webhook(app, path, answer, found, seen.get("below", ()))


def elsewhere(app: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[Finding]:
    """Webhooks of this app's site that nginx hands to another: what that one does with them."""
    for path, answer in seen.get("elsewhere", {}).items():
        by = answer["by"]
        who = f"app {by['app']}" if by["app"] else f"the program at {by['place']}"
        if not answer["status"] and answer["ms"] / 1000 <= SENDER_TIMEOUT:
            words = {"path": path, "who": who, "upstream": by["place"], "error": answer["error"]}
            yield finding("webhook-nobody", log=by["log"], app=app["name"], **words)
        else:
            target = {"name": by["container"] or by["place"], "log": by["log"]}
            yield from _webhook(app, path, answer, target, seen.get("below", ()))


def _health(
    app: Mapping[str, Any], answer: Mapping[str, Any] | None, found: Mapping[str, Any], speaks: str
) -> Iterator[Finding]:
    if answer is None:
        return
    words = {"app": app["name"], "container": found["name"]}
    if speaks and speaks != app["health"].get("scheme", "http"):
        cause = {"https": "app-speaks-https", "h2": "app-speaks-grpc"}.get(speaks, "app-speaks-http")
        yield finding(cause, port=app["port"], **words)
    elif not answer["status"]:
        yield finding("app-silent", log=found["log"], error=answer["error"], **words)
    elif answer["status"] not in app["health"]["status"]:
        expected = listed(app["health"]["status"])
        path = app["health"]["path"]
        yield finding("app-unhealthy", log=found["log"], path=path, status=answer["status"], expected=expected, **words)


def _webhook(
    app: Mapping[str, Any], path: str, answer: Mapping[str, Any], found: Mapping[str, Any], below: Sequence[str]
) -> Iterator[Finding]:
    words = {"app": app["name"], "container": found["name"], "path": path, "status": answer["status"]}
    seconds = answer["ms"] / 1000
    if seconds > SENDER_TIMEOUT:
        yield finding("app-slow", path=path, seconds=f"{'more than ' if not answer['status'] else ''}{seconds:.0f}")
    elif not answer["status"]:
        yield finding("app-silent", log=found["log"], error=answer["error"], **words)
    elif answer["status"] in NO_ROUTE:
        yield finding("webhook-prefix" if path in below else "webhook-unknown", **words)
    elif answer["status"] >= 500:
        yield finding("app-error", log=found["log"], **words)
    elif answer.get("signed") and not 200 <= answer["signed"] < 300:
        owner = answer.get("by", {}).get("app") or app["name"]
        yield finding("webhook-secret", app=owner, status=answer["signed"])
    elif 200 <= answer["status"] < 300:
        yield finding("webhook-unchecked", path=path, status=answer["status"])
