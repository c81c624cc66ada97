#!/usr/bin/python3
"""Is what visitors are shown the certificate on disk, and is it renewed in time? Written by Ansible.

    portside-certbot-check              says what is wrong and exits with 1; portside-certbot-check.timer runs it
    portside-certbot-check --json       the same as JSON
    portside-certbot-check --alarm UNIT tells the alarm command and URL that UNIT failed; systemd runs it (OnFailure=)

certbot can renew for months while the web server goes on showing the old certificate, and renewals can fail for weeks
before anybody notices. So each certificate is fetched by TLS from where it is served, under each of its names, and
compared with the file; and the days left are compared with its lifetime.

The file stands alone (standard library and openssl): it is copied to the host as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import ipaddress
import json
import re
import socket
import ssl
import subprocess
import sys
import syslog
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/letsencrypt/portside/check.json")
UTC = timezone.utc  # noqa: UP017  # runs on any Python 3
# Seconds for one connection, and for the alarm's command and URL.
TIMEOUT = 10.0
ALARM_TIMEOUT = 60.0
# After a reload a web server's old processes may answer a moment longer.
TRIES, PAUSE = 4, 2.0
AT_ONCE = 16
# certbot renews when a third of the lifetime is left (half, if it is shorter than ten days). When half of that time
# has passed too, renewals have failed for days; a certificate that nobody renews is said three weeks before its end.
_SHORT_LIVED = timedelta(days=10)
_AT_MOST = timedelta(days=21)
_LINES = 20


@dataclass(frozen=True)
class Leaf:
    """A certificate: its serial number in hexadecimal, when it begins and ends, and the SHA-256 of its DER form."""

    serial: str
    not_before: datetime
    not_after: datetime
    sha256: str


@dataclass(frozen=True)
class Watched:
    """A certificate that is to be served.

    Attributes:
        name: the lineage.
        directory: where its fullchain.pem is.
        names: the names (or addresses) in it.
        served_at: `host:port` of each place where it is shown.
    """

    name: str
    directory: str
    names: tuple[str, ...]
    served_at: tuple[str, ...]


class NoCertificate(Exception):
    """There is none, or it can't be read; the message says why."""


def alarm_below(lifetime: timedelta) -> timedelta:
    """How much time left is too little for a certificate of this lifetime."""
    window = lifetime / 2 if lifetime < _SHORT_LIVED else lifetime / 3
    return min(window / 2, _AT_MOST)


def server_names(names: Iterable[str]) -> list[str]:
    """The names to ask for, by SNI: a wildcard through a name that it covers, an address through none."""
    found = []
    for name in names:
        try:
            ipaddress.ip_address(name)
        except ValueError:
            found.append(f"portside-check{name[1:]}" if name.startswith("*.") else name)
        else:
            found.append("")
    return list(dict.fromkeys(found))


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%SZ").replace(tzinfo=UTC)


def read_leaf(der: bytes) -> Leaf:
    """What a certificate in DER form says.

    Raises:
        NoCertificate: openssl can't read it.
    """
    argv = ["openssl", "x509", "-inform", "DER", "-noout", "-serial", "-dates", "-dateopt", "iso_8601"]
    done = subprocess.run(argv, input=der, capture_output=True, check=False)
    fields = dict(re.findall(r"^(\w+)=(.+)$", done.stdout.decode("ascii", "replace"), re.MULTILINE))
    try:
        return Leaf(
            fields["serial"], _moment(fields["notBefore"]), _moment(fields["notAfter"]), hashlib.sha256(der).hexdigest()
        )
    except (KeyError, ValueError) as error:
        raise NoCertificate(done.stderr.decode("utf-8", "replace").strip() or "it is no certificate") from error


def on_disk(directory: str) -> Leaf:
    """The first certificate in a lineage's fullchain.pem.

    Raises:
        NoCertificate: there is none.
    """
    file = Path(directory) / "fullchain.pem"
    try:
        text = file.read_text(encoding="ascii", errors="replace")
        found = re.search(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", text, re.DOTALL)
        if found is None:
            raise NoCertificate(f"{file} holds no certificate")
        return read_leaf(ssl.PEM_cert_to_DER_cert(found[0]))
    except (OSError, ValueError) as error:
        raise NoCertificate(f"{file}: {error}") from error


def shown(where: str, server_name: str) -> bytes:
    """The certificate that a server shows, in DER form, whoever signed it.

    Raises:
        OSError: no connection, or no TLS.
    """
    host, _, port = where.rpartition(":")
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host.strip("[]"), int(port)), TIMEOUT) as raw,
        context.wrap_socket(raw, server_hostname=server_name or None) as connection,
    ):
        return connection.getpeercert(binary_form=True) or b""


def _difference(file: Leaf, where: str, server_name: str) -> str | None:
    """What is wrong with what is shown; None when it is the certificate on disk."""
    about = f"{server_name or 'without a name'} at {where}"
    try:
        der = shown(where, server_name)
        if hashlib.sha256(der).hexdigest() == file.sha256:
            return None
        other = read_leaf(der)
    except (OSError, NoCertificate) as error:
        return f"{about}: no certificate is shown: {error}"
    ends = f"{other.not_after:%Y-%m-%d %H:%M} UTC"
    return (
        f"{about} shows another certificate: serial {other.serial}, which ends {ends}; "
        f"on disk is serial {file.serial}. The web server was not told: look at `journalctl -u certbot.service`"
    )


