"""certbot from PyPI: a Python environment of its own, built aside and switched to in one step."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, run
from ansible_collections.portside.vps.plugins.module_utils.files import link_atomic, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.quiet import without_logins

ROOT = Path("/opt/portside/certbot")
# Seconds; a slow index and a small machine.
INSTALL_TIMEOUT = 1800.0
_KEY_LENGTH = 16


@dataclass(frozen=True)
class Environment:
    """The environment that is wanted.

    Attributes:
        requirements: the text of a requirements file, with hashes or without.
        python: the version of the host's Python, `3.11` for instance.
        index_url: where packages come from; empty for pip's own default.
        wheels: directory on the host that holds all of them; empty for an index.
        root: where environments are.
    """

    requirements: str
    python: str
    index_url: str = ""
    wheels: str = ""
    root: Path = ROOT

    @property
    def folder(self) -> Path:
        """Its directory, named by what is in it: another Python needs another environment."""
        named = hashlib.sha256(f"{self.python}\n{self.requirements.strip()}".encode()).hexdigest()[:_KEY_LENGTH]
        return self.root / named

    @property
    def current(self) -> Path:
        """The link to the one in use."""
        return self.root / "current"

    @property
    def present(self) -> bool:
        """Whether it is the one in use."""
        return (
            self.current.is_symlink()
            and os.readlink(self.current) == self.folder.name
            and (self.folder / "bin/certbot").exists()
        )

    def pip_argv(self, file: Path) -> list[str]:
        """What installs the requirements."""
        hashes = ["--require-hashes"] if "--hash=" in self.requirements else []
        source = ["--no-index", "--find-links", self.wheels] if self.wheels else []
        pip = [str(self.folder / "bin/python"), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        return [*pip, "--no-cache-dir", "--only-binary", ":all:", *hashes, *source, "--requirement", str(file)]

    @property
    def pip_environment(self) -> dict[str, str]:
        """Where packages come from: a private index's URL has its login in it, and everybody sees the list of processes
        (pip.pypa.io, "Configuration", environment variables)."""
        return {"PIP_INDEX_URL": self.index_url} if self.index_url and not self.wheels else {}

    def build(self, variables: Mapping[str, str]) -> None:
        """Build it aside, see that it works, and switch to it.

        Args:
            variables: pip's environment, a proxy for instance.

        Raises:
            CommandError: it can't be built, or does not work; the one in use stays.
        """
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            run(["python3", "-m", "venv", str(self.folder)], timeout=INSTALL_TIMEOUT)
            file = self.folder / "requirements.txt"
            # It may name an index, too.
            write_atomic(file, self.requirements, mode=0o600)
            run(self.pip_argv(file), timeout=INSTALL_TIMEOUT, env={**variables, **self.pip_environment})
            run([str(self.folder / "bin/certbot"), "--version"])
        except CommandError as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise CommandError(
                f"certbot could not be installed from PyPI: {without_logins(str(error))}\n"
                "Look at `certbot_pypi_index`, `certbot_pypi_wheels` and the proxy in `certbot_environment`; "
                "`certbot_source: distribution` does without."
            ) from error
        link_atomic(self.current, self.folder.name)
        for other in self.root.iterdir():
            if other != self.folder and re.fullmatch(rf"[0-9a-f]{{{_KEY_LENGTH}}}", other.name):
                shutil.rmtree(other)
