"""Whose port the firewall opens as ssh's."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.ufw import host

HEADING = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
PORT, INODE = 2222, 4711


@pytest.fixture
def proc(tmp_path):
    """A /proc in which a socket listens on PORT; returns what adds a process, which has that socket if it `listens`."""
    (tmp_path / "net").mkdir()
    line = f"   0: 00000000:{PORT:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 {INODE} 1"
    (tmp_path / "net" / "tcp").write_text(HEADING + line)

    def add(number, exe="/usr/sbin/sshd", *, user=0, parent=1, root="/", listens=True):
        folder = tmp_path / str(number)
        (folder / "fd").mkdir(parents=True)
        (folder / "comm").write_text("sshd\n")
        (folder / "status").write_text(f"Name:\tsshd\nPPid:\t{parent}\nUid:\t{user}\t{user}\t{user}\t{user}\n")
        (folder / "exe").symlink_to(exe)
        (folder / "root").symlink_to(root)
        if listens:
            (folder / "fd" / "3").symlink_to(f"socket:[{INODE}]")

    add.path = tmp_path
    return add


@pytest.mark.parametrize("exe", ["/usr/sbin/sshd", "/usr/sbin/sshd (deleted)", "/usr/sbin/dropbear"])
def test_an_ssh_daemon_of_a_package_has_its_port_opened(proc, exe):
    proc(700, exe)
    assert host._listening(proc.path) == {PORT}


@pytest.mark.parametrize(
    "process",
    [
        {"exe": "/home/somebody/sshd"},
        {"exe": "/tmp/sshd (deleted)"},
        {"exe": "/usr/sbin/sshd", "user": 1000},
        {"exe": "/usr/lib/openssh/sshd-session"},
    ],
    ids=["a program of that name", "a deleted one", "a user's own", "a session"],
)
def test_a_process_that_is_only_called_sshd_opens_nothing(proc, process):
    proc(700, **process)
    assert host._listening(proc.path) == set()


def test_an_sshd_in_a_container_opens_nothing(proc, tmp_path):
    proc(700, root=str(tmp_path))
    assert host._listening(proc.path) == set()


def test_what_a_session_forwards_is_not_opened_as_ssh(proc):
    """Before OpenSSH 9.8 a session is a child of the daemon with the same program; root's has root's rights."""
    proc(700, listens=False)
    proc(701, parent=700)
    assert host._listening(proc.path) == set()
