"""Files for nginx's auth_basic_user_file, with bcrypt hashes from the C library's crypt(3).

nginx checks passwords with the same function, so that what it can make nginx can read. Python's own crypt module went
with 3.13.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Mapping
from functools import lru_cache

# crypt(5): the current prefix of bcrypt, and two to the power of this many rounds. nginx hashes anew for every request,
# and nothing else happens in that worker meanwhile: 5 is 1 to 2 ms, and what htpasswd -B takes.
PREFIX = b"$2b$"
COST = 5
# crypt(5): 22 digits of salt and 31 of hash. `2y` is what htpasswd(1) writes, and the same.
HASH = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")


class HashError(Exception):
    """The C library can't make a bcrypt hash."""


@lru_cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libcrypt.so.1")
    for name in ("crypt", "crypt_gensalt"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


def hashed(password: str) -> str:
    """A new bcrypt hash with a random salt.

    Raises:
        HashError: the C library knows no bcrypt.
    """
    salt = _library().crypt_gensalt(PREFIX, ctypes.c_ulong(COST), None, 0)
    result = _library().crypt(password.encode(), salt) if salt else None
    if not result or not result.startswith(PREFIX):
        raise HashError("the C library of this host (libcrypt.so.1) makes no bcrypt hashes")
    return str(result.decode("ascii"))


def matches(password: str, known: str) -> bool:
    """Whether the hash is one of this password."""
    result = _library().crypt(password.encode(), known.encode())
    return bool(result and result == known.encode())


def is_hash(text: str) -> bool:
    """Whether it is a bcrypt hash, and no password."""
    return bool(HASH.fullmatch(text))


def kept(password: str, known: str) -> str:
    """The hash for a password, which may be one already; the known one where it fits."""
    if is_hash(password):
        return password
    return known if is_hash(known) and matches(password, known) else hashed(password)


def file(users: Mapping[str, str], present: str, marker: str) -> str:
    """The file for these users; a hash in the present file that fits is kept.

    Args:
        users: passwords, or bcrypt hashes, by name.
        present: the text of the present file, empty if there is none.
        marker: the first line.
    """
    known = dict(line.split(":", 1) for line in present.splitlines() if ":" in line and not line.startswith("#"))
    lines = [marker, *(f"{name}:{kept(password, known.get(name, ''))}" for name, password in sorted(users.items()))]
    return "\n".join(lines) + "\n"