def differences(wanted: Iterable[tuple[Watched, Leaf]]) -> dict[str, list[str]]:
    """What is wrong with what is shown under each name, by lineage; asked again for a while before it is believed.

    All at once: a web server that is down, or does not answer, costs as much time with one certificate as with 20.

    Args:
        wanted: the certificates with their files.
    """
    places = [
        (watched.name, file, where, name)
        for watched, file in wanted
        for where in watched.served_at
        for name in server_names(watched.names)
    ]
    said: list[str | None] = []
    for attempt in range(TRIES if places else 0):
        if attempt:
            time.sleep(PAUSE)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            said = list(pool.map(lambda place: _difference(*place[1:]), places))
        places = [place for place, text in zip(places, said, strict=True) if text]
        if not places:
            break
    found: dict[str, list[str]] = {}
    for (lineage, *_), text in zip(places, filter(None, said), strict=True):
        found.setdefault(lineage, []).append(text)
    return found


def too_late(file: Leaf, now: datetime) -> str | None:
    """What is wrong with the time a certificate has left; None when nothing is."""
    left, lifetime = file.not_after - now, file.not_after - file.not_before
    if left <= timedelta(0):
        return f"it expired at {file.not_after:%Y-%m-%d %H:%M} UTC"
    if left >= alarm_below(lifetime):
        return None
    return (
        f"{left / timedelta(days=1):.1f} of {lifetime / timedelta(days=1):.0f} days are left: it should have been "
        "renewed long ago; look at `journalctl -u certbot.service` and /var/log/letsencrypt/letsencrypt.log"
    )


def examine(wanted: Iterable[Watched], now: datetime) -> list[dict[str, Any]]:
    """For each certificate its name, serial, days left, and a list of what is wrong."""
    files: dict[Watched, Leaf | NoCertificate] = {}
    for watched in wanted:
        try:
            files[watched] = on_disk(watched.directory)
        except NoCertificate as error:
            files[watched] = error
    shown = differences((watched, file) for watched, file in files.items() if isinstance(file, Leaf))
    return [_finding(watched, file, shown.get(watched.name, []), now) for watched, file in files.items()]


def _finding(watched: Watched, file: Leaf | NoCertificate, shown: list[str], now: datetime) -> dict[str, Any]:
    if isinstance(file, NoCertificate):
        return {"name": watched.name, "serial": None, "days_left": None, "problems": [f"there is none: {file}"]}
    late = too_late(file, now)
    return {
        "name": watched.name,
        "serial": file.serial,
        "days_left": (file.not_after - now).days,
        "problems": [*([late] if late else []), *shown],
    }


def watched_in(config: dict[str, Any]) -> Iterator[Watched]:
    """The certificates in check.json."""
    for item in config["certificates"]:
        yield Watched(item["name"], item["directory"], tuple(item["names"]), tuple(item["served_at"]))


def _journal(unit: str) -> str:
    """The last of what a unit said."""
    argv = ["journalctl", "--unit", unit, "--lines", str(_LINES), "--no-pager", "--output", "cat"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def alarm(config: dict[str, Any], unit: str) -> list[str]:
    """Tell the alarm command (on its standard input) and URL (as the body of a POST) that a unit failed.

    Returns:
        What went wrong with that.
    """
    text = f"{socket.getfqdn()}: {unit} failed\n{_journal(unit)}\n"
    troubles = []
    command: Sequence[str] = config["alarm_command"]
    if command:
        try:
            subprocess.run(command, input=text, text=True, check=True, timeout=ALARM_TIMEOUT)
        except (OSError, subprocess.SubprocessError) as error:
            troubles.append(f"alarm command: {error}")
    if config["alarm_url"]:
        headers = {"Content-Type": "text/plain; charset=utf-8", "Title": f"{socket.gethostname()}: {unit} failed"}
        try:
            # That it is http or https has been seen to where it was declared.
            request = urllib.request.Request(config["alarm_url"], text.encode(), headers)  # noqa: S310
            urllib.request.urlopen(request, timeout=ALARM_TIMEOUT).close()  # noqa: S310
        except (OSError, ValueError) as error:
            # Not the URL itself: it may hold a token.
            troubles.append(f"alarm URL: {error}")
    return troubles


def main(argv: list[str]) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Compares certificates on disk with those that are served.")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--alarm", metavar="UNIT", help="tell that this systemd unit failed")
    options = parser.parse_args(argv)
    config = json.loads(options.config.read_text(encoding="utf-8"))
    syslog.openlog("portside-certbot", syslog.LOG_PID, syslog.LOG_DAEMON)
    if options.alarm:
        syslog.syslog(syslog.LOG_ALERT, f"alarm: {options.alarm} failed; see `systemctl status {options.alarm}`")
        lines = alarm(config, options.alarm)
    else:
        now = datetime.now(UTC)
        findings = examine(watched_in(config), now)
        lines = [f"certificate {found['name']}: {problem}" for found in findings for problem in found["problems"]]
        if options.json:
            print(json.dumps(findings, indent=2))
            return 1 if lines else 0
    for line in lines:
        print(line, file=sys.stderr)
        syslog.syslog(syslog.LOG_ERR, line)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
