"""Which packages are missing, and the one apt transaction that installs them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.portside.vps.plugins.module_utils import proxies
from ansible_collections.portside.vps.plugins.module_utils.command import Completed

# Seconds: after a VPS's first boot, cloud-init and unattended upgrades hold apt's locks for minutes. apt itself waits
# (apt.conf(5), DPkg::Lock::Timeout) for dpkg's locks only, not for those of its lists and of the archives it downloads:
# for these we try again.
LOCK_TIMEOUT = 600
LOCK_POLL = 3.0
# apt-get(8), DIAGNOSTICS.
FAILED = 100
NO_ROUTE = (
    "The server has no way to an archive's address (`ip -4 route`, `ip -6 route`): with IPv6 alone it reaches what has "
    "IPv4 alone through an outbound proxy (site.yml: `portside_egress`) or its provider's NAT64."
)

# dpkg(1): keep a configuration file that was changed on the host, take the package's where it was not.
OPTIONS = (
    "-o",
    f"DPkg::Lock::Timeout={LOCK_TIMEOUT}",
    "-o",
    "Dpkg::Options::=--force-confdef",
    "-o",
    "Dpkg::Options::=--force-confold",
    "-o",
    "Acquire::Retries=3",
)

# Which way apt goes out is declared in its own files; it would read the variables where those say nothing.
ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "a", **proxies.NONE}

POLICY = "/usr/sbin/policy-rc.d"
POLICY_MARK = "# Portside: for one run of apt, services that are started once they are configured."

QUERY = ("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev}\t${Package}\t${Version}\n")
UPDATE = ("apt-get", "update", "-q", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT}")


def installed(dpkg_output: str) -> dict[str, str]:
    """Versions by package name, from the output of QUERY; only what is fully installed ('ii', or 'hi' when held)."""
    found = {}
    for line in dpkg_output.splitlines():
        status, _, rest = line.partition("\t")
        name, _, version = rest.partition("\t")
        if status[:2] in {"ii", "hi"}:
            found[name] = version
    return found


def missing(wanted: Iterable[str], present: Iterable[str]) -> list[str]:
    """The wanted packages that are not there, in the order they were asked for, each once."""
    have = set(present)
    return [name for name in dict.fromkeys(wanted) if name not in have]


def unknown(names: Iterable[str], apt_cache_output: str) -> list[str]:
    """Those of the names that apt does not know, going by the output of `apt-cache pkgnames` (a name a line)."""
    listed = set(apt_cache_output.split())
    return [name for name in names if name not in listed]


def install_argv(names: Sequence[str], *, recommends: bool, simulate: bool = False) -> list[str]:
    """The argv of one transaction.

    Args:
        names: packages to install.
        recommends: also install what they recommend.
        simulate: change nothing, only say what would be done (apt-get(8), --simulate).
    """
    argv = ["apt-get", "install", "-q", "-y", *OPTIONS]
    if not recommends:
        argv.append("--no-install-recommends")
    if simulate:
        argv.append("--simulate")
    return [*argv, "--", *names]


def policy(services: Iterable[str], process: int) -> str:
    """A policy-rc.d (invoke-rc.d(8), deb-systemd-invoke(1)) that keeps services from being started, all others not.

    Args:
        services: names of services, without `.service`.
        process: id of the process that installs; when it is gone, also by a kill, the policy forbids nothing.
    """
    forbidden = "|".join(name for service in services for name in (service, f"{service}.service"))
    return f"""\
#!/bin/sh
{POLICY_MARK}
kill -0 {process} 2>/dev/null || exit 0
while [ "${{1#--}}" != "$1" ]; do shift; done
case $1 in {forbidden}) exit 101;; esac
exit 0
"""


def is_locked(apt: Completed) -> bool:
    """Whether apt gave up because another one is at work."""
    return apt.status == FAILED and "E: Could not get lock " in apt.said


def reasons(apt_output: str) -> str:
    """apt's own error lines ('E: …'), without the pages of progress around them; all of it if there are none."""
    errors = [line for line in apt_output.splitlines() if line.startswith(("E:", "dpkg: error", "Err:"))]
    if "Network is unreachable" in apt_output:
        errors.append(NO_ROUTE)
    return "\n".join(errors) if errors else apt_output.strip()[-2000:]
