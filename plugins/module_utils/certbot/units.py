"""systemd units: the renewal's drop-in, the check and its timer, the alarm."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.unit_files import environment_lines

HEADER = "# Managed by Ansible (portside.vps.certbot). The role's next run undoes what is changed here."
RENEWAL = "certbot.service"
CHECK = "portside-certbot-check"
ALARM = "portside-certbot-alarm@.service"

# Twice a day, away from the renewals at 0 and 12 o'clock (which have jitter of their own).
_CHECK_TIMES = "*-*-* 06,18:00:00"

# systemd.exec(5). What stays open is what `certbot renew`, `nginx -t` and a reload need: root's files (DAC_OVERRIDE,
# FOWNER, CHOWN), ports below 1024 (`nginx -t` opens them), the network, and systemd's and D-Bus's sockets. No
# MemoryDenyWriteExecute: PCRE's compiler and Python's ffi write code.
SANDBOX = (
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_NET_BIND_SERVICE",
    "NoNewPrivileges=yes",
    "PrivateDevices=yes",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "ProtectHome=read-only",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "LockPersonality=yes",
    "RemoveIPC=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service",
)
# What a renewal writes: certbot's directories, logs, and what `nginx -t` touches.
WRITABLE = (
    "/etc/letsencrypt",
    "/var/lib/letsencrypt",
    "/var/lib/portside/certbot",
    "/var/log",
    "/run",
    "/var/lib/nginx",
    "/var/cache/nginx",
)


def _text(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def renewal_drop_in(variables: Mapping[str, str], hook: Path, writable: Iterable[str]) -> str:
    """The drop-in of certbot.service.

    Args:
        variables: certbot's environment.
        hook: the deploy hook's program, which renews too.
        writable: directories beside WRITABLE; a `-` is put before each, so that one that is missing does no harm.
    """
    return _text(
        "[Unit]",
        f"OnFailure={ALARM.replace('@', '@%n')}",
        "[Service]",
        *environment_lines(variables),
        "# `certbot renew`, tried again where that helps; fails when a renewed certificate is not put in place.",
        "ExecStart=",
        f"ExecStart={hook} --renew",
        *SANDBOX,
        *(f"ReadWritePaths=-{path}" for path in dict.fromkeys([*WRITABLE, *writable])),
    )


def renewal_service() -> str:
    """certbot.service for a certbot that no package brings; the drop-in says what it runs."""
    return _text("[Unit]", "Description=Certbot", "[Service]", "Type=oneshot", "ExecStart=/bin/false")


def renewal_timer() -> str:
    """certbot.timer for a certbot that no package brings, as Debian's package has it."""
    return _text(
        "[Unit]",
        "Description=Run certbot twice daily",
        "[Timer]",
        "OnCalendar=*-*-* 00,12:00:00",
        "RandomizedDelaySec=43200",
        "Persistent=true",
        "[Install]",
        "WantedBy=timers.target",
    )


def check_service(program: Path) -> str:
    """The service that compares what is served with what is on disk."""
    return _text(
        "[Unit]",
        "Description=Are the certificates on disk those that are served, and renewed in time?",
        f"OnFailure={ALARM.replace('@', '@%n')}",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={program}",
        *SANDBOX,
    )


def check_timer() -> str:
    """The timer of the check."""
    return _text(
        "[Unit]",
        "Description=Check the certificates twice a day",
        "[Timer]",
        f"OnCalendar={_CHECK_TIMES}",
        "RandomizedDelaySec=2h",
        "Persistent=true",
        "[Install]",
        "WantedBy=timers.target",
    )


def alarm_service(program: Path, variables: Mapping[str, str]) -> str:
    """The template that systemd starts when one of the two fails. Not shut in: the command is the user's own."""
    return _text(
        "[Unit]",
        "Description=Tell that %i failed",
        "[Service]",
        "Type=oneshot",
        *environment_lines(variables),
        f"ExecStart={program} --alarm %i",
    )
