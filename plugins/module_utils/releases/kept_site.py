"""What is kept of an app's site with its release: as it was declared, but of its passwords only hashes.

The text is the caller's (`extra`), and nothing here minds what it is: a text that is no site stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.nginx import passwords


def _site(text: str) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """The site and its users; none where the text holds none."""
    try:
        site = json.loads(text)
        users = site["basic_auth"]["users"]
    except (ValueError, KeyError, TypeError):
        return {}, {}
    return (site, users) if isinstance(users, Mapping) else ({}, {})


def users(text: str) -> dict[str, str]:
    """The users of the site, with what is kept of their passwords."""
    return {name: str(password) for name, password in _site(text)[1].items()}


def clear_passwords(text: str) -> list[str]:
    """The passwords that stand in the text as they are."""
    return [str(password) for password in _site(text)[1].values() if not passwords.is_hash(str(password))]


def sealed(text: str, known: str = "") -> str:
    """The text with hashes in place of passwords.

    Args:
        text: the site as it is declared, or as it was kept.
        known: what was kept before: a hash in it that fits is used again, so that the same site gives the same text.

    Raises:
        HashError: this host makes no bcrypt hashes.
    """
    if not clear_passwords(text):
        return text
    site, users = _site(text)
    before = _site(known)[1]
    site["basic_auth"]["users"] = {
        name: passwords.kept(str(password), str(before.get(name, ""))) for name, password in users.items()
    }
    return json.dumps(site, sort_keys=True)


def same(text: str, known: str) -> bool:
    """Whether what was kept is this text: passwords are held against their hashes. One kept in the clear is another."""
    return sealed(text, known) == known
