"""Runs the module app_release on a server itself, with the arguments that the role gives it: for the many small tests,
in a tenth of a playbook's time, and cut off at a step of choice."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible

from lab.identity import CHECKOUT

CODE = "/opt/portside-test"
KILLED = -9


@dataclass(frozen=True)
class Result:
    """What the module returned, and what it did on the host, in order; `status` is -9 where it was cut off."""

    status: int
    said: dict[str, Any]
    effects: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """What went wrong."""
        return str(self.said.get("msg", ""))

    def app(self, name: str) -> Any:
        """What became of an app."""
        return next(app for app in self.said["apps"] if app["name"] == name)


class Releases:
    """The module on a server.

    Args:
        ssh_config: the lab's.
        host: name of the server in it.
    """

    def __init__(self, ssh_config: str, host: str) -> None:
        self._ssh = ["ssh", "-F", ssh_config, host]
        subprocess.run([*self._ssh, "tar", "-x", "-C", "/"], input=_code(), capture_output=True, check=True)

    def begin(self) -> subprocess.Popen[bytes]:
        """A run that waits for its orders on standard input, see `orders`."""
        script = f"PYTHONPATH={CODE} exec python3 {CODE}/cut_off.py"
        pipes = subprocess.PIPE
        return subprocess.Popen([*self._ssh, script], stdin=pipes, stdout=pipes, stderr=pipes)

    def run(
        self, apps: Sequence[Any], at: int | None = None, happens: Sequence[Sequence[str]] = (), **arguments: Any
    ) -> Result:
        """Run the module.

        Args:
            apps: `docker_app_list`.
            at: after so many effects on the host something happens; None for never.
            happens: commands that the server runs while the module waits; without any the module gets SIGKILL.
            arguments: further ones of the module.
        """
        process = self.begin()
        out, err = process.communicate(orders(apps, at, happens, **arguments))
        effects = tuple(err.decode().split())
        if not out:
            # The status of a shell whose program was killed.
            assert process.returncode in {137, 255}, err.decode()
            return Result(KILLED, {}, effects)
        return Result(process.returncode, json.loads(out), effects)


def orders(
    apps: Sequence[Any], at: int | None = None, happens: Sequence[Sequence[str]] = (), **arguments: Any
) -> bytes:
    """What a run reads; the arguments are those of Releases.run."""
    return json.dumps({"arguments": {"apps": list(apps), **arguments}, "at": at, "happens": happens}).encode()


def _code() -> bytes:
    """The module's code and Ansible's own part of it, as a tar archive for the server's root directory."""
    stream = io.BytesIO()
    collection = f"{CODE}/ansible_collections/portside/vps/plugins"
    library = Path(str(ansible.__file__)).parent
    parts = {
        library / "module_utils": f"{CODE}/ansible/module_utils",
        library / "release.py": f"{CODE}/ansible/release.py",
        CHECKOUT / "plugins" / "module_utils": f"{collection}/module_utils",
        CHECKOUT / "plugins" / "modules": f"{collection}/modules",
        Path(__file__).with_name("cut_off.py"): f"{CODE}/cut_off.py",
    }
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for source, target in parts.items():
            archive.add(source, target, filter=lambda entry: None if "__pycache__" in entry.name else entry)
        # As in what Ansible sends: the package, without all that only the controller has.
        archive.addfile(tarfile.TarInfo(f"{CODE}/ansible/__init__.py"), io.BytesIO())
    return stream.getvalue()
