#!/usr/bin/python3
"""Keeps nginx startable: what its sites name and is not there is replaced by a stand-in.

# Managed by Portside (role portside.vps.nginx)

systemd runs it before every start of nginx. A certificate that is gone, or that can't be loaded, becomes a link to the
self-signed placeholder, which is made anew if it is gone, too. An upstream file that is gone is made with a server that
is down, and on a host without IPv6 no socket of that family is asked for. Sites whose parts are there are served as
ever, and a directory that is replaced is kept beside.

The file stands alone (standard library only): it is copied to the host as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

OWN_FILES = ("conf.d/portside*.conf", "sites-enabled/portside*.conf")
CERTIFICATE = re.compile(r"^\s*ssl_certificate (\S+)/fullchain\.pem;", re.MULTILINE)
UPSTREAM = re.compile(r"^upstream [^{]*\{[^}]*?^\s*include (/\S+);", re.MULTILINE)
LISTEN_IPV6 = re.compile(r"^(\s*)(listen \[::[^;]*;)$", re.MULTILINE)
# A self-signed certificate for a name that can't exist (RFC 6761), valid for ten years.
NEW_PLACEHOLDER = (
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
    *("-days", "3650", "-subj", "/CN=placeholder.invalid"),
)
# Sites include it: where the certificate is the placeholder, browsers are not told to insist on https.
PLACEHOLDER_MARK = "placeholder.conf"
MARKED = "set $portside_placeholder 1;\n"
NO_RELEASE = """\
# No release is live yet: whoever releases the app writes its address here.
server 127.0.0.1:9 down;
"""


def without_ipv6(content: str) -> str:
    """The configuration with every `listen [::]...` line turned into a comment.

    With `ipv6.disable=1` on the kernel's command line the socket can't be opened, and nginx would not start.
    """
    return LISTEN_IPV6.sub(r"\1# This host has no IPv6: \2", content)


def has_ipv6() -> bool:
    """Whether `listen [::]:80` can work here."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def usable(directory: Path) -> bool:
    """Whether certificate and key are there and hold something."""
    with contextlib.suppress(OSError):
        return all((directory / name).stat().st_size > 0 for name in ("fullchain.pem", "privkey.pem"))
    return False


def loads(directory: Path) -> bool:
    """Whether nginx can load certificate and key: both can be read, and belong together."""
    try:
        # The empty password: nginx has none either, and without it Python would ask at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            directory / "fullchain.pem", directory / "privkey.pem", password=""
        )
    except (OSError, ValueError):
        return False
    return True


def _replace(path: Path, content: str, mode: int = 0o644) -> None:
    beside = path.parent / f".{path.name}.{os.getpid()}"
    beside.touch(mode=0o600)
    beside.write_text(content, encoding="utf-8")
    beside.chmod(mode)
    beside.replace(path)


def _kept(path: Path) -> Path:
    """Move what stands there out of the way; returns where to."""
    number = 1
    while (aside := path.with_name(f"{path.name}.set-aside.{number}")).exists():
        number += 1
    path.rename(aside)
    return aside


def _make_placeholder(directory: Path) -> None:
    """Make certificate and key of the placeholder.

    Raises:
        OSError, subprocess.SubprocessError: openssl is missing or failed, or the files can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="portside-") as name:
        key, certificate = Path(name) / "key", Path(name) / "certificate"
        argv = [*NEW_PLACEHOLDER, "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)
        if directory.is_symlink() or directory.is_file():
            _kept(directory)
        directory.mkdir(parents=True, exist_ok=True)
        _replace(directory / "privkey.pem", key.read_text(encoding="ascii"), 0o600)
        _replace(directory / "fullchain.pem", certificate.read_text(encoding="ascii"))
        _replace(directory / PLACEHOLDER_MARK, MARKED)


def _stand_in(directory: Path) -> list[str]:
    """See to it that there is a certificate that loads; a sentence for each thing that was done for it."""
    if loads(directory):
        return []
    done = []
    placeholder = directory.parent / "placeholder"
    if not loads(placeholder):
        _make_placeholder(placeholder)
        done.append(f"{placeholder}: made anew")
    if directory.is_symlink() and directory.readlink() == Path("placeholder"):
        return done
    why = "can't be loaded" if usable(directory) else "is gone"
    kept = f"; what was there is in {_kept(directory)}" if directory.exists() and not directory.is_symlink() else ""
    beside = directory.parent / f".{directory.name}.{os.getpid()}"
    beside.symlink_to("placeholder")
    beside.replace(directory)
    return [*done, f"{directory}: the certificate {why}, the placeholder stands in for it{kept}"]


def mend(nginx: Path, ipv6: bool) -> list[str]:
    """Put the stand-ins in place; returns a sentence for each.

    Args:
        nginx: /etc/nginx.
        ipv6: whether the host has it.
    """
    done = []
    for path in sorted(found for pattern in OWN_FILES for found in nginx.glob(pattern)):
        text = path.read_text(encoding="utf-8", errors="replace")
        if not ipv6 and LISTEN_IPV6.search(text):
            _replace(path, without_ipv6(text))
            done.append(f"{path}: this host has no IPv6, so that nginx listens on IPv4 alone")
        for name in CERTIFICATE.findall(text):
            try:
                done += _stand_in(Path(name))
            except (OSError, subprocess.SubprocessError) as error:
                done.append(
                    f"{name}: no certificate that can be loaded, and no placeholder can stand in for it: {error}"
                )
        for name in UPSTREAM.findall(text):
            upstream = Path(name)
            if not upstream.exists():
                upstream.parent.mkdir(parents=True, exist_ok=True)
                _replace(upstream, NO_RELEASE)
                done.append(f"{upstream}: gone, so that the site answers 503 until the next release")
    return done


if __name__ == "__main__":
    for sentence in mend(Path("/etc/nginx"), has_ipv6()):
        print(sentence, file=sys.stderr)
