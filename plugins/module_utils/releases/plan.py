"""What has to be done for an app, decided from what is wanted, what is remembered and what runs. Nothing here acts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import spec
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import LIVE, AppState, Release

NOTHING, START, DEPLOY = "nothing", "start", "deploy"


class PortsExhaustedError(ValueError):
    """There is no port left to give to an app."""


@dataclass(frozen=True)
class Decision:
    """What to do: `nothing`, `start` the live container again, or `deploy` a new release; and why."""

    action: str
    reason: str = ""


@dataclass(frozen=True)
class Damage:
    """What an interrupted run, or somebody's hand, left behind.

    finish: a release that had passed its gate when the run was cut off: complete the switch to it.
    abandon: a release that had not: the one before it goes on serving.
    stop: containers of retired releases that still run.
    strays: containers of no remembered release.
    repoint: nginx has to be pointed at the live release again.
    """

    finish: Release | None = None
    abandon: Release | None = None
    stop: tuple[Container, ...] = ()
    strays: tuple[Container, ...] = ()
    repoint: bool = False

    def __bool__(self) -> bool:
        return bool(self.finish or self.abandon or self.stop or self.strays or self.repoint)


def upstream(app: App, release: Release) -> str:
    """The upstream file's text: what nginx includes into the app's `upstream` block.

    max_fails=0: with its only server marked down nginx would answer 502 for fail_timeout seconds by itself.

    The container's own address is asked when nobody answers on the published port: while Docker's daemon is restarted,
    its rules for published ports are gone for a moment.
    """
    host = f"[{app.bind}]" if ":" in app.bind else app.bind
    direct = f"server {release.address}:{app.port} backup max_fails=0;\n" if release.address else ""
    return (
        f"# Release {release.number} of {app.name}; rewritten at every switch.\n"
        f"server {host}:{release.host_port} max_fails=0;\n{direct}"
    )


def _of(containers: Iterable[Container], release: Release | None) -> Container | None:
    if release is None:
        return None
    return next((container for container in containers if container.release == release.number), None)


def adopted(app: str, containers: Sequence[Container]) -> AppState:
    """The state of an app of which nothing is remembered, from the labels of its containers.

    The newest one that runs counts as live, so that what serves goes on serving until a release of ours replaces it.
    """
    running = max((item for item in containers if item.running), key=lambda item: item.release, default=None)
    state = AppState(app, next_release=max((item.release for item in containers), default=0) + 1)
    if running is None:
        return state
    return state.with_release(
        Release(
            number=running.release,
            state=LIVE,
            hash=running.hash,
            image="",
            image_id=running.image_id,
            digest="",
            container=running.name,
            host_port=running.host_ports[0] if running.host_ports else None,
            created="",
            spec={},
            note="found running; its state file was gone",
        )
    )


def damage(app: App, state: AppState, containers: Sequence[Container], served: str | None) -> Damage:
    """What has to be repaired before anything else.

    Args:
        app: what is wanted.
        state: what is remembered.
        containers: those of this app.
        served: the upstream file's text, None where there is none.
    """
    starting, live = state.starting, state.live
    known = {release.number for release in state.releases}
    newest = _of(containers, starting)
    finish = starting if starting and state.switching and newest and newest.running else None
    serves = finish or live
    wanted = upstream(app, serves) if app.upstream_file and serves and serves.host_port else None
    return Damage(
        finish=finish,
        abandon=starting if starting and not finish else None,
        stop=tuple(
            container
            for container in containers
            if container.release in known and container.up and container.release not in {_n(starting), _n(live)}
        ),
        strays=tuple(container for container in containers if container.release not in known),
        repoint=wanted is not None and (state.switching or served != wanted),
    )


def _n(release: Release | None) -> int | None:
    return release.number if release else None


def decide(app: App, digest: str, state: AppState, containers: Sequence[Container], image_id: str | None) -> Decision:
    """What the app needs, once nothing is damaged.

    Args:
        app: what is wanted.
        digest: its hash (spec.fingerprint).
        state: what is remembered.
        containers: those of this app.
        image_id: the image that the reference names on this host; None where the host doesn't have it.
    """
    live = state.live
    if live is None:
        return Decision(DEPLOY, "first release")
    container = _of(containers, live)
    reason = ""
    if live.hash != digest:
        reason = f"changed: {', '.join(spec.changed_keys(live.spec, spec.recorded(app)) or ['secrets'])}"
    elif image_id and live.image_id and image_id != live.image_id:
        reason = f"{app.image} names another image now"
    elif app.host_ports and live.host_port not in app.host_ports:
        reason = "changed: host_ports"
    elif container is None:
        reason = f"container {live.container} is gone"
    if reason or container is None:
        return Decision(DEPLOY, reason)
    if container.running:
        return Decision(NOTHING)
    return Decision(START, f"container {live.container} is {container.status}")


def allocate(
    app: App, state: AppState, pool: Iterable[int], taken: Collection[int], busy: Collection[int] = ()
) -> AppState:
    """The state with the ports that the app owns.

    Ports that are remembered stay, so that nothing moves without need; named ones (`host_ports`) win over remembered
    ones. A remembered port that is not the live release's gives way when somebody else sits on it.

    Args:
        app: what is wanted.
        state: what is remembered.
        pool: the ports that may be given out, in this order.
        taken: ports of other apps.
        busy: ports on which something that is not ours listens.

    Raises:
        PortsExhaustedError: the pool has not enough left.
    """
    if not app.published:
        return replace(state, ports=())
    if app.host_ports:
        return replace(state, ports=app.host_ports)
    in_use = _live_port(state)
    blocked = {*taken, *busy} - {in_use}
    ports = [port for port in state.ports if port not in blocked]
    if in_use and in_use not in ports:
        ports.append(in_use)
    for port in pool:
        if len(ports) >= 2:
            break
        if port not in blocked and port not in ports:
            ports.append(port)
    if len(ports) < 2:
        raise PortsExhaustedError(
            "all ports that may be given to apps are taken: widen `docker_app_port_range`, or remove apps"
        )
    return replace(state, ports=tuple(ports[:2]) if in_use is None else _keeping(in_use, ports))


def _live_port(state: AppState) -> int | None:
    return state.live.host_port if state.live else None


def _keeping(port: int, ports: Sequence[int]) -> tuple[int, ...]:
    spare = next(other for other in ports if other != port)
    return tuple(sorted((port, spare)))


def next_port(app: App, state: AppState) -> int | None:
    """The port for the next release: the one that the live release does not have; None for one without."""
    if not app.published:
        return None
    if len(state.ports) == 1:
        return state.ports[0]
    return next(port for port in state.ports if port != _live_port(state))


def diff(
    app: App, live: Release | None, old_secrets: Mapping[str, str] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The release before and after, for `--diff`. Of secrets it shows the names, and which of them changed.

    Args:
        app: what is wanted.
        live: the release that serves.
        old_secrets: its secrets; None where they are not known.
    """
    after = spec.recorded(app)
    after["secrets"] = {
        name: "set" if old_secrets is None or old_secrets.get(name) in {None, value} else "changed"
        for name, value in sorted(app.secrets.items())
    }
    if live is None:
        return {}, after
    before = dict(live.spec)
    before["secrets"] = dict.fromkeys(before.get("secrets", ()), "set")
    return before, after
