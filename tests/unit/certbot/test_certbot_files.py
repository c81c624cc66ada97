"""The files beside certbot's own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import hook, managed_files
from ansible_collections.portside.vps.plugins.module_utils.certbot.host import Host
from ansible_collections.portside.vps.plugins.module_utils.certbot.wanted import parse

WANTED = parse(
    [{"name": "shop", "domains": ["shop.example"]}, {"name": "old", "state": "absent"}],
    directory="staging",
    email="",
    webroot="/var/www/acme",
    link_dir="/etc/nginx/tls",
)
CA = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"


def files(root: Path, ca: str = "", **declared: str) -> dict[str, managed_files.ManagedFile]:
    host = Host(root)
    config = managed_files.hook_config(host, WANTED, ["nginx", "-t"], ["systemctl", "reload", "nginx"])
    watch = managed_files.Watch(["127.0.0.1:443"], ["mail", "root"], "https://alarm.example/token", ["/srv/tls"])
    found = managed_files.managed_files(host, WANTED, ca=ca, declared=declared, config=config, watch=watch)
    return {file.path.name: file for file in found}


def test_hook_is_a_program_that_stands_alone(tmp_path: Path) -> None:
    file = files(tmp_path)["portside"]
    file.write()
    done = subprocess.run([str(file.path), "--help"], capture_output=True, text=True, check=False, cwd="/", env={})
    assert (done.returncode, done.stderr) == (0, "")
    assert "--pending" in done.stdout


def test_hook_links_declared_lineages_alone(tmp_path: Path) -> None:
    content = files(tmp_path)["deploy.json"].content
    assert content is not None
    config = hook.Config.from_json(content)
    assert config.lineages == ("shop",)
    assert config.check_command == ("nginx", "-t")


def test_no_ca_no_bundle(tmp_path: Path) -> None:
    assert not files(tmp_path)["ca-bundle.pem"].changed
    drop_in = files(tmp_path)["portside.conf"].content
    assert drop_in is not None
    assert "Environment=" not in drop_in
    assert f"ExecStart=\nExecStart={tmp_path}/etc/letsencrypt/renewal-hooks/deploy/portside --renew\n" in drop_in


def test_bundle_is_the_systems_and_ours(tmp_path: Path) -> None:
    system = Host(tmp_path).system_cas
    system.parent.mkdir(parents=True)
    system.write_text("theirs\n" * 1000)
    file = files(tmp_path, CA)["ca-bundle.pem"]
    assert file.content is not None
    assert file.content.startswith("theirs\n")
    assert file.content.endswith(CA)
    file.write()
    assert not files(tmp_path, CA)["ca-bundle.pem"].changed
    other = files(tmp_path, CA.replace("ours", "other"))["ca-bundle.pem"].diff()
    assert "theirs" not in other["before"] + other["after"]
    assert "ours" in other["before"]
    assert "other" in other["after"]
    assert files(tmp_path)["ca-bundle.pem"].changed
    files(tmp_path)["ca-bundle.pem"].write()
    assert not Host(tmp_path).ca_bundle.exists()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("http://proxy:3128", 'Environment="HTTPS_PROXY=http://proxy:3128"'),
        ("http://u:p%40ss@proxy", 'Environment="HTTPS_PROXY=http://u:p%%40ss@proxy"'),
        ('a "b" \\c', 'Environment="HTTPS_PROXY=a \\"b\\" \\\\c"'),
    ],
)
def test_environment_is_quoted_for_systemd(tmp_path: Path, value: str, line: str) -> None:
    file = files(tmp_path, HTTPS_PROXY=value)["portside.conf"]
    assert file.content is not None
    assert line in file.content.splitlines()
    assert file.mode == 0o600


def test_ansibles_own_proxies_and_cas_are_not_passed_on() -> None:
    variables = managed_files.own_environment({"HTTPS_PROXY": "http://declared"})
    assert variables["HTTPS_PROXY"] == "http://declared"
    assert variables["https_proxy"] == variables["http_proxy"] == variables["NO_PROXY"] == ""
    assert variables["REQUESTS_CA_BUNDLE"] == ""


def test_hand_edit_and_mode_show_in_the_diff(tmp_path: Path) -> None:
    files(tmp_path)["portside.conf"].write()
    path = Host(tmp_path).drop_in
    path.write_text(path.read_text() + "Nice=19\n")
    file = files(tmp_path)["portside.conf"]
    assert file.changed
    assert "Nice=19" in file.diff()["before"]
    file.write()
    path.chmod(0o600)
    file = files(tmp_path)["portside.conf"]
    assert file.changed
    assert "(mode 0600)" in file.diff()["before"]
    file.write()
    assert not files(tmp_path)["portside.conf"].changed


def test_a_proxy_that_is_declared_no_longer_leaves_its_password_out_of_the_diff(tmp_path: Path) -> None:
    before = files(tmp_path, https_proxy="http://shop:hunter2@proxy.example.com:3128")
    for name in ("portside.conf", "portside-certbot-alarm@.service"):
        path = before[name].path
        path.parent.mkdir(parents=True, exist_ok=True)
        before[name].write()
        diff = files(tmp_path)[name].diff()
        assert "http://***@proxy.example.com:3128" in diff["before"]
        assert "hunter2" not in str(diff)


def test_long_new_file_is_not_spelt_out_in_the_diff(tmp_path: Path) -> None:
    assert files(tmp_path)["portside"].diff()["after"].endswith(" lines)\n")


def test_check_is_told_of_declared_lineages_and_keeps_the_alarm_to_root(tmp_path: Path) -> None:
    file = files(tmp_path)["check.json"]
    assert file.content is not None
    (shop,) = json.loads(file.content)["certificates"]
    live = f"{tmp_path}/etc/letsencrypt/live/shop"
    assert shop == {"name": "shop", "directory": live, "names": ["shop.example"], "served_at": ["127.0.0.1:443"]}
    assert file.mode == 0o600


def test_renewal_may_write_where_it_has_to(tmp_path: Path) -> None:
    content = files(tmp_path)["portside.conf"].content
    assert content is not None
    for directory in ("/var/www/acme", "/etc/nginx/tls", "/srv/tls", "/etc/letsencrypt"):
        assert f"ReadWritePaths=-{directory}\n" in content
    assert "OnFailure=portside-certbot-alarm@%n.service\n" in content


@pytest.mark.parametrize(("mode", "wanted"), [(0o600, None), (0o640, None), (0o644, 0o600), (0o666, 0o600)])
def test_a_key_that_everybody_can_read_is_shut_and_keeps_its_text(
    tmp_path: Path, mode: int, wanted: int | None
) -> None:
    archive, live = (tmp_path / f"etc/letsencrypt/{name}/shop" for name in ("archive", "live"))
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    key = archive / "privkey1.pem"
    key.write_text("the key\n")
    key.chmod(mode)
    (live / "privkey.pem").symlink_to("../../archive/shop/privkey1.pem")
    found = files(tmp_path).get("privkey1.pem")
    assert (found.mode if found else None) == wanted
    if found:
        assert found.diff()["before"] == f"(mode {mode:04o})\n(secret)\n"
        found.write()
        assert (key.read_text(), key.stat().st_mode & 0o777) == ("the key\n", wanted)
        assert (live / "privkey.pem").is_symlink()


def test_a_file_of_another_user_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files(tmp_path)["portside"].write()
    assert not files(tmp_path)["portside"].changed
    owner = (tmp_path / "etc").stat().st_uid
    monkeypatch.setattr(managed_files.os, "geteuid", lambda: owner + 1)
    found = files(tmp_path)["portside"]
    assert found.changed
    assert found.diff()["before"].startswith("(somebody else's)\n")
