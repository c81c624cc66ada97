"""The options of a container in the words of the Engine API (docs.docker.com/reference/api/engine, ContainerCreate)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

# Where containers find secrets that are files: Docker Swarm's place, where images that take `*_FILE` expect them.
SECRETS = "/run/secrets"
SIZE = re.compile(r"([1-9][0-9]*)([bkmg]?)", re.IGNORECASE)
UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
# Microseconds. Docker's own NanoCpus is refused by a kernel that can't limit; a quota is dropped with a warning.
CPU_PERIOD = 100_000


def size(text: str) -> int:
    """Bytes of a size such as `512m`, by the units of Docker's command line (powers of 1024).

    Raises:
        ValueError: the text is no size.
    """
    parts = SIZE.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no size such as 512m")
    return int(parts[1]) * UNITS[parts[2].lower()]


def ulimit(name: str, value: str) -> dict[str, Any]:
    """One limit; a single number is both the soft and the hard one."""
    soft, _, hard = value.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def config(options: Mapping[str, Any]) -> dict[str, Any]:
    """What stands at the top of the body.

    Args:
        options: those of `container_options.CONTAINER` that say something.
    """
    words = {"entrypoint": "Entrypoint", "user": "User", "workdir": "WorkingDir", "stop_signal": "StopSignal"}
    return {words[key]: options[key] for key in words if key in options}


def host_config(options: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under `HostConfig`."""
    readers: dict[str, Callable[[Any], tuple[str, Any]]] = {
        "extra_hosts": lambda hosts: ("ExtraHosts", [f"{name}:{address}" for name, address in sorted(hosts.items())]),
        "tmpfs": lambda mounts: ("Tmpfs", {path: rest for path, _, rest in (mount.partition(":") for mount in mounts)}),
        "memory": lambda text: ("Memory", size(text)),
        "cpus": lambda cores: ("CpuQuota", round(cores * CPU_PERIOD)),
        "pids": lambda count: ("PidsLimit", count),
        "shm_size": lambda text: ("ShmSize", size(text)),
        "ulimits": lambda limits: ("Ulimits", [ulimit(name, value) for name, value in sorted(limits.items())]),
        "read_only": lambda flag: ("ReadonlyRootfs", flag),
    }
    found = dict(readers[key](options[key]) for key in readers if key in options)
    return found | ({"CpuPeriod": CPU_PERIOD} if "CpuQuota" in found else {})
