"""Running a program on the host: argv in, text out, and an error that says what to do next."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class CommandError(Exception):
    """A program could not be started, ran too long, or exited with a status that was not expected."""


@dataclass(frozen=True)
class Completed:
    """What a program left behind: its argv, exit status, and both streams as text."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def said(self) -> str:
        """Both streams, standard error first, without surrounding white space."""
        return "\n".join(part for part in (self.stderr.strip(), self.stdout.strip()) if part)


def run(
    argv: Sequence[str],
    *,
    expect: Sequence[int] = (0,),
    timeout: float = 60.0,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a program without a shell, in the C locale.

    Args:
        argv: the program and its arguments.
        expect: exit statuses that are no error; an empty sequence accepts any.
        timeout: seconds before the program is killed.
        env: variables added to the module's own environment.
        stdin: text for standard input; none means an empty one.

    Raises:
        CommandError: the program is not there, ran past the limit, or exited with another status.
    """
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "LANGUAGE": "C", **(env or {})}
    try:
        done = subprocess.run(
            list(argv),
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            check=False,
        )
    except FileNotFoundError as missing:
        raise CommandError(f"`{argv[0]}` is not installed on this host") from missing
    except subprocess.TimeoutExpired as late:
        raise CommandError(f"`{' '.join(argv)}` did not finish within {timeout:g} s") from late
    completed = Completed(tuple(argv), done.returncode, done.stdout, done.stderr)
    if expect and completed.status not in expect:
        raise CommandError(f"`{' '.join(argv)}` exited with status {completed.status}: {completed.said}")
    return completed
