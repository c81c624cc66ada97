"""What to do about a container that did not come to serve, by what it wrote last: one table, a row for each thing.

The lines are those of the programs themselves: of tini (Docker's small init, in front of every command unless `init` is
false), runc, s6-overlay, libc's strerror(3), and the package managers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

# Groups that mean the same, where a pattern has several places for it.
_PROGRAMS = ("program", "named", "script", "pnpm", "yarn", "berry", "bun")
# So many are said: the cause is mostly the first, and a third would be read by nobody.
MOST = 2
# Programs that run what they are handed, after options of their own. A script does so too, as a rule (`exec "$@"`).
_RUNNERS = re.compile(r"(?:.*/)?(?:tini|dumb-init|catatonit|init|gosu|env|sh|bash|ash|[^/]*\.sh|[^/]*entrypoint[^/]*)")
_SHELL_WORDS = re.compile(r"&&|\|\|?|;|[<>]{1,2}|[0-9]>&[0-9]|.*\$\(.*|\$\{?[A-Za-z_]\w*\}?|.*;")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|a)?sh")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Case:
    """What is known of a container that was given up.

    Attributes:
        lines: what it wrote last.
        said: what Docker or the health gate said of it.
        command: what it was to run; empty for what the image runs by itself.
        entrypoint: the image's ENTRYPOINT.
        built_for: the processor that the image is for, in Docker's words (`amd64`); empty if it doesn't say.
        machine: the server's, in the words of uname(2).
        port: the one that is asked.
        host: the name that it is asked by.
        user: as whom it runs, empty for the image's own user.
        init: whether tini is its process 1.
        read_only: whether its file system is.
        before: whether it is a job that goes before a release.
    """

    lines: Sequence[str] = ()
    said: str = ""
    command: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    built_for: str = ""
    machine: str = ""
    port: int | None = None
    host: str = ""
    user: str = ""
    init: bool = True
    read_only: bool = False
    before: bool = False

    @property
    def takes_arguments(self) -> str:
        """The program of the image's ENTRYPOINT that gets the command as arguments; empty where it is run as it is."""
        words = list(self.entrypoint)
        while words and (_RUNNERS.fullmatch(words[0]) or words[0].startswith("-")):
            words.pop(0)
        return words[0] if words else ""

    @property
    def wants_a_shell(self) -> bool:
        """Whether words of the command mean something to a shell alone, and none reads it."""
        return any(_SHELL_WORDS.fullmatch(word) for word in self.command) and not _SHELL.fullmatch(self.command[0])

    @property
    def built_elsewhere(self) -> bool:
        """Whether the image is for another processor than the server's."""
        return bool(self.built_for and _MACHINES.get(self.machine, self.built_for) != self.built_for)


@dataclass(frozen=True)
class Hint:
    """A row of the table.

    Attributes:
        name: what a test calls it.
        text: what to do; in braces are groups of the patterns and attributes of the case.
        lines: what a line that the container wrote has, whatever the case of its letters; None for nothing.
        said: likewise for what Docker or the gate said.
        when: what must be true besides.
    """

    name: str
    text: str
    lines: str | None = None
    said: str | None = None
    when: Callable[[Case], bool] = field(default=lambda _: True)

    def found(self, case: Case) -> str:
        """What it says in this case; empty where it has nothing to say."""
        if not self.when(case):
            return ""
        for pattern, text in ((self.lines, "\n".join(case.lines)), (self.said, case.said)):
            match = re.search(pattern, text, re.I | re.M) if pattern is not None else None
            if match:
                groups = {key: value for key, value in match.groupdict().items() if value}
                program = next((groups[key] for key in _PROGRAMS if key in groups), case.takes_arguments)
                runs_as = f"user `{case.user}`" if case.user else "the image's own user"
                return self.text.format(**{**vars(case), **groups, "program": program, "runs_as": runs_as})
        return ""


