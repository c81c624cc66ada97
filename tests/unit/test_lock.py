"""A lock that one process holds at a time, with real processes."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from ansible_collections.portside.vps.plugins.module_utils import lock

HOLDER = """
import sys, time
from pathlib import Path
from ansible_collections.portside.vps.plugins.module_utils.lock import alone
with alone(Path(sys.argv[1]), 0):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "portside" / "some.lock"


@pytest.fixture
def holder(path):
    """Another process that holds the lock until it is killed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_who_holds_it_is_said_to_who_waits_in_vain(path, holder):
    said = rf"more than 0.5 s \(pid {holder.pid} since 20.*Z; lock: {path}\)"
    with pytest.raises(lock.LockError, match=said), lock.alone(path, 0.5):
        pass


def test_who_waits_gets_it_when_its_holder_is_killed(path, holder):
    threading.Timer(0.5, holder.send_signal, [signal.SIGKILL]).start()
    with lock.alone(path, 30):
        assert str(os.getpid()) in path.read_text()


def test_it_is_free_again_after_an_error(path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), lock.alone(path, 0):
            raise ZeroDivisionError


def test_only_its_user_reads_it(path):
    with lock.alone(path, 0):
        assert path.stat().st_mode & 0o777 == 0o600
