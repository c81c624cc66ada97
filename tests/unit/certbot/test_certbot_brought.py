"""What a backup may bring to a server, and what it may not: it can be anybody's."""

from __future__ import annotations

import base64
import io
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.portside.vps.plugins.module_utils.certbot import archive, brought

NOW = datetime(2026, 11, 22, tzinfo=UTC)
CONF = """\
# renew_before_expiry = 30 days
version = 4.0.0
archive_dir = /etc/letsencrypt/archive/shop
cert = /etc/letsencrypt/live/shop/cert.pem
[renewalparams]
account = 0123456789abcdef
server = https://acme-v02.api.letsencrypt.org/directory
authenticator = webroot
webroot_path = /var/www/acme,
key_type = ecdsa
dns_rfc2136_credentials = /etc/letsencrypt/portside/dns/zone.ini
[[webroot_map]]
shop.example.com = /var/www/acme
"""


def packed(files: dict[str, str], links: dict[str, str] | None = None) -> str:
    """An archive with these files and links, as somebody might make one."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as tar:
        for name, target in (links or {}).items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            tar.addfile(link)
        for name, content in files.items():
            file = tarfile.TarInfo(name)
            file.size, file.mode = len(content.encode()), 0o600
            tar.addfile(file, io.BytesIO(content.encode()))
    return base64.b64encode(stream.getvalue()).decode()


def restored(folder: Path, text: str) -> tuple[dict[str, str], list[str]]:
    """The files that a restore leaves, by name, and what it says was left out."""
    left = archive.check(text, folder, force=True)
    archive.unpack(text, folder, NOW, force=True)
    assert archive.same(text, folder)
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): path.read_text() for path in files}, left


def test_what_certbot_writes_comes_back_as_it_was(tmp_path: Path) -> None:
    files = {"renewal/shop.conf": CONF, "archive/shop/privkey1.pem": "key", "accounts/ca/directory/1/regr.json": "{}"}
    text = packed(files, {"live/shop/privkey.pem": "../../archive/shop/privkey1.pem"})
    assert restored(tmp_path / "le", text) == (files, [])
    assert (tmp_path / "le/live/shop/privkey.pem").read_text() == "key"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("live", "../elsewhere"),
        ("live/shop", "../../elsewhere"),
        ("live/shop/privkey.pem", "../../../elsewhere/key"),
        ("live/shop/privkey.pem", "{outside}/key"),
        ("renewal/shop.conf", "../archive/shop.conf"),
        ("accounts/ca", "../../elsewhere"),
        ("portside/own/shop", "../../../elsewhere"),
    ],
)
def test_a_restore_writes_through_no_link(tmp_path: Path, name: str, target: str) -> None:
    outside, folder = tmp_path / "elsewhere", tmp_path / "le"
    outside.mkdir()
    text = packed({f"{name}/key": "foreign"}, {name: target.format(outside=outside)})
    with pytest.raises((archive.ArchiveError, OSError)):
        archive.unpack(text, folder, NOW)
    assert not list(outside.iterdir())
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_links_that_lead_outside_together_are_refused(tmp_path: Path) -> None:
    links = {"portside/own/a": "b/..", "portside/own/b": "../../.", "accounts/c": "../portside/own/a/.."}
    with pytest.raises(archive.ArchiveError, match=r"leads outside|a link to"):
        archive.unpack(packed({}, links), tmp_path / "le", NOW)
    assert not list(tmp_path.iterdir())


def test_a_restore_brings_no_hooks(tmp_path: Path) -> None:
    folder = tmp_path / "le"
    (folder / "renewal-hooks/deploy").mkdir(parents=True)
    (folder / "renewal-hooks/deploy/own").write_text("the server's own")
    (folder / "cli.ini").write_text("max-log-backups = 0\n")
    brings = {
        "renewal-hooks/deploy/portside": "foreign",
        "renewal-hooks/post/mail": "foreign",
        "cli.ini": "pre-hook = true\n",
        "portside/deploy.json": '{"reload_command": ["true"]}',
        "portside/check.json": "{}",
        "options-ssl-nginx.conf": "foreign",
    }
    files, left = restored(folder, packed({**brings, "renewal/shop.conf": CONF}))
    assert files == {
        "renewal-hooks/deploy/own": "the server's own",
        "cli.ini": "max-log-backups = 0\n",
        "renewal/shop.conf": CONF,
    }
    assert [sentence.split()[0] for sentence in left] == [
        "cli.ini",
        "options-ssl-nginx.conf",
        "renewal-hooks/post/mail",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "renew_hook = true",
        "pre_hook = true",
        "post_hook=true",
        "manual_auth_hook = true",
        "manual_cleanup_hook = true",
        "nginx_ctl = true",
        '"renew_hook" = true',
        "config_dir = /srv/elsewhere",
    ],
)
def test_a_restore_brings_no_commands_of_renewals(tmp_path: Path, line: str) -> None:
    conf = CONF.replace("key_type", f"{line}\nkey_type")
    files, left = restored(tmp_path / "le", packed({"renewal/shop.conf": conf}))
    assert files == {"renewal/shop.conf": CONF}
    assert line.partition("=")[0].strip() in left[0]


@pytest.mark.parametrize(
    "conf",
    [
        CONF.replace("cert = /etc/letsencrypt", "cert = /etc/nginx"),
        CONF.replace("archive/shop", "../nginx"),
        CONF + "user_agent = '''\nrenew_hook = true\n'''\n",
        CONF + "a line\n",
    ],
)
def test_a_renewal_that_certbot_did_not_write_is_refused(tmp_path: Path, conf: str) -> None:
    with pytest.raises(archive.ArchiveError, match=r"nothing was restored: renewal/shop\.conf"):
        archive.unpack(packed({"renewal/shop.conf": conf}), tmp_path / "le", NOW)
    assert not list(tmp_path.iterdir())


def test_own_certificates_that_are_files_of_the_server_are_left_out(tmp_path: Path) -> None:
    links = {"portside/own/.shop.0123/privkey.pem": "/srv/tls/key.pem", "portside/own/shop": ".shop.0123"}
    _, left = restored(tmp_path / "le", packed({"portside/own/.shop.0123/fullchain.pem": "chain"}, links))
    assert os.readlink(tmp_path / "le/portside/own/shop") == ".shop.0123"
    (sentence,) = left
    assert sentence.startswith("portside/own/.shop.0123/privkey.pem was not restored: it is a link to /srv/tls/key.pem")


def test_a_device_or_a_path_that_climbs_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:xz") as tar:
        pipe = tarfile.TarInfo("archive/pipe")
        pipe.type = tarfile.FIFOTYPE
        tar.addfile(pipe)
    for text in (base64.b64encode(stream.getvalue()).decode(), packed({"archive/../../x": ""})):
        with pytest.raises(archive.ArchiveError, match="this is no backup of certificates"):
            archive.unpack(text, tmp_path / "le", NOW)


def test_an_archive_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought, "LARGEST", 1 << 20)
    with pytest.raises(archive.ArchiveError, match="larger than 1 MiB"):
        archive.unpack(packed({"archive/x": " " * (1 << 20), "archive/y": "y"}), tmp_path / "le", NOW)