_NO_PROGRAM = (
    r"\bexec (?P<program>\S+) failed: no such file or directory"
    r"|\bexec (?P<script>\S+): no such file or directory"
    r"|exec: \"(?P<named>[^\" ]+)\": (?:executable file not found|stat .*no such file)"
)
_ONE_WORD = (
    r"\bexec (?P<program>\S+ .+?) failed: no such file or directory"
    r"|exec: \"(?P<named>[^\" ]+ [^\"]+)\": executable file not found"
)
_NO_RIGHT = r"\bexec (?P<program>.+?) failed: permission denied|exec: \"(?P<named>[^\"]+)\": permission denied"
_NO_SCRIPT = (
    r"npm (?:err!|error) missing script:? \"?(?P<script>[^\s\"]+)|err_pnpm_no_script.*missing script: (?P<pnpm>\S+)"
    r"|error command \"(?P<yarn>[^\"]+)\" not found|couldn't find a script named \"(?P<berry>[^\"]+)\""
    r"|error: script not found \"(?P<bun>[^\"]+)\""
)
_LOCAL = r"(?:127\.0\.0\.1|localhost|\[?::1\]?)"
_REFUSED = r"(?:connection refused|econnrefused)"

HINTS: tuple[Hint, ...] = (
    Hint(
        "process-1",
        "the image has an init of its own that has to be process 1, as those with s6-overlay have: give the app "
        "`init: false`",
        r"can only run as pid 1|must be run as pid 1|not running as pid 1.*(?:abort|exit|fatal)",
        when=lambda case: case.init,
    ),
    Hint(
        "other-processor",
        "the image is built for {built_for}, and this server is {machine}: build it for this one "
        "(`docker build --platform linux/...`), or name a tag that has both",
        r"",
        when=lambda case: case.built_elsewhere,
    ),
    Hint(
        "exec-format",
        "the program is for another processor than this server's (`uname -m`), or a script whose first line is no "
        "`#!`: build the image for this one (`docker build --platform linux/...`)",
        r"exec format error|\x7fELF|\bELF\b.*not found",
        r"exec format error",
    ),
    Hint(
        "shell-words",
        "no shell reads the command, and `&&`, `|`, `>` or `$NAME` reach the program as words: write it as "
        "`sh -c '...'`, or make each part an item of `before`",
        r"",
        when=lambda case: case.wants_a_shell,
    ),
    Hint(
        "swallowed",
        "the image's ENTRYPOINT `{program}` gets the command as its arguments, and need not run it at all: write "
        "`before_entrypoint: none`, which runs the command as it stands, or only what that program takes",
        r"",
        when=lambda case: case.before and bool(case.takes_arguments),
    ),
    Hint(
        "one-word",
        "`{program}` is taken for the name of one program: write the command as a line, or each word as an item of its "
        "own (`[npm, start]`)",
        _ONE_WORD,
        _ONE_WORD,
    ),
    Hint(
        "no-program",
        "the image has no program `{program}`, or that is a script of which the first line names one that it lacks "
        "(with Windows line ends it does): correct `command`, `before` or the image",
        _NO_PROGRAM,
        _NO_PROGRAM,
        when=lambda case: not case.wants_a_shell,
    ),
    Hint(
        "not-executable",
        "`{program}` in the image is not executable: `COPY --chmod=755`, or `RUN chmod +x` in its Dockerfile",
        _NO_RIGHT,
        _NO_RIGHT,
    ),
    Hint(
        "no-script",
        "the package.json in the image has no script `{program}`: correct `command` or `before`, or build the image "
        "with it",
        _NO_SCRIPT,
    ),
    Hint(
        "disk-full",
        "a disk is full, or a `tmpfs` of the app: `df -h` and `docker system df` on the server show which; "
        "`docker system prune` removes what no container uses",
        r"no space left on device|enospc|disk quota exceeded",
        r"no space left on device",
    ),
    Hint(
        "port-taken",
        "something else on the server has the port that the container is published on: `ss -ltnp` shows what",
        said=r"port is already allocated|failed to bind (?:host )?port|listen tcp\S* \S+: bind: address already in use",
    ),
    Hint(
        "in-use",
        "two programs in the container want one port: see whether `command` starts what the image starts by itself, or "
        "several programs take the same `PORT`",
        r"address (?:is )?already in use|eaddrinuse",
    ),
    Hint(
        "read-only",
        "`read_only: true` lets it write to volumes and `tmpfs` alone: give it what it writes to as one of them, "
        '`tmpfs: ["/tmp:size=64m"]` for instance',
        r"read-only file system|erofs",
        when=lambda case: case.read_only,
    ),
    Hint(
        "no-right",
        "the program runs as {runs_as}, whom that path doesn't belong to: in a volume, hand it over on the server "
        "(`chown -R uid:gid`), in the image in its Dockerfile (`COPY --chown`); or set `user` to its owner",
        r"^(?!.*\bexec ).*(?:(?:errno 13|eacces\b|: )\W*permission denied|permission denied \(os error 13\))",
    ),
    Hint(
        "own-loopback",
        "inside its container 127.0.0.1 is the container itself: another app is reached by its name, on a network that "
        "both have (`networks`); a program on the server by a name of `extra_hosts`, "
        "`{{host.docker.internal: host-gateway}}` for instance",
        rf"{_LOCAL}\b.{{0,120}}{_REFUSED}|{_REFUSED}.{{0,120}}{_LOCAL}",
    ),
    Hint(
        "unknown-name",
        "a name can't be looked up in the container: the name of another app is known only on a network that both have "
        "(`networks`); for all others see playbooks/diagnose.yml",
        r"eai_again|enotfound|temporary failure in name resolution|name or service not known"
        r"|could not translate host name|no such host|nodename nor servname",
    ),
    Hint(
        "no-route",
        "the container has no way to that address: on their networks containers have IPv4 alone, which leads out only "
        "where the server has IPv4; without it they need a proxy on the server (`egress: proxy`)",
        r"network is unreachable|enetunreach",
    ),
    Hint(
        "allowed-hosts",
        "the app takes no requests for `{host}`: add it to ALLOWED_HOSTS",
        r"you may need to add '(?P<host>[^']+)' to allowed_hosts",
    ),
    Hint(
        "memory",
        "it needs more memory than it may use (`memory`), or than the server has (`free -h`)",
        r"heap out of memory|java\.lang\.outofmemoryerror|cannot allocate memory|^memoryerror|bad_alloc",
        r"out of memory",
    ),
    Hint(
        "postgres-version",
        "a new major version of PostgreSQL reads no data of an older one: go back to the image before, dump the data "
        "(`pg_dumpall`), and read the dump into a new volume",
        r"database files are incompatible with server|data directory was initialized by postgresql version",
    ),
    Hint(
        "redirected",
        "the health check is sent on to another page: name one in `health.path` that answers itself; an app that sends "
        "http on to https has to believe `X-Forwarded-Proto`",
        said=r"answered 30[1278] and not",
    ),
    Hint(
        "login",
        "the health check has no login: name a page in `health.path` that needs none, or count the answer as healthy "
        "(`health: {{status: [{status}]}}`)",
        said=r"answered (?P<status>401|403) and not",
    ),
    Hint(
        "no-page",
        "the app has no such page: name one in `health.path` that it has",
        said=r"answered (?P<status>404|405) and not",
    ),
    Hint(
        "bad-request",
        "many apps answer 400 to a name that they don't know: allow `{host}` in the app, or name one that it knows in "
        "`health.host`",
        said=r"answered 400 and not",
    ),
)


def said(case: Case) -> list[str]:
    """What to do, the likeliest first; empty where nothing is known."""
    found = [text for hint in HINTS if (text := hint.found(case))]
    return found[:MOST]
