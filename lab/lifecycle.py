"""Bring a lab up, take it down, reboot a host, say what is there."""

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import docker.errors

from lab import containers, engine, images, inventory, network, outside, services, ssh
from lab.addresses import SERVICES, Subnets, free_number
from lab.containers import Container, File
from lab.errors import LabError
from lab.hosts import vps
from lab.identity import (
    CHECKOUT,
    LABEL_CHECKOUT,
    LABEL_HOST,
    LABEL_LAB,
    LABEL_NUMBER,
    LABEL_RELEASE,
    STATE,
    Lab,
    checkout_id,
)
from lab.inventory import Vps
from lab.locks import locked, machine_directory, machine_lock, remove_if_empty, remove_unused
from lab.machine import say
from lab.releases import RELEASES, SERVICES_RELEASE, Release

T = TypeVar("T")

BOOT_SECONDS = 90
INVENTORY = "inventory.yml"


def up(lab: Lab, wanted: dict[str, Release], acme: services.AcmeOptions) -> None:
    """Make the lab run with these hosts (name -> release) beside those it has. What runs as it should is left alone."""
    docker_engine = engine.ensure_engine()
    lab.state.mkdir(parents=True, exist_ok=True)
    with _lab_lock(lab), machine_lock("images", shared=True):
        subnets = network.ensure(docker_engine, lab)
        hosts = _merge(present_hosts(docker_engine, lab), wanted)
        tags = _images(docker_engine, {RELEASES[host.release] for host in hosts})
        public_key = ssh.ensure_key(lab)
        dns = subnets.ipv4(SERVICES["dns"])
        around = services.services(
            state=lab.state,
            image=tags["services"],
            subnets=subnets,
            hosts={host.name: host.number for host in hosts},
            acme=acme,
            public_key=public_key,
        )
        servers = [
            vps(
                host=h.name,
                number=h.number,
                image=tags[h.release],
                release=h.release,
                dns=dns,
                public_key=public_key,
            )
            for h in hosts
        ]
        _ensure_all(lab, [*around, *servers], subnets)
        _write_access(docker_engine, lab, subnets, hosts)
        _each(lambda host: ssh.wait_until_booted(lab, host.name, BOOT_SECONDS), hosts)
        root = services.issuing_root(lab.state, subnets.ipv4(SERVICES["acme"]))
        (lab.state / inventory.ROOT_CERTIFICATE).write_bytes(root)
        client = _container(docker_engine, lab, "client")
        client.put_archive("/", containers.archive((File(outside.ROOT_CERTIFICATE, root),)))
        (lab.state / INVENTORY).write_text(
            inventory.render(inventory.inventory(lab.name, lab.state, lab.sockets, subnets, hosts))
        )


def down(lab: Lab) -> None:
    """Remove everything of one lab: containers with their volumes, network, state."""
    docker_engine = engine.connect()
    with _lab_lock(lab):
        ssh.forget_connections(lab)
        if docker_engine is not None:
            _each(lambda container: container.remove(force=True, v=True), _containers(docker_engine, lab))
            found = network.find(docker_engine, lab)
            if found is not None:
                found.remove()
        ssh.remove_sockets(lab)
        if lab.state.exists():
            shutil.rmtree(lab.state)


def clean_up() -> None:
    """Remove the lock files of this checkout and this machine that nobody uses. The last thing after `down`."""
    remove_unused(STATE / "locks")
    remove_if_empty(STATE)
    remove_unused(machine_directory())


def labs() -> list[Lab]:
    """The labs of this checkout: those that the engine knows and those that only left their state."""
    docker_engine = engine.connect()
    names = {path.parent.name for path in STATE.glob(f"*/{ssh.KEY}")}
    if docker_engine is not None:
        mine = {"label": f"{LABEL_CHECKOUT}={checkout_id(CHECKOUT)}"}
        names |= {
            c.labels[LABEL_LAB] for c in docker_engine.containers.list(all=True, filters=mine, ignore_removed=True)
        }
        names |= {n.attrs["Labels"][LABEL_LAB] for n in docker_engine.networks.list(filters=mine)}
    return [Lab(name) for name in sorted(names)]


def reboot(lab: Lab, host: str, *, power_cut: bool = False) -> None:
    """Reboot a server and wait until it has booted. `power_cut` gives it no chance to stop anything.

    Raises LabError when there is no such server or it does not come back.
    """
    container = _container(engine.client(), lab, host)
    address = container.attrs["NetworkSettings"]["Networks"][lab.network]["IPAddress"]
    if power_cut:
        container.kill()
        container.start()
    else:
        container.restart(timeout=60)
    ssh.forget_connections(lab)
    ssh.wait_for_port(address, 22, BOOT_SECONDS)
    ssh.wait_until_booted(lab, host, BOOT_SECONDS)


