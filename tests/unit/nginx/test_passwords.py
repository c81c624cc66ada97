"""Files for basic authentication."""

from __future__ import annotations

import pytest
from ansible_collections.portside.vps.plugins.module_utils.nginx import passwords

MARKER = "# Managed by Portside"


def test_a_hash_is_bcrypt_salted_and_fits_its_password_alone():
    first, second = passwords.hashed("correct horse"), passwords.hashed("correct horse")
    assert first.startswith("$2b$05$")
    assert first != second
    assert passwords.matches("correct horse", first)
    assert not passwords.matches("correct Horse", first)


def test_a_known_vector_of_bcrypt():
    # From the test suite of Openwall's crypt_blowfish, wrapper.c.
    assert passwords.matches("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")


def test_a_hash_that_fits_is_kept_and_others_are_made_anew():
    first = passwords.file({"ops": "one", "dev": "two"}, "", MARKER)
    assert passwords.file({"ops": "one", "dev": "two"}, first, MARKER) == first
    changed = passwords.file({"ops": "one", "dev": "three"}, first, MARKER).splitlines()
    assert changed[0] == MARKER
    assert changed[2] == first.splitlines()[2]
    assert changed[1] != first.splitlines()[1]
    assert passwords.file({"ops": "one"}, first, MARKER).splitlines() == [MARKER, first.splitlines()[2]]


@pytest.mark.parametrize("junk", ["ops", "ops:", "ops:plain", "ops:{PLAIN}one", ":::", "\x00"])
def test_what_is_no_bcrypt_hash_is_replaced(junk):
    lines = passwords.file({"ops": "one"}, f"{MARKER}\n{junk}\n", MARKER).splitlines()
    assert passwords.matches("one", lines[1].removeprefix("ops:"))
