"""What has to be done for an app, decided from what is wanted, what is remembered and what runs. Nothing here acts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Container
from ansible_collections.portside.vps.plugins.module_utils.releases import boxes, spec
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState, Release

NOTHING, START, DEPLOY = "nothing", "start", "deploy"
# What else may become of a canary.
WITHDRAW, SHARE, PROMOTE = "withdraw", "share", "promote"


class PortsExhaustedError(ValueError):
    """There is no port left to give to an app."""


@dataclass(frozen=True)
class Decision:
    """What to do, and why.

    `nothing`, `start` containers that ended again, or `deploy` a new release; where there is a canary also `withdraw`
    it, give it another `share` of the clients, or `promote` it.
    """

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
    policies: the restart policy that a container that serves had, by its ID, where somebody gave it another.
    """

    finish: Release | None = None
    abandon: Release | None = None
    stop: tuple[Container, ...] = ()
    strays: tuple[Container, ...] = ()
    repoint: bool = False
    policies: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.finish or self.abandon or self.stop or self.strays or self.repoint or self.policies)

    def __str__(self) -> str:
        """What is wrong, in words."""
        said = [f"the switch to release {self.finish.number} was interrupted"] if self.finish else []
        said += [f"release {self.abandon.number} was interrupted"] if self.abandon else []
        said += [f"container {container.name} of a retired release still runs" for container in self.stop]
        said += [f"container {container.name} belongs to no release" for container in self.strays]
        said += [f"the restart policy is not `{policy}`" for policy in sorted({*self.policies.values()})]
        said += ["nginx is not pointed at the live release"] if self.repoint and not self.finish else []
        return ", ".join(said)


def _servers(app: App, release: Release, options: str, direct: str) -> list[str]:
    """The `server` lines of a release; those of the containers' own addresses have other options."""
    host = f"[{app.bind}]" if ":" in app.bind else app.bind
    published = [f"server {host}:{port} {options};" for port in release.host_ports]
    own = [f"server {replica.address}:{app.port} {direct};" for replica in release.replicas if replica.address]
    return [*published, *own]


def upstream(app: App, release: Release, canary: Release | None = None) -> str:
    """The upstream file's text: what nginx includes into the app's `upstream` block.

    max_fails=0: with its only server marked down nginx would answer 502 for fail_timeout seconds by itself; and of
    several, one that is dead refuses at once, whereupon the next one is asked.

    The container's own address is asked when nobody answers on the published port: while Docker's daemon is restarted,
    its rules for published ports are gone for a moment.

    With a canary the client's address decides, by its hash, and a server that refuses is passed over for another one.
    That method knows no `backup`, so that the containers' own addresses share the work from the start. Each release has
    its percentage whatever its number of servers: a weight is multiplied by the other's.

    Args:
        app: what is wanted.
        release: the live one.
        canary: the one that has a share of the clients.
    """
    if canary is None:
        lines = _servers(app, release, "max_fails=0", "backup max_fails=0")
        return "\n".join([f"# Release {release.number} of {app.name}; rewritten at every switch.", *lines, ""])
    both = [_servers(app, one, "max_fails=0", "max_fails=0") for one in (release, canary)]
    stable, trial = ([line.replace(" max_fails", " weight={} max_fails") for line in lines] for lines in both)
    return "\n".join(
        [
            f"# Release {release.number} of {app.name}, and {canary.number} for {canary.share} % of the clients; "
            "rewritten at every switch.",
            "hash $remote_addr;",
            *(line.format((100 - canary.share) * len(trial)) for line in stable),
            *(line.format(canary.share * len(stable)) for line in trial),
            "",
        ]
    )


def located(state: AppState, containers: Sequence[Container]) -> AppState:
    """The state with the addresses that the containers have now: the engine gives them out anew at every start."""
    for release in (state.live, state.canary, state.starting):
        if release is None or not any(replica.address for replica in release.replicas):
            continue
        found = zip(boxes.of(containers, release), release.replicas, strict=True)
        now = (box.address if box and box.running and box.address else replica.address for box, replica in found)
        state = state.with_release(release.at(now))
    return state


def candidate(app: App, state: AppState, containers: Sequence[Container]) -> bool:
    """Whether the next release is to be a canary: there has to be one that runs, to have the other clients."""
    return bool(app.canary and not app.recreates and state.live and boxes.stand(containers, [state.live]))


def damage(app: App, state: AppState, containers: Sequence[Container], served: str | None) -> Damage:
    """What has to be repaired before anything else.

    Args:
        app: what is wanted.
        state: what is remembered.
        containers: those of this app.
        served: the upstream file's text, None where there is none.
    """
    starting = state.starting
    known = {release.number for release in state.releases}
    finish = starting if starting and state.switching and boxes.stand(containers, [starting]) else None
    wanted = wanted_upstream(app, state.promoted(finish.number) if finish else state)
    return Damage(
        finish=finish,
        abandon=starting if starting and not finish else None,
        stop=tuple(
            container
            for container in containers
            if container.release in known
            and container.up
            and container.release not in state.serving | ({starting.number} if starting else set())
        ),
        strays=boxes.strays(containers, state),
        repoint=wanted is not None and (state.switching or served != wanted),
    )


def wanted_upstream(app: App, state: AppState) -> str | None:
    """The upstream file as it has to be; None for an app without."""
    if app.upstream_file and state.live and state.live.host_port:
        return upstream(app, state.live, state.canary)
    return None


