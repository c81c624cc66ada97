"""The operating systems a lab can boot: one line each."""

import re
from dataclasses import dataclass

from lab.errors import LabError

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
_DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
_UBUNTU_KEYS = "/usr/share/keyrings/ubuntu-archive-keyring.gpg"


@dataclass(frozen=True)
class Release:
    """Where one release of a distribution comes from.

    `image` is asked of a registry first; where none answers, `suite` is installed from the distribution's archive (with
    updates and security, where mmdebstrap(1) knows it to be), which `keyring` (a file of the package `keyring_package`)
    proves genuine.
    """

    name: str
    image: str
    suite: str
    components: str
    keyring: str
    keyring_package: str


def _debian(version: str, suite: str) -> Release:
    return Release(
        name=f"debian{version}",
        image=f"debian:{version}",
        suite=suite,
        components="main",
        keyring=_DEBIAN_KEYS,
        keyring_package="debian-archive-keyring",
    )


def _ubuntu(version: str, suite: str) -> Release:
    return Release(
        name=f"ubuntu{version.replace('.', '')}",
        image=f"ubuntu:{version}",
        suite=suite,
        components="main,universe",
        keyring=_UBUNTU_KEYS,
        keyring_package="ubuntu-keyring",
    )


RELEASES = {
    release.name: release
    for release in (
        _debian("12", "bookworm"),
        _debian("13", "trixie"),
        _ubuntu("24.04", "noble"),
        _ubuntu("26.04", "resolute"),
    )
}
DEFAULT_HOSTS = "debian12,debian13"
SERVICES_RELEASE = RELEASES["debian13"]


def parse_hosts(text: str) -> dict[str, Release]:
    """Hosts wanted, from `debian12,web2=debian13`: a release's name, or NAME=RELEASE.

    Returns host name -> release in the order given. Raises LabError for an unknown release or a name given twice.
    """
    hosts: dict[str, Release] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, _, release = item.rpartition("=")
        if release not in RELEASES:
            raise LabError(f"host {item!r}: no release {release!r}; there are {', '.join(RELEASES)}")
        if not _HOST_NAME.fullmatch(name or release):
            raise LabError(f"host {item!r}: a host's name has a-z, 0-9 and - only (RFC 1123)")
        if (name or release) in hosts:
            raise LabError(f"host {name or release!r} is given twice; name them: web1={release},web2={release}")
        hosts[name or release] = RELEASES[release]
    return hosts
