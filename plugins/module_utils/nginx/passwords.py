"""Files for nginx's auth_basic_user_file, with bcrypt hashes from the C library's crypt(3).

nginx checks passwords with the same function, so that what it can make nginx can read. Python's own crypt module went
with 3.13.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from functools import lru_cache

# crypt(5): the current prefix of bcrypt, and two to the power of this many rounds. nginx hashes anew for every request,
# and nothing else happens in that worker meanwhile: 5 is 1 to 2 ms, and what htpasswd -B takes.
PREFIX = b"$2b$"
COST = 5


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


def file(users: Mapping[str, str], present: str, marker: str) -> str:
    """The file for these users; a hash in the present file that fits is kept.

    Args:
        users: passwords by name.
        present: the text of the present file, empty if there is none.
        marker: the first line.
    """
    known = dict(line.split(":", 1) for line in present.splitlines() if ":" in line and not line.startswith("#"))
    lines = [marker]
    for name, password in sorted(users.items()):
        old = known.get(name, "")
        keep = old.startswith(PREFIX.decode("ascii")) and matches(password, old)
        lines.append(f"{name}:{old if keep else hashed(password)}")
    return "\n".join(lines) + "\n"
