"""A server that is built anew gets its certificates back and orders nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from certbot_server import PLAYBOOK

from lab.machine import ensure_programs
from lab.playbook import run

PASSWORD = "correct horse battery"


def rebuilt(server) -> None:
    """As a new server is: no certificates, and every site of nginx's shows its placeholder."""
    server.sh("rm", "-rf", "/etc/letsencrypt", "/var/lib/portside/certbot")
    server.sh("sh", "-c", "find /etc/nginx/tls -type l -exec ln -sfn placeholder {} ';'")
    server.sh("systemctl", "reload", "nginx.service")


def by_age(folder: Path) -> dict[str, object]:
    """The variables that encrypt with a new key of age."""
    ensure_programs({"age": "age"})
    secret = folder / "age.key"
    subprocess.run(["age-keygen", "--output", secret], check=True, capture_output=True)
    public = subprocess.run(["age-keygen", "-y", secret], check=True, capture_output=True, text=True).stdout.strip()
    return {"portside_backup_age": [public], "portside_backup_age_identity": str(secret)}


@contextmanager
def watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """While age runs, the task's arguments would be a file below Ansible's folder: a list of what is there then."""
    programs, seen, temporary = folder / "bin", folder / "seen", folder / "temporary"
    programs.mkdir()
    spy = programs / "age"
    look = f"mkdir -p {temporary}\nfind {temporary} -type f >> {seen}"
    spy.write_text(f'#!/bin/sh\n{look}\nexec {shutil.which("age")} "$@"\n')
    spy.chmod(0o755)
    with monkeypatch.context() as settings:
        settings.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        settings.setenv("ANSIBLE_REMOTE_TEMP", str(temporary))
        settings.setenv("ANSIBLE_PIPELINING", "false")
        yield seen


def test_six_rebuilds_cost_one_order(server, authority, tmp_path, monkeypatch):
    ca = authority(15700, PEBBLE_WFE_NONCEREJECT=0)
    shop, _blog = server.certificates
    settings = {**ca.settings, "certbot_certificates": [shop]}
    assert server.converge(**settings).status == 0
    assert ca.issued() == 1
    kept = {"portside_backup_dir": str(tmp_path), "portside_backup_password": PASSWORD}

    def play(name: str, *more: str, **variables):
        return run(f"playbooks/{name}.yml", server.inventories, *more, "--limit", server.name, variables=variables)

    assert "portside_backup_password is not set" in play("backup").output
    done = play("backup", **kept)
    assert done.status == 0, done.output
    (file,) = tmp_path.glob("*.vault")
    assert (tmp_path / ".gitignore").read_text() == "*.certificates.*\n"
    assert file.read_text().startswith("$ANSIBLE_VAULT;")
    assert file.stat().st_mode & 0o777 == 0o600
    assert play("backup", **kept).changed[server.name] == 0
    done = play("restore", **kept)
    assert (done.status, done.changed[server.name]) == (0, 0), done.output
    serial = server.serial("shop")
    for _ in range(5):
        rebuilt(server)
        done = play("restore", PLAYBOOK, **kept, **settings)
        assert done.status == 0, done.output
        assert "PRIVATE KEY" not in done.output
        server.wait_for_serial("shop", serial)
    age = {"portside_backup_dir": str(tmp_path / "age"), **by_age(tmp_path)}
    assert play("backup", **age).changed[server.name] > 0
    assert play("backup", **age).changed[server.name] == 0
    encrypted = tmp_path / "age" / f"{server.name}.certificates.age"
    encrypted.unlink()
    with watched(tmp_path, monkeypatch) as files:
        assert play("backup", **age).changed[server.name] > 0
    assert files.read_text() == ""
    assert encrypted.read_text().startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    rebuilt(server)
    digest = encrypted.with_name(f"{encrypted.name}.sha256")
    written = digest.read_text()
    digest.write_text("0" * 64)
    assert "is not what backup.yml wrote" in play("restore", **age).output
    digest.write_text(written)
    done = play("restore", PLAYBOOK, **age, **settings)
    assert done.status == 0, done.output
    server.wait_for_serial("shop", serial)
    assert ca.issued() == 1
    done = play("restore", **{**kept, "portside_backup_password": "wrong horse battery"})
    assert done.status != 0
    assert "Decryption failed" in done.output
    assert server.serial("shop") == serial
