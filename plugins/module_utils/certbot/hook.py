#!/usr/bin/python3
"""Points the web server at a new certificate. Written by Ansible (portside.vps.certbot); certbot runs it as a hook.

    portside                 as certbot's deploy hook: the lineage in $RENEWED_LINEAGE
    portside NAME ...        these lineages
    portside --pending       every lineage whose present certificate has not been put in place yet
    portside --renew         what certbot.service does: `certbot renew`, then --pending

For each lineage the link <link_dir>/<lineage> is switched to /etc/letsencrypt/live/<lineage>, then the check command
runs, then the reload command. If the check fails, the links go back to where they pointed. What was put in place is
recorded, so that a run that was killed half-way, or a reload that failed, is made good by the next `--pending`.

certbot exits with 0 when a deploy hook fails, and gives up for twelve hours when the ACME server rejects two nonces in
a row. So the service goes through here: it tries again, and fails when a certificate is not in place.

The file stands alone (standard library only): it is copied to the host as it is. What to run stands in deploy.json, as
lists of arguments; no shell reads them.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import syslog
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

CONFIG = Path("/etc/letsencrypt/portside/deploy.json")
# Seconds. `nginx -t` resolves names and may wait for a dead resolver.
COMMAND_TIMEOUT = 120
# As the package's own certbot.service has it; the timer has jitter, so certbot need not sleep.
RENEW = ("-q", "renew", "--no-random-sleep-on-renew")
# Seconds to wait before each further try of a lineage whose nonces were rejected. What has been validated stays so for
# a while, so each try has less to do.
NONCE_WAITS = (0.5,) * 40
# The same while another certbot runs.
LOCK_WAITS = (30.0,) * 10


@dataclass(frozen=True)
class Config:
    """deploy.json: where certificates live, where the web server looks for them, and how it is told.

    Attributes:
        live_dir: certbot's directory of lineages.
        link_dir: directory of one link per lineage; None for no links.
        lineages: the lineages that get a link; others only cause check and reload.
        check_command: must succeed before the web server is told; empty for no check.
        reload_command: tells the web server; empty for nothing.
        record: file in which is noted what has been put in place.
        program: certbot.
        own_dir: directory of the user's own certificates.
        own: the lineages that are there, and not in live_dir.
    """

    live_dir: Path
    link_dir: Path | None
    lineages: tuple[str, ...]
    check_command: tuple[str, ...]
    reload_command: tuple[str, ...]
    record: Path
    program: str = "certbot"
    own_dir: Path = Path("/etc/letsencrypt/portside/own")
    own: tuple[str, ...] = ()

    def directory(self, lineage: str) -> Path:
        """Where the lineage's files are."""
        return (self.own_dir if lineage in self.own else self.live_dir) / lineage

    @classmethod
    def from_json(cls, text: str) -> Config:
        """Read the text of deploy.json.

        Raises:
            KeyError, ValueError: a key is missing, or the text is no JSON.
        """
        raw = json.loads(text)
        return cls(
            live_dir=Path(raw["live_dir"]),
            link_dir=Path(raw["link_dir"]) if raw["link_dir"] else None,
            lineages=tuple(raw["lineages"]),
            check_command=tuple(raw["check_command"]),
            reload_command=tuple(raw["reload_command"]),
            record=Path(raw["record"]),
            program=raw["program"],
            own_dir=Path(raw["own_dir"]),
            own=tuple(raw["own"]),
        )

    def to_json(self) -> str:
        """The text of deploy.json."""
        raw = {
            "live_dir": str(self.live_dir),
            "link_dir": str(self.link_dir) if self.link_dir else "",
            "lineages": sorted(self.lineages),
            "check_command": list(self.check_command),
            "reload_command": list(self.reload_command),
            "record": str(self.record),
            "program": self.program,
            "own_dir": str(self.own_dir),
            "own": sorted(self.own),
        }
        return json.dumps(raw, indent=2) + "\n"


def fingerprint(config: Config, lineage: str) -> str | None:
    """SHA-256 of the lineage's present chain, or None where there is none."""
    try:
        return hashlib.sha256((config.directory(lineage) / "fullchain.pem").read_bytes()).hexdigest()
    except OSError:
        return None


