#!/usr/bin/python3
"""Keeps nginx startable: what its sites name and is not there is replaced by a stand-in.

# Managed by Portside (role portside.vps.nginx)

systemd runs it before every start of nginx. A certificate that is gone becomes a link to the self-signed placeholder,
an upstream file that is gone is made with a server that is down, and on a host without IPv6 no socket of that family is
asked for. Sites whose parts are there are served as ever.

The file stands alone (standard library only): it is copied to the host as it is.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from pathlib import Path

OWN_FILES = ("conf.d/portside*.conf", "sites-enabled/portside*.conf")
CERTIFICATE = re.compile(r"^\s*ssl_certificate (\S+)/fullchain\.pem;", re.MULTILINE)
UPSTREAM = re.compile(r"^upstream [^{]*\{[^}]*?^\s*include (/\S+);", re.MULTILINE)
LISTEN_IPV6 = re.compile(r"^(\s*)(listen \[::[^;]*;)$", re.MULTILINE)
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


def _replace(path: Path, content: str) -> None:
    beside = path.parent / f".{path.name}.{os.getpid()}"
    beside.write_text(content, encoding="utf-8")
    beside.chmod(0o644)
    beside.replace(path)


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
            directory = Path(name)
            placeholder = directory.parent / "placeholder"
            if usable(directory) or not usable(placeholder) or (directory.is_dir() and not directory.is_symlink()):
                continue
            beside = directory.parent / f".{directory.name}.{os.getpid()}"
            beside.symlink_to("placeholder")
            beside.replace(directory)
            done.append(f"{directory}: the certificate is gone, the placeholder stands in for it")
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
