"""Rights of a container that reach beyond it. Whoever gets into such an app has the server, so that the inventory has
to say of each that it is meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.releases import mounts
from ansible_collections.portside.vps.plugins.module_utils.releases.options import CAPABILITIES

# capabilities(7): what Docker gives by itself (moby, oci/caps/defaults.go), and what acts on the container's own
# processes, files and network alone, as long as it has namespaces of its own. All others, also those that a later
# kernel brings, act on the whole server.
CONTAINED = frozenset(CAPABILITIES) | {
    "AUDIT_WRITE",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BROADCAST",
    "NET_RAW",
    "SETFCAP",
    "SETPCAP",
    "SYS_CHROOT",
    "SYS_NICE",
    "SYS_PTRACE",
    "SYS_RESOURCE",
}
# Sockets of daemons that start containers for whoever connects, as root.
SOCKETS = frozenset(["docker.sock", "containerd.sock", "podman.sock", "crio.sock"])
# What makes whoever may write there root, or holds keys, passwords and other users' files for whoever may read. Those
# below /var are where packages, services and this collection keep what root runs or trusts.
HOST_PATHS = (
    *("/boot", "/dev", "/etc", "/home", "/proc", "/root", "/sys"),
    *("/bin", "/lib", "/lib32", "/lib64", "/sbin", "/usr"),
    # Of /run only what belongs to the system itself: a database's socket is the database's.
    *("/run/containerd", "/run/credentials", "/run/dbus", "/run/docker", "/run/podman", "/run/snapd", "/run/systemd"),
    *("/run/udev", "/run/user"),
    *("/var/backups", "/var/lib/apt", "/var/lib/cloud", "/var/lib/containerd", "/var/lib/containers"),
    *("/var/lib/docker", "/var/lib/dpkg", "/var/lib/portside", "/var/lib/sudo", "/var/lib/systemd"),
    "/var/spool/cron",
)
# Everybody on the server may read what is there, and public images ask for some of it (Ubuntu's /etc/resolv.conf leads
# to the last) ...
PUBLIC = ("/bin", "/etc", "/lib", "/lib32", "/lib64", "/sbin", "/usr", "/run/systemd/resolve")
# ... but for this: keys, and passwords or their hashes.
PRIVATE = (
    *("/etc/docker", "/etc/gshadow", "/etc/gshadow-", "/etc/krb5.keytab", "/etc/letsencrypt", "/etc/netplan"),
    *("/etc/NetworkManager", "/etc/nginx", "/etc/security/opasswd", "/etc/shadow", "/etc/shadow-", "/etc/ssh"),
    *("/etc/ssl/private", "/etc/sudoers", "/etc/sudoers.d", "/etc/wireguard"),
)


def _within(path: str, above: str) -> bool:
    return path == above or path.startswith(f"{above.rstrip('/')}/")


def _overlaps(path: str, others: Iterable[str]) -> bool:
    """Whether the path is, holds, or lies in one of the others."""
    return any(_within(path, other) or _within(other, path) for other in others)


def reaches_host(path: str, *, read_only: bool) -> bool:
    """Whether a container that has this file or directory of the server has the server.

    Args:
        path: as `mounts.canonical` writes it.
        read_only: whether it can't be written.
    """
    if _within(path, "/var/run"):  # a link to /run, hier(7)
        path = path.removeprefix("/var")
    inside = PurePosixPath(path)
    if inside.name in SOCKETS or ".ssh" in inside.parts:
        return True
    if read_only and any(_within(path, public) for public in PUBLIC):
        return _overlaps(path, PRIVATE)
    if _within(path, "/home"):
        # `/home/ann` holds what she logs in with, `/home/ann/shop/data` is data.
        return len(inside.parts) <= len(("/", "home", "ann"))
    return _overlaps(path, HOST_PATHS)


def beyond(cap_add: Iterable[str], volumes: Iterable[str]) -> list[str]:
    """What a container gets that gives the server away: capabilities without `CAP_`, and paths.

    Args:
        cap_add: as declared.
        volumes: as declared; what is no volume is passed over.
    """
    capabilities = sorted({name.upper().removeprefix("CAP_") for name in cap_add} - CONTAINED)
    paths = [
        mount.source
        for mount in mounts.of(volumes)
        if not mount.named and reaches_host(mount.source, read_only=mount.read_only)
    ]
    return [*capabilities, *dict.fromkeys(paths)]


def agreed(host_access: Iterable[str]) -> set[str]:
    """What the inventory consents to, in the spelling of `beyond`."""
    return {mounts.canonical(item) if item.startswith("/") else item.removeprefix("CAP_") for item in host_access}


def problems(app: Mapping[str, Any]) -> list[str]:
    """A sentence for each right that gives the server away without a word of consent, and for each word too many.

    Args:
        app: the app in plain types.
    """
    wanted, said = beyond(app["cap_add"], app["volumes"]), agreed(app["host_access"])
    missing = [item for item in wanted if item not in said]
    whole = ", ".join([*app["host_access"], *missing])
    found = [_refusal(item, whole) for item in missing]
    return found + [
        f"`host_access` item `{item}` names nothing that the app has: remove it, or it stays for what comes later"
        for item in app["host_access"]
        if not agreed([item]) & {*wanted}
    ]


def _refusal(item: str, whole: str) -> str:
    consent = f"if that is meant, write `host_access: [{whole}]`"
    if item.startswith("/"):
        return (
            f"`volumes`: with `{item}` of the server, whoever gets into the container has the server: mount less of "
            f"it, a directory of the app's own or a named volume; {consent}"
        )
    return (
        f"`cap_add` item `{item}` acts on the whole server and not on the container alone, so that whoever gets into "
        f"it has the server: leave it out; {consent}"
    )
