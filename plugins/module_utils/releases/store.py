"""The state directory: one directory for each app, readable by root alone, changed by one run at a time."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils import telltale
from ansible_collections.portside.vps.plugins.module_utils.files import read_text, remove_tree, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.lock import alone
from ansible_collections.portside.vps.plugins.module_utils.releases import kept_site
from ansible_collections.portside.vps.plugins.module_utils.releases import state as states
from ansible_collections.portside.vps.plugins.module_utils.releases.state import AppState


class StoreError(Exception):
    """The state directory can't be used; the message says which file and what to do."""


@dataclass(frozen=True)
class Record:
    """How a release was declared.

    app: the item of the list of apps, without the values of its secrets.
    extra: what the caller wanted to have kept with it, and gets back at a rollback; hashes in place of its passwords.
    """

    app: Mapping[str, Any]
    extra: str = ""


def _private(path: Path) -> bool:
    found = path.stat()
    return not found.st_mode & 0o077 and found.st_uid == os.geteuid()


class Store:
    """Reads and writes what is remembered of the apps.

    Args:
        root: the directory, `/var/lib/portside/apps` for instance. Made when something is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """The apps of which something is remembered."""
        return sorted(path.parent.name for path in self.root.glob("*/state.json"))

    def load(self, app: str) -> AppState | None:
        """What is remembered of the app, or None.

        Raises:
            StoreError: its file can't be understood.
        """
        path = self.root / app / "state.json"
        try:
            text = read_text(path)
            return None if text is None else states.from_json(text)
        except (states.StateError, UnicodeDecodeError, OSError) as error:
            raise StoreError(
                f"{path} can't be read ({error}): move it aside and run again; the running container is then taken over"
            ) from error

    def readable(self) -> dict[str, AppState]:
        """What is remembered of all apps, by name; one whose file can't be understood is left out."""
        found = {}
        for name in self.names():
            with suppress(StoreError):
                state = self.load(name)
                if state:
                    found[name] = state
        return found

    def rejections(self) -> bool:
        """Whether a release of any app was rejected, or can have been: what is remembered can't be understood."""
        known = self.readable()
        releases = [release for state in known.values() for release in state.releases]
        return len(known) < len(self.names()) or any(release.state == states.REJECTED for release in releases)

    def save(self, state: AppState) -> None:
        """Replace what is remembered of the app."""
        directory = self._directory(self.root / state.app)
        write_atomic(directory / "state.json", states.to_json(state), mode=0o600)

    def secrets(self, app: str, release: int) -> dict[str, str] | None:
        """The secrets of a release, or None where they are not known."""
        kept = self._kept(self._secrets_file(app, release))
        return None if kept is None else dict(kept)

    def remembered(self) -> set[str]:
        """Every secret of every release that is kept, with the passwords of URLs among them, and of sites kept before
        their passwords became hashes. What can't be read is passed over."""
        found: set[str] = set()
        for path in self.root.glob("*/secrets/r*.json"):
            with suppress(StoreError, OSError, AttributeError):
                values = [str(value) for value in self._kept(path).values()]
                found |= {*values, *telltale.secrets(values)}
        for path in self.root.glob("*/releases/r*.json"):
            with suppress(StoreError, OSError, AttributeError):
                kept = self._kept(path)
                found |= {*kept_site.clear_passwords(kept.get("extra", "")), *telltale.secrets(kept.get("app", {}))}
        return found

    def save_secrets(self, app: str, release: int, values: Mapping[str, str]) -> None:
        """Keep the secrets of a release, for a rollback to it."""
        path = self._secrets_file(app, release)
        self._directory(path.parent.parent)
        self._directory(path.parent)
        write_atomic(path, json.dumps(dict(values), indent=2, ensure_ascii=False) + "\n", mode=0o600)

    def record(self, app: str, release: int) -> Record | None:
        """How a release was declared, or None where that is not known."""
        kept = self._kept(self._record_file(app, release))
        return None if kept is None else Record(kept["app"], kept.get("extra", ""))

    def save_record(self, app: str, release: int, record: Record) -> None:
        """Keep how a release was declared, for a rollback to it."""
        path = self._record_file(app, release)
        self._directory(path.parent.parent)
        self._directory(path.parent)
        write_atomic(path, json.dumps(asdict(record), indent=2, ensure_ascii=False) + "\n", mode=0o600)

    def drop_release(self, app: str, release: int) -> None:
        """Forget the secrets of a release and how it was declared."""
        self._secrets_file(app, release).unlink(missing_ok=True)
        self._record_file(app, release).unlink(missing_ok=True)
        remove_tree(self.secret_files(app, release))

    def secret_files(self, app: str, release: int) -> Path:
        """The directory with those secrets of a release that its container gets as files."""
        return self.root / app / "secrets" / f"r{release}"

    def save_secret_files(self, app: str, release: int, values: Mapping[str, str]) -> None:
        """Write the files that are mounted into the container of a release; nothing where there are none.

        Whatever user the container runs as has to be able to read them. On the host nobody else can: the directories
        above are closed to all but root.
        """
        if not values:
            return
        directory = self.secret_files(app, release)
        self._directory(directory.parent.parent)
        self._directory(directory.parent)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        for name, value in values.items():
            write_atomic(directory / name, value, mode=0o444)

    def unsafe(self, app: str) -> list[Path]:
        """What of the app's is not root's alone; what containers mount is shut by the directories above."""
        own = self.root / app
        paths = [self.root, own, own / "secrets", own / "releases", own / "state.json", *own.glob("*/r*.json")]
        return [path for path in paths if path.exists() and not _private(path)]

    def secure(self, app: str) -> None:
        """Make all that is remembered of the app root's alone again."""
        for path in self.unsafe(app):
            os.chown(path, os.geteuid(), -1)
            path.chmod(0o700 if path.is_dir() else 0o600)

    def forget(self, app: str) -> None:
        """Remove all that is remembered of an app."""
        remove_tree(self.root / app)

    def salt(self) -> bytes | None:
        """The host's random key for hashes, or None before anything was written."""
        text = read_text(self.root / ".salt")
        return bytes.fromhex(text.strip()) if text else None

    def make_salt(self) -> bytes:
        """The host's random key, made if there is none yet."""
        found = self.salt()
        if found is None:
            found = secrets.token_bytes(32)
            write_atomic(self._directory(self.root) / ".salt", found.hex() + "\n", mode=0o600)
        return found

    def lock(self, patience: float) -> AbstractContextManager[None]:
        """Hold the directory for one run.

        Args:
            patience: seconds to wait for another run.

        Raises:
            LockError: another run still holds it.
        """
        return alone(self._directory(self.root) / ".lock", patience)

    def _kept(self, path: Path) -> Any:
        text = read_text(path)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise StoreError(
                f"{path} can't be read ({error}): move it aside; there is no rollback to it then"
            ) from error

    def _record_file(self, app: str, release: int) -> Path:
        return self.root / app / "releases" / f"r{release}.json"

    def _secrets_file(self, app: str, release: int) -> Path:
        return self.root / app / "secrets" / f"r{release}.json"

    def _directory(self, path: Path) -> Path:
        if not path.is_dir():
            self.root.parent.mkdir(parents=True, exist_ok=True)
            self.root.mkdir(mode=0o700, exist_ok=True)
            path.mkdir(mode=0o700, exist_ok=True)
        return path
