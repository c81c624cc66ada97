"""nginx as the release engine sees it: a file to write, a check, a reload, and workers that finish."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed, run
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock

# nginx's process titles: src/os/unix/ngx_process_cycle.c.
RETIRING = "worker process is shutting down"
WORKER = "worker process"
# How long nginx may take from the signal to having started its new workers; they only have to read their configuration.
TAKES = 15.0
POLL = 0.05


class FrontError(Exception):
    """nginx could not be pointed at a release; the file is as it was before."""


class Front(Protocol):
    """The proxy in front of the apps."""

    def served(self, path: str) -> str | None:
        """The upstream file's text, None where there is none."""

    def point(self, path: str, text: str) -> None:
        """Make nginx use this text; when this returns no worker takes new connections with the old one."""

    def drain(self, limit: float) -> bool:
        """Wait until the workers from before the last switch have answered everything; false at the limit (seconds)."""

    def withdraw(self, path: str) -> None:
        """Remove the file, unless nginx still wants it."""


Workers = dict[int, str]


def nginx_workers(pid_file: Path, proc: Path) -> Workers:
    """The workers of the host's nginx, by process ID, with the title that each has now.

    Containers may run an nginx too: only children of the master that the PID file names are meant.
    """
    master = (read_text(pid_file) or "").strip()
    found: Workers = {}
    if not master.isdigit():
        return found
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text(errors="replace")
            # proc_pid_stat(5): the second field is in parentheses and may hold anything, the fourth is the parent.
            parent = stat[stat.rindex(")") + 1 :].split()[1]
            title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except (OSError, ValueError, IndexError):
            continue  # it ended while we were looking
        if parent == master and re.search(WORKER, title):
            found[int(entry.name)] = title
    return found


class HostFront:
    """nginx on this host, reached by its files and by the commands that the caller gave.

    Args:
        check: argv of the command that checks the configuration; empty for none.
        reload: argv of the command that makes nginx read it; empty for none, then nothing is waited for either.
        clock: time.
        pid_file: where nginx's master keeps its process ID.
        execute: runs an argv.
        proc: the process file system.
    """

    def __init__(
        self,
        check: Sequence[str],
        reload: Sequence[str],
        clock: Clock,
        *,
        pid_file: Path = Path("/run/nginx.pid"),
        execute: Callable[[Sequence[str]], Completed] = run,
        proc: Path = Path("/proc"),
    ) -> None:
        self._check = list(check)
        self._reload = list(reload)
        self._clock = clock
        self._pid_file = pid_file
        self._execute = execute
        self._proc = proc
        self._old: set[int] | None = None

    def served(self, path: str) -> str | None:
        """The upstream file's text, None where there is none."""
        return read_text(Path(path))

    def point(self, path: str, text: str) -> None:
        """Write, check, reload, and wait until no old worker accepts connections any more.

        Raises:
            FrontError: one of these failed. The file is put back, and nginx told so where it may have seen the new one.
        """
        file = Path(path)
        before = read_text(file)
        if not file.parent.is_dir():
            raise FrontError(f"{file.parent} does not exist: the directory of `upstream_file` has to be there")
        write_atomic(file, text)
        try:
            self._run_check()
        except CommandError as error:
            self._put_back(file, before)
            raise FrontError(f"nginx would not accept its configuration: {error}") from error
        try:
            self._run_reload()
        except (CommandError, TimeoutError) as error:
            self._put_back(file, before)
            # A second failure says nothing new: the first is what is reported.
            with contextlib.suppress(CommandError, TimeoutError):
                self._run_reload()
            raise FrontError(f"nginx could not be reloaded: {error}") from error

    def drain(self, limit: float) -> bool:
        """Wait until the workers from before the last reload are gone.

        Before any reload of this run, those that are retiring are waited for: an earlier run may have been cut off.
        """
        return self._wait(lambda: not self._unfinished(), limit)

    def withdraw(self, path: str) -> None:
        """Remove the file; where nginx's configuration still includes it, leave it."""
        file = Path(path)
        text = read_text(file)
        if text is None:
            return
        file.unlink(missing_ok=True)
        try:
            self._run_check()
        except CommandError:
            write_atomic(file, text)

    def _unfinished(self) -> set[int]:
        now = nginx_workers(self._pid_file, self._proc)
        if self._old is None:
            return {pid for pid, title in now.items() if RETIRING in title}
        return self._old & set(now)

    def _run_check(self) -> None:
        if self._check:
            self._execute(self._check)

    def _run_reload(self) -> None:
        if not self._reload:
            return
        before = set(nginx_workers(self._pid_file, self._proc))
        self._execute(self._reload)
        self._old = before if self._old is None else self._old | before
        if not self._wait(lambda: not self._accepting(before), TAKES):
            raise TimeoutError(
                f"its old workers still accept connections {TAKES:g} s later: see `journalctl -u nginx`, and its log"
            )

    def _accepting(self, workers: set[int]) -> set[int]:
        now = nginx_workers(self._pid_file, self._proc)
        return {pid for pid in workers if pid in now and RETIRING not in now[pid]}

    def _wait(self, condition: Callable[[], bool], limit: float) -> bool:
        deadline = self._clock.now() + limit
        while not condition():
            if self._clock.now() >= deadline:
                return False
            self._clock.sleep(POLL)
        return True

    @staticmethod
    def _put_back(file: Path, text: str | None) -> None:
        if text is None:
            file.unlink(missing_ok=True)
        else:
            write_atomic(file, text)