def status(lab: Lab) -> list[tuple[str, str, str]]:
    """Host, IPv4 address and state of everything in a lab."""
    docker_engine = engine.client()
    found = network.find(docker_engine, lab)
    subnets = network.subnets(found) if found is not None else None
    return [
        (c.labels[LABEL_HOST], subnets.ipv4(int(c.labels[LABEL_NUMBER])) if subnets else "", c.status)
        for c in sorted(_containers(docker_engine, lab), key=lambda c: int(c.labels[LABEL_NUMBER]))
    ]


def present_hosts(docker_engine: Any, lab: Lab) -> list[Vps]:
    """The servers that the lab has, by number."""
    found = [c.labels for c in _containers(docker_engine, lab) if LABEL_RELEASE in c.labels]
    return sorted(
        (Vps(label[LABEL_HOST], int(label[LABEL_NUMBER]), label[LABEL_RELEASE]) for label in found),
        key=lambda host: host.number,
    )


def _merge(present: list[Vps], wanted: dict[str, Release]) -> list[Vps]:
    hosts = list(present)
    releases = {host.name: host.release for host in present}
    for name, release in wanted.items():
        if name in SERVICES:
            raise LabError(f"host {name!r}: the lab has a service of that name")
        if releases.get(name, release.name) != release.name:
            raise LabError(f"host {name!r} runs {releases[name]}: take the lab down before it gets {release.name}")
        if name not in releases:
            hosts.append(Vps(name, free_number(host.number for host in hosts), release.name))
    return hosts


def _images(docker_engine: Any, releases: Iterable[Release]) -> dict[str, str]:
    """Tags of the images: for each release its server, and `services`."""
    recipes = {release.name: ("vps", release) for release in releases}
    recipes["services"] = ("services", SERVICES_RELEASE)
    # One after the other: a second core is soon busy with the installations of the first.
    return {key: images.built_image(docker_engine, recipe, release) for key, (recipe, release) in recipes.items()}


def _ensure_all(lab: Lab, wanted: list[Container], subnets: Subnets) -> None:
    def ensure(container: Container) -> None:
        try:
            # One client for each thread: the SDK's session is not made to be shared.
            containers.ensure(engine.client(), lab, container, subnets)
        except docker.errors.APIError as error:
            raise LabError(f"container {lab.container(container.host)}: {error.explanation}") from error

    _each(ensure, wanted)


def _write_access(docker_engine: Any, lab: Lab, subnets: Subnets, hosts: list[Vps]) -> None:
    """Write known_hosts and the ssh configuration, from the keys that the hosts made at their first boot."""
    numbers = {host.name: host.number for host in hosts} | {"client": SERVICES["client"]}
    keys = {}
    for name, number in numbers.items():
        address = subnets.ipv4(number)
        ssh.wait_for_port(address, 22, BOOT_SECONDS)
        container = _container(docker_engine, lab, name)
        lines = [containers.read(container, f"/etc/ssh/{file}").decode() for file in ssh.HOST_KEYS]
        keys[address] = lines
        keys[subnets.ipv6(number)] = lines
    ssh.ensure_sockets(lab)
    (lab.state / ssh.KNOWN_HOSTS).write_text(ssh.known_hosts(keys))
    (lab.state / ssh.CONFIG).write_text(
        ssh.configuration(lab.state, lab.sockets, {name: subnets.ipv4(number) for name, number in numbers.items()})
    )


def _container(docker_engine: Any, lab: Lab, host: str) -> Any:
    found = containers.find(docker_engine, lab, host)
    if found is None:
        raise LabError(f"lab {lab.name!r} has no host {host!r}; `python -m lab status` shows what there is")
    return found


def _containers(docker_engine: Any, lab: Lab) -> list[Any]:
    filters = {"label": [f"{key}={value}" for key, value in lab.labels.items()]}
    found: list[Any] = docker_engine.containers.list(all=True, filters=filters, ignore_removed=True)
    return found


def _each(work: Callable[[T], Any], items: Iterable[T]) -> None:
    """Do the work for all items side by side; the first failure is raised when all have ended."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(work, items))


def _lab_lock(lab: Lab) -> Any:
    say(f"lab {lab.name}")
    return locked(lab.lock)
