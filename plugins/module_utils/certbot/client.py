"""certbot as a program: its arguments, and another try when the trouble passes by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.certbot import cli_ini, names, problem
from ansible_collections.portside.vps.plugins.module_utils.certbot.decision import plugin_options
from ansible_collections.portside.vps.plugins.module_utils.certbot.problem import Problem
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import Certificate
from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed, run
from ansible_collections.portside.vps.plugins.module_utils.files import write_atomic

# Seconds for one attempt. A CA takes a minute at worst, certbot itself would wait for half an hour.
ATTEMPT_TIMEOUT = 300.0

Runner = Callable[[Sequence[str], Mapping[str, str]], Completed]


def _run(argv: Sequence[str], env: Mapping[str, str]) -> Completed:
    return run(argv, expect=(), timeout=ATTEMPT_TIMEOUT, env=env)


@dataclass(frozen=True)
class Certbot:
    """Calls to certbot on this host.

    Attributes:
        server: directory URL of the ACME server.
        email: the account's contact; empty for none.
        webroot: where the challenges go.
        environment: variables it runs with.
        log: its log file.
        program: where it is.
        credentials: the credentials file by the name of a DNS challenge.
        eab_file: file for options that must not be seen in the list of processes; there while certbot runs.
        eab: key id and HMAC key; None for none.
        account: the id of the account, where the host has several at the server; empty to leave it to certbot.
        cli_ini: where options stand that hold for every certbot of the host.
        runner, sleep: replaced in tests.
    """

    server: str
    email: str
    webroot: str
    environment: Mapping[str, str]
    log: Path
    program: str = "certbot"
    credentials: Mapping[str, Path] = field(default_factory=dict)
    eab_file: Path = Path("/run/portside-certbot-eab.ini")
    eab: tuple[str, str] | None = field(default=None, repr=False)
    account: str = ""
    cli_ini: Sequence[Path] = ()
    runner: Runner = _run
    sleep: Callable[[float], None] = time.sleep

    def _contact(self) -> list[str]:
        return ["--email", self.email] if self.email else ["--register-unsafely-without-email"]

    def register_argv(self) -> list[str]:
        """Make an account."""
        account = ["--server", self.server, "--agree-tos", "--no-eff-email", *self._contact()]
        config = ["--config", str(self.eab_file)] if self.eab else []
        return [self.program, "register", "--non-interactive", *config, *account]

    def register(self) -> list[Problem]:
        """Make an account; what the last attempt said, empty when it succeeded."""
        if self.eab is None:
            return self.call(self.register_argv())
        try:
            write_atomic(self.eab_file, f"eab-kid = {self.eab[0]}\neab-hmac-key = {self.eab[1]}\n", 0o600)
            return self.call(self.register_argv())
        finally:
            self.eab_file.unlink(missing_ok=True)

    def _challenge(self, certificate: Certificate) -> list[str]:
        """How the names are proved."""
        dns = certificate.dns
        if dns is None:
            return ["--webroot", "--webroot-path", self.webroot]
        options = plugin_options(dns, self.credentials.get(dns.name))
        given = [argument for key, value in options.items() for argument in (f"--{key}", value)]
        return ["--authenticator", dns.authenticator, "--preferred-challenges", "dns", *given]

    def update_account_argv(self) -> list[str]:
        """Give the account another contact, or none."""
        account = ["--server", self.server, "--agree-tos", "--no-eff-email", *self._contact()]
        return [self.program, "update_account", "--non-interactive", *account]

    def certonly_argv(self, certificate: Certificate, *, replaces_other_server: bool) -> list[str]:
        """Order a certificate.

        Whether it is needed has been decided before, so certbot is told not to weigh it again; and a switch of ACME
        servers is on purpose (certbot refuses to put a staging certificate over a real one unless told so).
        """
        return [
            self.program,
            "certonly",
            "--non-interactive",
            "--server",
            self.server,
            "--agree-tos",
            "--no-eff-email",
            *self._contact(),
            *(["--account", self.account] if self.account else []),
            "--cert-name",
            certificate.name,
            *(
                argument
                for domain in certificate.domains
                for argument in ("--ip-address" if names.is_address(domain) else "--domain", domain)
            ),
            "--key-type",
            certificate.key_type,
            *self._challenge(certificate),
            *(["--required-profile", certificate.profile] if certificate.profile else []),
            "--force-renewal",
            "--renew-with-new-domains",
            *(["--break-my-certs"] if replaces_other_server else []),
        ]

    def delete_argv(self, name: str) -> list[str]:
        """Remove a lineage."""
        return [self.program, "delete", "--non-interactive", "--cert-name", name]

    def _log_end(self) -> tuple[int, int]:
        """Which file the log is, and how long."""
        try:
            found = self.log.stat()
        except OSError:
            return 0, 0
        return found.st_ino, found.st_size

    def _log_since(self, end: tuple[int, int]) -> str:
        file, size = end
        present, _size = self._log_end()
        try:
            with self.log.open("rb") as stream:
                # certbot rotates its log at each start, unless told not to (as by Debian's package): all of it is new.
                stream.seek(size if present == file else 0)
                return stream.read().decode(errors="replace")
        except OSError:
            return ""

    def call(self, argv: Sequence[str], *, patient: bool = True) -> list[Problem]:
        """Run certbot until it succeeds or another try is of no use.

        Args:
            argv: the command.
            patient: whether to try again at all.

        Returns:
            What the last attempt said; empty when it succeeded.
        """
        attempt = 0
        while True:
            attempt += 1
            before = self._log_end()
            try:
                done = self.runner(argv, self.environment)
            except CommandError as error:
                return [Problem(problem.OTHER, str(error))]
            if done.status == 0:
                return []
            problems = problem.parse(done.stdout, done.stderr, self._log_since(before))
            problems = cli_ini.blamed(problems, cli_ini.foreign(self.cli_ini))
            wait = problem.wait_before(problems, attempt) if patient else None
            if wait is None:
                return problems
            self.sleep(wait)
