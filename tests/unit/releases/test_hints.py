"""What is said of a container that was given up, by what real programs write."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.releases import hints
from ansible_collections.portside.vps.plugins.module_utils.releases.hints import Case

TINI = "[FATAL tini (7)] exec "
RUNC = (
    "Docker could not start the container: failed to create task for container: failed to create shim task: "
    "OCI runtime create failed: runc create failed: unable to start container process: exec: "
)
# (row, what the container wrote last, what must be said)
LINES = [
    ("process-1", "s6-overlay-suexec: fatal: can only run as pid 1", "`init: false`"),
    ("exec-format", "exec /app/server: exec format error", "another processor than this server's"),
    ("exec-format", "standard_init_linux.go:228: exec user process caused: exec format error", "--platform"),
    # What tini makes of a program for another processor: the shell is asked to read it.
    ("exec-format", "/app/server: 1: \x7fELF\x02\x01\x01: not found", "another processor"),
    ("no-program", f"{TINI}uvicorn failed: No such file or directory", "no program `uvicorn`"),
    ("no-program", "exec /entrypoint.sh: no such file or directory", "Windows line ends"),
    ("one-word", f"{TINI}npm start failed: No such file or directory", "`npm start` is taken for the name of one"),
    ("not-executable", f"{TINI}/entrypoint.sh failed: Permission denied", "`/entrypoint.sh` in the image is not exec"),
    ("no-script", 'npm ERR! Missing script: "start"', "no script `start`"),
    ("no-script", 'npm error Missing script: "migrate"', "no script `migrate`"),
    ("no-script", "npm ERR! missing script: start", "no script `start`"),
    ("no-script", " ERR_PNPM_NO_SCRIPT  Missing script: start", "no script `start`"),
    ("no-script", 'error Command "migrate" not found.', "no script `migrate`"),
    ("no-script", 'Usage Error: Couldn\'t find a script named "migrate".', "no script `migrate`"),
    ("disk-full", "OSError: [Errno 28] No space left on device", "docker system df"),
    ("disk-full", "Error: ENOSPC: no space left on device, write", "a disk is full"),
    ("in-use", "OSError: [Errno 98] Address already in use", "two programs in the container"),
    ("in-use", "Error: listen EADDRINUSE: address already in use :::3000", "two programs in the container"),
    ("in-use", "bind() to 0.0.0.0:80 failed (98: Address already in use)", "two programs in the container"),
    ("no-right", "PermissionError: [Errno 13] Permission denied: '/data/app.db'", "the image's own user"),
    ("no-right", "Error: EACCES: permission denied, open '/data/app.db'", "chown"),
    ("no-right", "mkdir: cannot create directory '/data': Permission denied", "chown"),
    ("no-right", "Error: Os { code: 13, kind: PermissionDenied, message: Permission denied (os error 13) }", "chown"),
    ("own-loopback", "Error: connect ECONNREFUSED 127.0.0.1:5432", "another app is reached by its name"),
    ("own-loopback", 'connection to server at "localhost" (::1), port 5432 failed: Connection refused', "extra_hosts"),
    ("own-loopback", "dial tcp 127.0.0.1:6379: connect: connection refused", "{host.docker.internal: host-gateway}"),
    ("unknown-name", "Error: getaddrinfo EAI_AGAIN db", "`networks`"),
    ("unknown-name", "<urlopen error [Errno -2] Name or service not known>", "`networks`"),
    ("unknown-name", 'could not translate host name "db" to address: Name does not resolve', "`networks`"),
    ("unknown-name", "dial tcp: lookup db on 127.0.0.11:53: no such host", "`networks`"),
    ("no-route", "OSError: [Errno 101] Network is unreachable", "IPv4 alone"),
    ("no-route", "dial tcp 140.82.121.33:443: connect: network is unreachable", "`egress: proxy`"),
    (
        "allowed-hosts",
        "Invalid HTTP_HOST header: 'a.example'. You may need to add 'a.example' to ALLOWED_HOSTS.",
        "a.e",
    ),
    ("memory", "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "`memory`"),
    (
        "postgres-version",
        "DETAIL:  The data directory was initialized by PostgreSQL version 16, which is not compatible with this "
        "version 17.2.",
        "pg_dumpall",
    ),
]
# (row, what Docker or the gate said, what must be said)
SAID = [
    ("no-program", RUNC + '"nosuch": executable file not found in $PATH: unknown.', "no program `nosuch`"),
    ("no-program", RUNC + '"/run.sh": stat /run.sh: no such file or directory: unknown', "no program `/run.sh`"),
    ("one-word", RUNC + '"npm start": executable file not found in $PATH: unknown.', "`npm start` is taken"),
    ("not-executable", RUNC + '"/x": permission denied: unknown.', "`/x` in the image is not executable"),
    (
        "port-taken",
        "driver failed programming external connectivity on endpoint shop-r1: failed to bind port 127.0.0.1:18000/tcp: "
        "Error starting userland proxy: listen tcp4 127.0.0.1:18000: bind: address already in use",
        "`ss -ltnp`",
    ),
    ("memory", "it ended with exit status 137 (out of memory)", "`memory`"),
    ("redirected", "GET / (Host: shop.example) on port 8000 answered 301 and not 200 for 60 s", "X-Forwarded-Proto"),
    ("login", "GET / (Host: shop.example) answered 401 and not 200 for 60 s", "{status: [401]}"),
    ("no-page", "GET /health (Host: shop.example) answered 404 and not 200 for 60 s", "`health.path`"),
    (
        "bad-request",
        "GET / (Host: shop.example) on port 8000 answered 400 and not 200 for 60 s",
        "allow `shop.example`",
    ),
]


def case(**known: object) -> Case:
    return Case(**{"machine": "x86_64", "host": "shop.example", "port": 8000, **known})  # type: ignore[arg-type]


def rows(of: Case) -> list[str]:
    return [hint.name for hint in hints.HINTS if hint.found(of)]


@pytest.mark.parametrize(("row", "line", "words"), LINES, ids=[f"{row[0]}-{n}" for n, row in enumerate(LINES)])
def test_last_line_of_a_container_has_its_cure(row: str, line: str, words: str) -> None:
    seen = case(lines=["started", line, "goodbye"])
    assert rows(seen) == [row]
    (text,) = hints.said(seen)
    assert words in text


@pytest.mark.parametrize(("row", "said", "words"), SAID, ids=[f"{row[0]}-{n}" for n, row in enumerate(SAID)])
def test_what_docker_or_the_gate_says_has_its_cure(row: str, said: str, words: str) -> None:
    seen = case(said=said)
    assert rows(seen) == [row]
    assert words in hints.said(seen)[0]


def test_every_row_is_met_by_a_line_of_a_real_program() -> None:
    special = {"other-processor", "shell-words", "swallowed", "read-only"}
    assert {hint.name for hint in hints.HINTS} == {row for row, _, _ in [*LINES, *SAID]} | special


@pytest.mark.parametrize(
    "line",
    [
        "",
        "INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)",
        "connected to 127.0.0.1:5432",
        "GET /health 200",
        "ValueError: STRIPE_WEBHOOK_SECRET is not set",
        "WARN tini is not running as PID 1, zombies will not be reaped",
    ],
)
def test_ordinary_lines_have_no_cure(line: str) -> None:
    assert hints.said(case(lines=[line], said="it ended with exit status 1")) == []


def test_gate_that_asks_about_loopback_itself_is_no_app_that_calls_it() -> None:
    said = (
        "GET / (Host: localhost) on port 8000 got no answer for 60 s ([Errno 111] Connection refused). Does the app "
        "listen on that port, and on all addresses (0.0.0.0:8000) rather than on the container's own 127.0.0.1?"
    )
    assert hints.said(case(said=said)) == []


def test_image_with_its_own_init_gets_the_cure_only_where_ours_is_on() -> None:
    line = "s6-overlay-suexec: fatal: can only run as pid 1"
    assert "process-1" not in rows(case(lines=[line], init=False))


def test_read_only_file_system_is_our_doing_only_where_it_is_declared() -> None:
    line = "OSError: [Errno 30] Read-only file system: '/app/cache'"
    assert rows(case(lines=[line], read_only=True)) == ["read-only"]
    assert rows(case(lines=[line])) == []


@pytest.mark.parametrize(
    ("entrypoint", "swallows"),
    [
        ((), False),
        (("/docker-entrypoint.sh",), False),
        (("docker-entrypoint.sh",), False),
        (("/sbin/tini", "--"), False),
        (("/init",), False),
        (("/bin/sh", "-c"), False),
        (("/usr/bin/tini", "-g", "--", "/app/server"), True),
        (("gunicorn", "shop.wsgi"), True),
        (("java", "-jar", "app.jar"), True),
        (("/app/server",), True),
    ],
)
def test_job_that_an_entrypoint_swallows_is_told_so(entrypoint: tuple[str, ...], swallows: bool) -> None:
    command = ("python", "manage.py", "migrate")
    assert (rows(case(entrypoint=entrypoint, command=command, before=True)) == ["swallowed"]) is swallows
    assert rows(case(entrypoint=entrypoint, command=command)) == []


@pytest.mark.parametrize(
    ("command", "shell"),
    [
        (("cd", "/app", "&&", "npm", "start"), True),
        (("server", "--port", "$PORT"), True),
        (("app", ">", "/tmp/log"), True),
        (("sh", "-c", "cd /app && npm start"), False),
        (("/bin/bash", "-c", "$NAME"), False),
        (("python", "-c", "import time; time.sleep(1)"), False),
        (("node", "server.js"), False),
        ((), False),
    ],
)
def test_words_of_the_shell_in_a_command_that_no_shell_reads(command: tuple[str, ...], shell: bool) -> None:
    # The shell's own `cd` is what tini doesn't find.
    lines = [f"{TINI}{command[0]} failed: No such file or directory"] if command else []
    assert (rows(case(command=command)) == ["shell-words"]) is shell
    assert (rows(case(command=command, lines=lines)) == ["shell-words"]) is shell


@pytest.mark.parametrize(
    ("built_for", "machine", "elsewhere"),
    [("arm64", "x86_64", True), ("amd64", "x86_64", False), ("arm64", "aarch64", False), ("", "x86_64", False)],
)
def test_image_for_another_processor_is_named_as_such(built_for: str, machine: str, elsewhere: bool) -> None:
    assert (rows(case(built_for=built_for, machine=machine)) == ["other-processor"]) is elsewhere


def test_no_more_than_two_are_said_and_braces_of_a_program_do_no_harm() -> None:
    lines = ["[Errno 28] No space left on device", "EADDRINUSE", "Network is unreachable"]
    assert len(hints.said(case(lines=lines))) == 2
    assert "`{x}`" in hints.said(case(lines=[f"{TINI}{{x}} failed: No such file or directory"]))[0]
