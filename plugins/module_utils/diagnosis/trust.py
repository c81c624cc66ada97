"""Which CA certificates the programs in a container trust, read from outside it."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# What libraries read for another bundle of CA certificates, in the order in which requests and OpenSSL do.
VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
# Directories with colons between them, each file in them a certificate: OpenSSL and Go read it.
DIRECTORIES = "SSL_CERT_DIR"
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
        added: files to trust beside it.
        stage: `file` where a variable names a file that can't be used, `none` where there is no bundle at all.
        error: which variable, and why.
    """

    bundle: str = ""
    added: tuple[str, ...] = ()
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


def _of_directories(listed: str, root: Path) -> list[str]:
    """The certificates in a list of directories of the container; a link may lead anywhere in it."""
    found = []
    for path in listed.split(":"):
        folder = inside(root, path)
        if path and folder.is_dir():
            places = {inside(root, f"{path}/{entry.name}") for entry in folder.iterdir()}
            found += [str(place) for place in sorted(places) if place.is_file() and not _unusable(place)]
    return found


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
    more = _of_directories(variables.get(DIRECTORIES, ""), root)
    bundle = bundle or next(iter(more), "")
    if variables.get(DIRECTORIES) and not bundle:
        wrong.append(f"`{DIRECTORIES}` names {variables[DIRECTORIES]}, and there is no certificate in it")
    own = any(variables.get(name) for name in OWN)
    stage = FILE if wrong else "" if bundle or own else NONE
    added = [*([named[ADDED]] if ADDED in named else []), *more]
    return Trust(bundle, tuple(added), stage, "; ".join(wrong))
