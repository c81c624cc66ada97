"""What /etc/os-release says of a host."""

import pytest
from ansible_collections.portside.vps.plugins.module_utils.os_release import facts

DEBIAN = """PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
"""
UBUNTU = 'NAME="Ubuntu"\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\nID=ubuntu\nID_LIKE=debian\n'
UNSTABLE = 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=forky\nID=debian\n'
OTHER = "# a comment\nID=fedora\nNAME='Fedora Linux'\nVERSION_ID=43\n\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEBIAN, ("Debian", "13", "13", "trixie")),
        (UBUNTU, ("Ubuntu", "24.04", "24", "noble")),
        (UNSTABLE, ("Debian", "forky", "forky", "forky")),
        (OTHER, ("Fedora Linux", "43", "43", "")),
        ("", ("", "", "", "")),
    ],
)
def test_the_facts_of_a_distribution(text: str, expected: tuple[str, ...]):
    assert tuple(facts(text).values()) == expected
