"""Which CA certificates the programs in a container trust, read from outside it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What libraries read for another bundle of CA certificates, in the order in which requests and OpenSSL do.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Node trusts what is in it beside the authorities that it was built with (nodejs.org/api/cli.html).
ADDED = "NODE_EXTRA_CA_CERTS"
# Of programs that bring their own authorities: Node, by its variable or by that of its image.
OWN = (ADDED, "NODE_VERSION")
# Where images have it: Debian and Alpine, Red Hat.
FILES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
# path_resolution(7)
LINKS = 40
FILE, NONE = "file", "none"


@dataclass(frozen=True)
class Trust:
    """What is trusted, and what is wrong with it.

    Attributes:
        bundle: file or directory of certificates, as a path of the host; empty for the host's own.
        added: a file to trust beside it; empty for none.
        stage: `file` where a variable names a file that can't be used, `none` where there is no bundle at all.
        error: which variable, and why.
    """

    bundle: str = ""
    added: str = ""
    stage: str = ""
    error: str = ""


def inside(root: Path, path: str) -> Path:
    """Where a path of the container is on the host: a link is followed as the container does, not as the host."""
    left, done, links = path.split("/"), list[str](), 0
    while left:
        name = left.pop(0)
        if name in ("", "."):
            continue
        if name == "..":
            done = done[:-1]
            continue
        here = root.joinpath(*done, name)
        if links < LINKS and here.is_symlink():
            links += 1
            target = str(here.readlink())
            done = [] if target.startswith("/") else done
            left = [*target.split("/"), *left]
        else:
            done.append(name)
    return root.joinpath(*done)


def _unusable(place: Path) -> str:
    if place.is_dir():
        return ""
    if not place.is_file():
        return "and there is no such file in the container"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(place))
    except OSError:  # ssl.SSLError is one
        return "and there is no certificate in it"
    return ""


def trust(variables: Mapping[str, str], root: Path) -> Trust:
    """What programs in a container trust. What is missing is judged with the image's bundle, else with the host's.

    Args:
        variables: the container's environment.
        root: its root directory, as the host sees it.
    """
    named: dict[str, str] = {}
    wrong: list[str] = []
    for variable in (*VARIABLES, ADDED):
        path = variables.get(variable, "")
        if path:
            place = inside(root, path)
            problem = _unusable(place)
            if problem:
                wrong.append(f"`{variable}` names {path}, {problem}")
            else:
                named[variable] = str(place)
    images = (inside(root, path) for path in FILES)
    bundle = next((named[name] for name in VARIABLES if name in named), "")
    bundle = bundle or next((str(place) for place in images if not _unusable(place)), "")
    own = any(variables.get(name) for name in OWN)
    stage = FILE if wrong else "" if bundle or own else NONE
    return Trust(bundle, named.get(ADDED, ""), stage, "; ".join(wrong))
