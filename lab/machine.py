"""What the machine itself must have: programs, and a Docker engine that answers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from lab.errors import LabError
from lab.locks import machine_lock

# program -> Debian package
PROGRAMS = {"ssh": "openssh-client", "ssh-keygen": "openssh-client", "iptables": "iptables"}
ENGINE = {"dockerd": "docker.io"}
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_INSTANCES = 1024
BOOTSTRAP = {"mmdebstrap": "mmdebstrap"}


def say(text: str) -> None:
    """Tell the person at the terminal what is going on; standard output stays for results."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def is_debian_root() -> bool:
    """Whether the lab may install packages itself: root on a machine with apt."""
    return os.getuid() == 0 and shutil.which("apt-get") is not None


def ensure_packages(packages: Iterable[str]) -> None:
    """Install Debian packages. Raises LabError with the command to run where the lab can't."""
    wanted = sorted(set(packages))
    if not wanted:
        return
    if not is_debian_root():
        raise LabError(
            f"this machine lacks {', '.join(wanted)} (names of Debian packages)."
            f" As root: apt-get install {' '.join(wanted)};"
            " on another distribution install the same programs with its own package manager"
        )
    say(f"installing {', '.join(wanted)}")
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *wanted]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Package lists may be missing or older than the archive: refresh them only when an installation needs it.
    if subprocess.run(install, env=environment, capture_output=True, check=False).returncode == 0:
        return
    subprocess.run(["apt-get", "update", "-q"], env=environment, capture_output=True, check=False)
    result = subprocess.run(install, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise LabError(f"{' '.join(install)} failed:\n{(result.stdout + result.stderr)[-2000:]}")


def ensure_programs(programs: dict[str, str]) -> None:
    """Install the packages of those programs that are not on PATH."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = {package for program, package in programs.items() if not shutil.which(program, path=path)}
    if missing:
        with machine_lock("apt"):
            ensure_packages(missing)


def ensure_keyring(path: str, package: str) -> None:
    """Install the keys of a distribution's archive when they are missing."""
    if not Path(path).exists():
        with machine_lock("apt"):
            ensure_packages([package])


def ensure_inotify(limit: Path = INOTIFY) -> None:
    """Raise the number of inotify instances that a user may have, where it is small and this is root.

    Every server's systemd needs several, and all servers share root's 128: those of the eighth lab would not boot.
    """
    if int(limit.read_text()) >= INOTIFY_INSTANCES:
        return
    if os.getuid() == 0:
        limit.write_text(f"{INOTIFY_INSTANCES}\n")
    else:
        say(f"many servers at once need: sudo sysctl -w fs.inotify.max_user_instances={INOTIFY_INSTANCES}")


def default_mtu() -> int:
    """MTU in bytes of the interface that holds the default route; 1500 where that can't be told.

    A lab network with a larger one would lose large packets on their way out.
    """
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] == "00000000":
            return min(1500, int(Path(f"/sys/class/net/{fields[0]}/mtu").read_text()))
    return 1500
