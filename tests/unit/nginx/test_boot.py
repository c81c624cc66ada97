"""What runs before nginx starts."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import boot

SITE = """\
upstream portside_shop {{
    # Names the live release.
    include {up}/shop.conf;
    keepalive 256;
}}
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate {tls}/shop/fullchain.pem;
    ssl_certificate_key {tls}/shop/privkey.pem;
    include snippets/portside-tls.conf;
}}
"""


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Two certificates with their keys."""
    found = [tmp_path_factory.mktemp(name) / "pair" for name in ("one", "two")]
    for directory in found:
        boot._make_placeholder(directory)
        (directory / "placeholder.conf").unlink()
    return found


def damage(directory, loss, pairs):
    """Lose a certificate, or a part of it."""
    if loss == "all":
        shutil.rmtree(directory)
    elif loss in {"fullchain.pem", "privkey.pem"}:
        (directory / loss).unlink()
    elif loss == "empty":
        (directory / "privkey.pem").write_text("")
    elif loss == "junk":
        (directory / "fullchain.pem").write_text("x")
    elif loss == "no files":
        for path in directory.iterdir():
            path.unlink()
    elif loss == "another key":
        shutil.copy(pairs[1] / "privkey.pem", directory / "privkey.pem")
    else:
        argv = ["openssl", "ec", "-aes256", "-passout", "pass:secret", "-in", "privkey.pem", "-out", "privkey.pem"]
        subprocess.run(argv, cwd=directory, check=True, capture_output=True)


LOSSES = ["all", "fullchain.pem", "privkey.pem", "empty", "junk", "no files", "another key", "a password"]


@pytest.fixture
def nginx(tmp_path, pairs):
    """A tree with one site, its certificate and its upstream file."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "upstreams").mkdir()
    (tmp_path / "upstreams" / "shop.conf").write_text("server 127.0.0.1:18000;\n")
    shutil.copytree(pairs[0], tmp_path / "tls" / "placeholder")
    shutil.copytree(pairs[0], tmp_path / "live")
    (tmp_path / "tls" / "shop").symlink_to(tmp_path / "live")
    text = SITE.format(up=tmp_path / "upstreams", tls=tmp_path / "tls")
    (tmp_path / "sites-enabled" / "portside-shop.conf").write_text(text)
    return tmp_path


def test_what_is_there_stays(nginx):
    assert boot.mend(nginx, ipv6=True) == []
    assert os.readlink(nginx / "tls" / "shop") == str(nginx / "live")


@pytest.mark.parametrize("loss", [*LOSSES, "link"])
def test_a_certificate_that_does_not_load_becomes_the_placeholder(nginx, loss, pairs):
    if loss == "link":
        (nginx / "tls" / "shop").unlink()
    else:
        damage(nginx / "live", loss, pairs)
    (said,) = boot.mend(nginx, ipv6=True)
    assert "the placeholder stands in for it" in said
    assert os.readlink(nginx / "tls" / "shop") == "placeholder"
    assert boot.mend(nginx, ipv6=True) == []


@pytest.mark.parametrize("loss", LOSSES)
def test_a_placeholder_that_does_not_load_is_made_anew(nginx, loss, pairs):
    (nginx / "tls" / "shop").unlink()
    (nginx / "tls" / "shop").symlink_to("placeholder")
    damage(nginx / "tls" / "placeholder", loss, pairs)
    (said,) = boot.mend(nginx, ipv6=True)
    assert said.endswith("/tls/placeholder: made anew")
    assert boot.loads(nginx / "tls" / "shop")
    assert (nginx / "tls" / "shop" / "placeholder.conf").read_text() == "set $portside_placeholder 1;\n"
    assert (nginx / "tls" / "placeholder" / "privkey.pem").stat().st_mode & 0o777 == 0o600
    assert boot.mend(nginx, ipv6=True) == []


def test_all_certificates_are_gone(nginx):
    shutil.rmtree(nginx / "tls")
    assert len(boot.mend(nginx, ipv6=True)) == 2
    assert boot.loads(nginx / "tls" / "shop")


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss != "all"])
def test_a_real_directory_that_does_not_load_is_kept_beside(nginx, loss, pairs):
    (nginx / "tls" / "shop").unlink()
    shutil.copytree(pairs[0], nginx / "tls" / "shop")
    assert boot.mend(nginx, ipv6=True) == []
    damage(nginx / "tls" / "shop", loss, pairs)
    left = sorted(path.name for path in (nginx / "tls" / "shop").iterdir())
    (said,) = boot.mend(nginx, ipv6=True)
    kept = nginx / "tls" / "shop.set-aside.1"
    assert said.endswith(f"what was there is in {kept}")
    assert sorted(path.name for path in kept.iterdir()) == left
    assert boot.loads(nginx / "tls" / "shop")


def test_without_openssl_the_rest_is_mended(nginx, monkeypatch):
    shutil.rmtree(nginx / "tls")
    (nginx / "upstreams" / "shop.conf").unlink()
    monkeypatch.setenv("PATH", "/nowhere")
    certificate, upstream = boot.mend(nginx, ipv6=True)
    assert "no placeholder can stand in for it" in certificate
    assert "the site answers 503" in upstream


def test_an_upstream_file_that_is_gone_is_made(nginx):
    (nginx / "upstreams" / "shop.conf").unlink()
    (nginx / "upstreams").rmdir()
    (said,) = boot.mend(nginx, ipv6=True)
    assert "the site answers 503" in said
    assert "down;" in (nginx / "upstreams" / "shop.conf").read_text()


def test_without_ipv6_the_sites_listen_on_ipv4_alone(nginx):
    site = nginx / "sites-enabled" / "portside-shop.conf"
    assert len(boot.mend(nginx, ipv6=False)) == 1
    assert not [line for line in site.read_text().splitlines() if line.strip().startswith("listen [")]
    assert "    listen 443 ssl;" in site.read_text()
    assert boot.mend(nginx, ipv6=False) == []


def test_files_of_others_are_left_alone(nginx):
    other = nginx / "sites-enabled" / "legacy"
    other.write_text("server {\n    listen [::]:80;\n}\n")
    boot.mend(nginx, ipv6=False)
    assert "listen [::]:80;" in other.read_text()
