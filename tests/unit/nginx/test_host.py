"""The host's side, on a temporary directory in place of /etc/nginx."""

from __future__ import annotations

import os

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import host, tree
from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import Change, Directory, Link, Text, Wanted

MARK = f"{tree.MARKER} (for the test)\n"


@pytest.fixture
def nginx(tmp_path, monkeypatch):
    """A tree as the packages leave it."""
    root = tmp_path / "etc" / "nginx"
    for name in (*tree.OWN_DIRECTORIES, "sites-available", "tls"):
        (root / name).mkdir(parents=True)
    (root / "nginx.conf").write_text("http {}\n")
    (root / "sites-available" / "default").write_text("server { listen 80 default_server; }\n")
    (root / "sites-enabled" / "default").symlink_to("/etc/nginx/sites-available/default")
    monkeypatch.setattr(host, "NGINX", root)
    return root


def state(root):
    return {str(path.relative_to(root)): host.node_at(path) for path in sorted(root.rglob("*"))}


@pytest.mark.parametrize("node", [Text("x\n"), Text("x\n", 0o600), Link("/etc/target"), Directory(0o700), None])
def test_what_is_put_is_what_is_found(tmp_path, node):
    path = tmp_path / "it"
    host.put(path, node, None)
    assert host.node_at(path) == node
    host.put(path, None, node)
    assert host.node_at(path) is None


def test_a_private_file_is_never_readable_by_others(tmp_path):
    previous = os.umask(0)
    try:
        host.put(tmp_path / "key", Text("key", 0o600), None)
    finally:
        os.umask(previous)
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_failure_half_way_takes_everything_back(nginx):
    site = nginx / "sites-enabled" / "portside-shop.conf"
    site.write_text("old\n")
    before = state(nginx)
    changes = [
        Change(str(nginx / "upstreams"), None, Directory()),
        Change(str(nginx / "upstreams" / "shop.conf"), None, Text("server 127.0.0.1:9 down;\n")),
        Change(str(nginx / "sites-enabled" / "default"), Link("/etc/nginx/sites-available/default"), None),
        Change(str(site), Text("old\n"), Text("new\n")),
        Change(str(nginx / "nowhere" / "file"), None, Text("x")),
    ]
    with pytest.raises(FileNotFoundError):
        host.replace(changes)
    assert state(nginx) == before


def test_a_candidate_is_a_changed_copy_and_the_tree_stays(nginx, tmp_path):
    before = state(nginx)
    upstream = "/var/lib/app/upstream.conf"
    site = str(nginx / "sites-enabled" / "portside-shop.conf")
    candidate = tmp_path / "candidate"
    standins = host.build_candidate(
        [
            Change(str(nginx / "sites-enabled" / "default"), Link("/etc/nginx/sites-available/default"), None),
            Change("/var/lib/app", None, Directory()),
            Change(upstream, None, Text(tree.NO_RELEASE)),
            Change(site, None, Text(f"{MARK}upstream x {{ include {upstream}; }}\n")),
        ],
        candidate,
        nginx,
    )
    assert state(nginx) == before
    assert not (candidate / "sites-enabled" / "default").exists()
    ((standin, real),) = standins.items()
    assert real == upstream
    assert f"include {standin};" in (candidate / "sites-enabled" / "portside-shop.conf").read_text()
    relative = os.path.relpath(standin, nginx)
    assert (candidate / relative).read_text() == tree.NO_RELEASE
    assert candidate.stat().st_mode & 0o777 == 0o700


def test_what_a_killed_run_left_of_its_candidate_is_gone(nginx, tmp_path):
    candidate = tmp_path / "candidate"
    candidate.mkdir()
    (candidate / "leftover").write_text("")
    host.build_candidate([], candidate, nginx)
    assert state(candidate) == state(nginx)


def test_files_of_others_are_known_from_own_ones(nginx):
    # Where this machine has nginx, the packages' link leads to a file.
    (nginx / "sites-enabled" / "default").unlink()
    (nginx / "sites-enabled" / "portside-shop.conf").write_text(MARK)
    (nginx / "sites-enabled" / "legacy").write_text("server {}")
    (nginx / "sites-enabled" / ".hidden").write_text("server {}")
    (nginx / "conf.d" / "other.conf").write_text("gzip_vary on;")
    (nginx / "conf.d" / "not-read.txt").write_text("server {}")
    # On a machine with an nginx of its own the distribution's link leads somewhere.
    default, legacy = (str(nginx / "sites-enabled" / name) for name in ("default", "legacy"))
    assert {os.path.basename(path) for path in host.foreign_sites([default])} == {"legacy", "other.conf"}
    assert {os.path.basename(path) for path in host.foreign_sites([default, legacy])} == {"other.conf"}


def test_a_certificate_counts_when_both_files_hold_something(tmp_path, nginx):
    tls = nginx / "tls"
    live = tmp_path / "live"
    live.mkdir()
    (live / "fullchain.pem").write_text("certificate")
    (live / "privkey.pem").write_text("")
    (tls / "shop").symlink_to(live)
    wanted = Wanted((), {"shop": "shop", "gone": "gone"}, {}, str(tls), "/var/www/acme")
    assert host.snapshot(wanted).usable_certificates == frozenset()
    (live / "privkey.pem").write_text("key")
    assert host.snapshot(wanted).usable_certificates == {"shop"}


def test_a_key_or_password_that_is_there_stays_out_of_diffs(tmp_path):
    path = tmp_path / "key"
    host.put(path, Text("old", 0o600), None)
    (part,) = tree.diff([Change(str(path), host.node_at(path), None)])
    assert "old" not in part["before"]


def test_a_service_that_systemd_does_not_know(monkeypatch, tmp_path):
    fake = tmp_path / "systemctl"
    fake.write_text("#!/bin/sh\nprintf 'LoadState=not-found\\nActiveState=inactive\\nUnitFileState=\\nMainPID=0\\n'\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert host.service() == host.Service(known=False, active=False, enabled=True, master=0)


def test_a_host_without_systemd(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert host.service() == host.Service(known=False, active=False, enabled=False, master=0)
