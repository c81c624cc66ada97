"""What runs before nginx starts."""

from __future__ import annotations

import os

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import boot

SITE = """\
upstream portside_shop {{
    # Names the live release.
    include {up}/shop.conf;
    keepalive 32;
}}
server {{
    listen 443 ssl;
    listen [::]:443 ssl;
    ssl_certificate {tls}/shop/fullchain.pem;
    ssl_certificate_key {tls}/shop/privkey.pem;
    include snippets/portside-tls.conf;
}}
"""


def certificate(directory):
    directory.mkdir(parents=True)
    for name in ("fullchain.pem", "privkey.pem"):
        (directory / name).write_text("x")


@pytest.fixture
def nginx(tmp_path):
    """A tree with one site, its certificate and its upstream file."""
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "sites-enabled").mkdir()
    (tmp_path / "upstreams").mkdir()
    (tmp_path / "upstreams" / "shop.conf").write_text("server 127.0.0.1:18000;\n")
    certificate(tmp_path / "tls" / "placeholder")
    certificate(tmp_path / "live")
    (tmp_path / "tls" / "shop").symlink_to(tmp_path / "live")
    text = SITE.format(up=tmp_path / "upstreams", tls=tmp_path / "tls")
    (tmp_path / "sites-enabled" / "portside-shop.conf").write_text(text)
    return tmp_path


def test_what_is_there_stays(nginx):
    assert boot.mend(nginx, ipv6=True) == []
    assert os.readlink(nginx / "tls" / "shop") == str(nginx / "live")


@pytest.mark.parametrize("loss", ["both", "key", "empty", "link"])
def test_a_certificate_that_is_gone_becomes_the_placeholder(nginx, loss):
    if loss == "link":
        (nginx / "tls" / "shop").unlink()
    elif loss == "empty":
        (nginx / "live" / "privkey.pem").write_text("")
    else:
        for name in ("privkey.pem", *(["fullchain.pem"] if loss == "both" else [])):
            (nginx / "live" / name).unlink()
    (said,) = boot.mend(nginx, ipv6=True)
    assert "the placeholder stands in for it" in said
    assert os.readlink(nginx / "tls" / "shop") == "placeholder"
    assert boot.mend(nginx, ipv6=True) == []


def test_a_real_directory_is_not_replaced(nginx):
    (nginx / "tls" / "shop").unlink()
    (nginx / "tls" / "shop").mkdir()
    assert boot.mend(nginx, ipv6=True) == []


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