def recorded(config: Config) -> dict[str, str]:
    """Fingerprint by lineage of what has been put in place; empty where nothing has been, or the file is damaged."""
    try:
        raw = json.loads(config.record.read_text(encoding="utf-8"))
        return {str(name): str(entry["sha256"]) for name, entry in raw.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def link_target(config: Config, lineage: str) -> str | None:
    """Where the lineage's link points; None without a link (also where something else has its name)."""
    if config.link_dir is None:
        return None
    try:
        return os.readlink(config.link_dir / lineage)
    except OSError:
        return None


def wants_link(config: Config, lineage: str) -> bool:
    """Whether the web server looks for this lineage through a link."""
    return config.link_dir is not None and lineage in config.lineages


def in_place(config: Config, lineage: str) -> bool:
    """Whether the web server has been told of the lineage's present certificate, and its link is right."""
    if wants_link(config, lineage) and link_target(config, lineage) != str(config.directory(lineage)):
        return False
    return recorded(config).get(lineage) == fingerprint(config, lineage)


def run_command(argv: Iterable[str]) -> str | None:
    """Run a command; None when it succeeded, otherwise what it was and what it said."""
    command = list(argv)
    if not command:
        return None
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=COMMAND_TIMEOUT,
            check=False,
        )
    except FileNotFoundError:
        return f"`{' '.join(command)}`: {command[0]} is not installed"
    except OSError as error:
        return f"`{' '.join(command)}`: {error}"
    except subprocess.TimeoutExpired:
        return f"`{' '.join(command)}` did not finish within {COMMAND_TIMEOUT} s"
    if done.returncode == 0:
        return None
    said = "\n".join(part for part in (done.stderr.strip(), done.stdout.strip()) if part)
    return f"`{' '.join(command)}` exited with status {done.returncode}: {said}"


def point(link: Path, target: str | None) -> None:
    """Make the link point there in one step, or remove it when there is no target."""
    if target is None:
        link.unlink(missing_ok=True)
        return
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    beside.symlink_to(target)
    os.replace(beside, link)


def _switch(config: Config, lineages: Iterable[str]) -> dict[str, str | None]:
    """Point the links at the lineages; returns where those that moved pointed before (None: there was no link)."""
    moved: dict[str, str | None] = {}
    for lineage in lineages:
        if config.link_dir is None or not wants_link(config, lineage):
            continue
        before, wanted = link_target(config, lineage), str(config.directory(lineage))
        if before != wanted:
            config.link_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
            point(config.link_dir / lineage, wanted)
            moved[lineage] = before
    return moved


def note(config: Config, lineages: Iterable[str]) -> None:
    """Record that the present certificates of these lineages are in place."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: UP017  # runs on any Python 3
    try:
        raw = json.loads(config.record.read_text(encoding="utf-8"))
        entries = dict(raw) if isinstance(raw, dict) else {}
    except (OSError, ValueError):
        entries = {}
    entries = {name: entry for name, entry in entries.items() if config.directory(name).is_dir()}
    entries |= {lineage: {"sha256": fingerprint(config, lineage), "at": now} for lineage in lineages}
    config.record.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    beside = config.record.with_name(f".{config.record.name}.{os.getpid()}")
    beside.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(beside, config.record)


def _switched(config: Config, lineages: list[str]) -> tuple[list[str], dict[str, str]]:
    """Switch the links of all lineages, or of as many as the check lets through.

    Returns:
        The lineages whose links are right and pass the check, and what was wrong with each of the others.
    """
    try:
        moved = _switch(config, lineages)
    except OSError as error:
        if len(lineages) == 1:
            return [], {lineages[0]: f"its link can't be switched: {error}"}
        moved, problem = {}, str(error)
    else:
        found = run_command(config.check_command)
        if found is None:
            return lineages, {}
        problem = found
        for lineage, before in moved.items():
            if config.link_dir is not None:
                point(config.link_dir / lineage, before)
        if not moved:
            return [], dict.fromkeys(lineages, problem)
    if len(lineages) == 1:
        return [], {lineages[0]: problem}
    # One of them spoils it for all, or the web server's configuration was broken before: each by itself.
    good: list[str] = []
    failed: dict[str, str] = {}
    for lineage in lineages:
        passed, problems = _switched(config, [lineage])
        good += passed
        failed |= problems
    return good, failed


def deploy(config: Config, lineages: Iterable[str]) -> dict[str, str]:
    """Put the lineages' present certificates in place.

    Returns:
        What went wrong, by lineage; empty when the web server has been told of all of them.
    """
    present = [lineage for lineage in dict.fromkeys(lineages) if fingerprint(config, lineage) is not None]
    if not present:
        return {}
    good, failed = _switched(config, present)
    if good:
        problem = run_command(config.reload_command)
        if problem is None:
            note(config, good)
        else:
            failed |= dict.fromkeys(good, problem)
    return failed


def rejected(stderr: str) -> list[str]:
    """The lineages that `certbot renew` failed to renew because the ACME server rejected its nonces.

    Args:
        stderr: what it said.
    """
    failed = re.findall(r"^Failed to renew certificate (\S+) with error: (.*)$", stderr, re.MULTILINE)
    return [lineage for lineage, error in failed if "urn:ietf:params:acme:error:badNonce" in error]


def failed_otherwise(stderr: str) -> bool:
    """Whether `certbot renew` failed for more than rejected nonces, so that another try won't make all of it good."""
    failed = re.findall(r"^Failed to renew certificate \S+ with error: ", stderr, re.MULTILINE)
    return not failed or len(failed) != len(rejected(stderr)) or " 0 parse failure" not in stderr


