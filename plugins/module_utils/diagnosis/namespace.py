"""Work done where a container's network is: its interfaces, its resolver, its /etc/hosts, and the host's programs."""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.files import read_text

# linux/sched.h, sys/mount.h
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_REC, MS_BIND, MS_PRIVATE = 16384, 4096, 1 << 18
# What names are looked up with. A host may ask systemd-resolved through a socket, which knows nothing of the container.
RESOLVER_FILES = ("resolv.conf", "hosts")
NSSWITCH = "hosts: files dns\n"


def _call(function: str, *arguments: Any) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _enter(pid: int) -> None:
    """Take on the network of a process, and its view of names, for this process alone."""
    with open(f"/proc/{pid}/ns/net", "rb") as network:
        _call("setns", network.fileno(), CLONE_NEWNET)
    _call("unshare", CLONE_NEWNS)
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    # A file of another mount namespace can't be mounted here (mount(2), EINVAL): its text is.
    found = {name: read_text(Path(f"/proc/{pid}/root/etc/{name}")) for name in RESOLVER_FILES}
    with tempfile.TemporaryDirectory(prefix="portside-") as folder:
        for name, text in {**found, "nsswitch.conf": NSSWITCH}.items():
            target = Path("/etc") / name
            if text is not None and target.exists():
                source = Path(folder) / name
                source.write_text(text, encoding="utf-8")
                _call("mount", bytes(source), bytes(target), None, MS_BIND, None)


class Task:
    """A function that runs in a process of its own, in the network of another process.

    Args:
        pid: the process whose network it is.
        work: what is done; its result has to be JSON.
    """

    def __init__(self, pid: int, work: Callable[[], Any]) -> None:
        self._reader, writer = os.pipe()
        self._child = os.fork()
        if self._child:
            os.close(writer)
            return
        # The child: whatever happens, it must not go on as the module.
        try:
            os.close(self._reader)
            try:
                _enter(pid)
                answer = {"result": work()}
            except Exception as error:
                answer = {"error": f"{type(error).__name__}: {error}"}
            with os.fdopen(writer, "w") as stream:
                json.dump(answer, stream)
        finally:
            os._exit(0)

    def result(self) -> Any:
        """Wait for it. Raises RuntimeError with the child's words where it failed."""
        with os.fdopen(self._reader) as stream:
            text = stream.read()
        os.waitpid(self._child, 0)
        answer = json.loads(text) if text else {"error": "it ended without an answer"}
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]
