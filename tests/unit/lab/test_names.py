"""Names: what a lab may be called, and that two checkouts never share one."""

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.identity import LABEL_CHECKOUT, Lab
from lab.releases import RELEASES, parse_hosts

# sun_path of unix(7) less the end of the string and the 41 bytes that %C (a SHA-1) and a temporary suffix need.
LONGEST_SOCKET_DIRECTORY = 107 - 1 - 40 - 17


def test_checkouts_are_apart(tmp_path: Path) -> None:
    one, two = Lab("demo", tmp_path / "a"), Lab("demo", tmp_path / "b")
    assert one.network != two.network
    assert one.container("web") != two.container("web")
    assert one.sockets != two.sockets
    assert one.labels[LABEL_CHECKOUT] != two.labels[LABEL_CHECKOUT]


def test_lab_and_host_cannot_be_confused() -> None:
    assert Lab("a-b").container("c") != Lab("a").container("b-c")


def test_control_sockets_fit_however_long_the_checkout(tmp_path: Path) -> None:
    lab = Lab("a" * 40, tmp_path / ("x" * 200))
    assert len(str(lab.sockets)) - len(str(lab.sockets.parent)) + len("/tmp") <= LONGEST_SOCKET_DIRECTORY


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a/b", "../x", "a" * 41, "a b"])
def test_a_bad_lab_name_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="use at most 40"):
        Lab(name)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("debian12,debian13", {"debian12": "debian12", "debian13": "debian13"}),
        ("debian13", {"debian13": "debian13"}),
        ("web1=debian13, web2=debian12,", {"web1": "debian13", "web2": "debian12"}),
        ("", {}),
    ],
)
def test_hosts_are_read(text: str, hosts: dict[str, str]) -> None:
    assert {name: release.name for name, release in parse_hosts(text).items()} == hosts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("debian11", r"host 'debian11': no release 'debian11'; there are debian12, debian13"),
        ("web1=arch", r"host 'web1=arch': no release 'arch'"),
        ("debian13,debian13", r"host 'debian13' is given twice; name them: web1=debian13,web2=debian13"),
        ("web_1=debian13", r"host 'web_1=debian13': a host's name has a-z, 0-9 and - only"),
    ],
)
def test_bad_hosts_are_refused(text: str, message: str) -> None:
    with pytest.raises(LabError, match=message):
        parse_hosts(text)


def test_a_release_is_one_line_of_data() -> None:
    for name, release in RELEASES.items():
        assert release.name == name
        assert release.image.partition(":")[0] in release.keyring
        assert release.components.startswith("main")