def decide(app: App, digest: str, state: AppState, containers: Sequence[Container], image_id: str | None) -> Decision:
    """What the app needs, once nothing is damaged.

    Args:
        app: what is wanted.
        digest: its hash (spec.fingerprint).
        state: what is remembered.
        containers: those of this app.
        image_id: the image that the reference names on this host; None where the host doesn't have it.
    """
    live, canary = state.live, state.canary
    if live is None:
        return Decision(DEPLOY, "first release")
    if canary and not _difference(app, digest, state, live, image_id) and not boxes.missing(containers, live):
        return Decision(WITHDRAW, f"release {live.number} is what is declared")
    reason = _difference(app, digest, state, canary or live, image_id)
    serving = [release for release in (live, canary) if release]
    reason = reason or next(filter(None, (boxes.missing(containers, release) for release in serving)), "")
    if reason:
        return Decision(DEPLOY, reason)
    # An older release than the one that is declared may be on other networks, and is going.
    declared = boxes.of(containers, canary or live)
    astray = [box.name for box in declared if box and not {*app.networks} <= {*box.networks}]
    if astray:
        return Decision(DEPLOY, f"container {astray[0]} is not on its network any more")
    found = [box for release in serving for box in boxes.of(containers, release)]
    idle = [f"container {box.name} is {box.status}" for box in found if box and not box.running]
    if idle:
        return Decision(START, idle[0])
    return _end_of(app, canary) if canary else Decision(NOTHING)


def _end_of(app: App, canary: Release) -> Decision:
    """What becomes of a canary that is as it is declared, and runs."""
    if not app.canary:
        return Decision(PROMOTE, "no canary is declared any more")
    if canary.share != app.canary:
        return Decision(SHARE, f"{app.canary} % of the clients instead of {canary.share} %")
    return Decision(NOTHING)


def _elsewhere(app: App, release: Release) -> bool:
    return bool(app.host_ports) and not {*release.host_ports} <= {*app.host_ports}


def elsewhere(app: App, state: AppState) -> bool:
    """Whether the newest release that serves is on other ports than those that are named, with room on these now."""
    newest = state.canary or state.live
    return newest is not None and _elsewhere(app, newest) and _room(app, state)


def _room(app: App, state: AppState) -> bool:
    return len({*app.host_ports} - {*ports_in_use(state)}) >= app.replicas


def _difference(app: App, digest: str, state: AppState, release: Release, image_id: str | None) -> str:
    """Why the release is not what is declared; empty where it is."""
    if release.hash != digest:
        return f"changed: {', '.join(spec.changed_keys(release.spec, spec.recorded(app)) or ['secrets'])}"
    if image_id and release.image_id and image_id != release.image_id:
        return f"{app.image} names another image now"
    # As long as the live release holds the named ports, a canary can't be on them.
    if _elsewhere(app, release) and (release is not state.canary or _room(app, state)):
        return "changed: host_ports"
    if len(release.replicas) != app.replicas:
        return f"{len(release.replicas)} of {app.replicas} replicas are known"
    return ""


def allocate(
    app: App, state: AppState, pool: Iterable[int], taken: Collection[int], busy: Collection[int] = ()
) -> AppState:
    """The state with the ports that the app owns.

    Ports that are remembered stay, so that nothing moves without need; named ones (`host_ports`) win over remembered
    ones. A remembered port that is of no release that serves gives way when somebody else sits on it.

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
    in_use = ports_in_use(state)
    if app.host_ports:
        return replace(state, ports=(*app.host_ports, *_interim(app, in_use, pool, {*taken, *busy})))
    wanted = app.replicas + (len(in_use) or app.replicas)
    blocked = {*taken, *busy} - {*in_use}
    ports = [*in_use, *(port for port in state.ports if port not in blocked and port not in in_use)]
    for port in pool:
        if len(ports) >= wanted:
            break
        if port not in blocked and port not in ports:
            ports.append(port)
    if len(ports) < wanted:
        raise PortsExhaustedError(
            "all ports that may be given to apps are taken: widen `docker_app_port_range`, or remove apps"
        )
    return replace(state, ports=tuple(sorted(ports[:wanted])) if in_use else tuple(ports[:wanted]))


def _interim(app: App, in_use: Collection[int], pool: Iterable[int], blocked: Collection[int]) -> list[int]:
    """Ports for a release whose own, the named ones, are held by the one that serves: it moves to those afterwards."""
    short = 0 if app.recreates else app.replicas - len({*app.host_ports} - {*in_use})
    if short <= 0:
        return []
    unused = (port for port in pool if port not in {*blocked, *in_use, *app.host_ports})
    found = [port for port, _ in zip(unused, range(short), strict=False)]
    if len(found) < short:
        raise PortsExhaustedError("there is no port for a release between two others: widen `docker_app_port_range`")
    return found


def ports_in_use(state: AppState) -> tuple[int, ...]:
    """The ports of what serves: the live release, and a canary beside it."""
    return tuple(port for release in (state.live, state.canary) if release for port in release.host_ports)


def next_ports(app: App, state: AppState) -> list[int | None]:
    """A port for each replica of the next release: those that nothing that serves has; None without `port`."""
    if not app.published:
        return [None] * app.replicas
    in_use = ports_in_use(state)
    free = [port for port in state.ports if port not in in_use]
    if app.recreates:
        # The same port again: whatever the engine starts by itself after a reboot, it can't start both.
        same: list[int | None] = [port for port in in_use if port in state.ports]
        return [*same, *free][: app.replicas]
    return list(free[: app.replicas])


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