def certbot_renew(program: str, *more: str) -> tuple[int, str]:
    """Run `certbot renew`, again while another certbot is at work; returns its exit status and standard error."""
    for wait in (*LOCK_WAITS, None):
        done = subprocess.run(
            [program, *RENEW, *more], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False
        )
        if done.returncode == 0 or wait is None or "Another instance of Certbot is already running" not in done.stderr:
            break
        time.sleep(wait)
    return done.returncode, done.stderr


def renew(program: str) -> int:
    """Run `certbot renew`, and again for each lineage whose nonces are rejected; returns the exit status.

    A lineage that fails for another reason, or is broken, takes no tries from the others and gets none itself.
    """
    status, said = certbot_renew(program)
    if status == 0:
        return 0
    good = not failed_otherwise(said)
    troubles = [] if good else [said]
    waiting = dict.fromkeys(rejected(said), said)
    for wait in NONCE_WAITS:
        if not waiting:
            break
        time.sleep(wait)
        for lineage in list(waiting):
            again, waiting[lineage] = certbot_renew(program, "--cert-name", lineage)
            if again == 0:
                del waiting[lineage]
            elif failed_otherwise(waiting[lineage]):
                good = False
                troubles.append(waiting.pop(lineage))
    for text in dict.fromkeys([*troubles, *waiting.values()]):
        print(text, end="", file=sys.stderr)
    return 0 if good and not waiting else status


@contextmanager
def alone(config: Config) -> Iterator[None]:
    """Wait until no other deployment runs (the timer and Ansible may meet)."""
    config.record.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    with open(config.record.with_name("lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(argv: list[str]) -> int:
    """Entry point; the exit status is not 0 when a certificate could not be renewed or put in place."""
    parser = argparse.ArgumentParser(description="Points the web server at new certificates.")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--pending", action="store_true", help="every lineage that is not in place")
    parser.add_argument("--renew", action="store_true", help="run `certbot renew` first; implies --pending")
    parser.add_argument("lineage", nargs="*")
    options = parser.parse_args(argv)
    config = Config.from_json(options.config.read_text(encoding="utf-8"))
    status = renew(config.program) if options.renew else 0
    with alone(config):
        if options.pending or options.renew:
            lineages = [lineage for lineage in config.lineages if not in_place(config, lineage)]
        elif options.lineage:
            lineages = options.lineage
        elif os.environ.get("RENEWED_LINEAGE"):
            lineages = [Path(os.environ["RENEWED_LINEAGE"]).name]
        else:
            parser.error("name a lineage, or set RENEWED_LINEAGE, or use --pending or --renew")
        failed = deploy(config, lineages)
    syslog.openlog("portside-certbot", syslog.LOG_PID, syslog.LOG_DAEMON)
    for lineage, problem in failed.items():
        line = f"certificate {lineage} is renewed but not in place, the old one is still served: {problem}"
        print(line, file=sys.stderr)
        syslog.syslog(syslog.LOG_ERR, line)
    for lineage in lineages:
        if lineage not in failed:
            syslog.syslog(syslog.LOG_INFO, f"certificate {lineage} is in place")
    return 1 if failed else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
