"""What all scenarios' tests share: the servers, the client outside, and what to look at when a test fails."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

from lab import lifecycle, outside
from lab.identity import Lab
from lab.outside import Answer

# (title, command) for each thing that tells why a server does not do what it should.
DIAGNOSES = (
    ("journal", "journalctl --no-pager --priority info --lines 60"),
    ("failed units", "systemctl --no-pager --failed"),
    ("listening sockets", "ss -tulpn"),
    ("nginx -T", "if command -v nginx; then nginx -T 2>&1 | tail -n 200; fi"),
    # What a client sent in place of a header may stand there byte by byte.
    ("nginx error log", "tail -n 30 /var/log/nginx/error.log | LC_ALL=C tr -cd '\\11\\12\\40-\\176'"),
    ("certbot log", "tail -n 40 /var/log/letsencrypt/letsencrypt.log"),
    ("ufw", "ufw status verbose"),
    ("packet filter", "iptables-save 2>/dev/null | tail -n 120"),
    ("containers", "docker ps --all"),
    (
        "container logs",
        'for c in $(docker ps --all --format \'{{.Names}}\'); do echo "== $c"; docker logs --tail 40 "$c" 2>&1; done',
    ),
)

LOCAL_GET = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=10)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    sys.exit(print(0, error))
print(answer.status, answer.read().decode(), end="")
"""


def inventory() -> dict[str, Any]:
    """The lab's inventory: Molecule's, or that of PORTSIDE_INVENTORY when pytest is run by hand on a lab."""
    path = os.environ.get("PORTSIDE_INVENTORY") or Path(os.environ["MOLECULE_INVENTORY_FILE"]).with_name("lab.yml")
    data: dict[str, Any] = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["all"]
    return data


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that uses `vps`, itself or through another fixture, once for each server of the lab."""
    if "vps_name" in metafunc.fixturenames:
        metafunc.parametrize("vps_name", list(inventory()["children"]["vps"]["hosts"]), scope="session")


@pytest.fixture(scope="session")
def lab_vars() -> dict[str, Any]:
    """Variables of the lab that all hosts share: lab_acme_root, lab_registry and the like."""
    variables: dict[str, Any] = inventory()["vars"]
    return variables


@pytest.fixture(scope="session")
def servers() -> dict[str, dict[str, Any]]:
    """All servers of the lab, and what vps_vars has of each: for what is quicker done at once than in turn."""
    hosts: dict[str, dict[str, Any]] = inventory()["children"]["vps"]["hosts"]
    return hosts


@pytest.fixture(scope="session")
def vps_vars(vps_name: str) -> dict[str, Any]:
    """Variables of one server: lab_domain, lab_ipv4, lab_ipv6_address, lab_release."""
    variables: dict[str, Any] = inventory()["children"]["vps"]["hosts"][vps_name]
    return variables


@pytest.fixture(scope="session")
def domain(vps_vars: dict[str, Any]) -> str:
    """A domain under which every name leads to the server."""
    return str(vps_vars["lab_domain"])


def _connect(lab_vars: dict[str, Any], name: str) -> Any:
    return testinfra.get_host(f"ssh://{name}", ssh_config=lab_vars["lab_ssh_config"])


@pytest.fixture(scope="session")
def vps(lab_vars: dict[str, Any], vps_name: str) -> Any:
    """One server after the other, as Testinfra sees it over ssh as root."""
    return _connect(lab_vars, vps_name)


@pytest.fixture(scope="session")
def client(lab_vars: dict[str, Any]) -> Any:
    """A machine on the internet: curl, nmap, openssl, python3."""
    return _connect(lab_vars, "client")


@pytest.fixture(scope="session")
def curl(client: Any) -> Callable[..., Answer]:
    """Ask a URL from the client: `curl(url, "--request", "POST", "--data", "{}")`.

    The certificate is checked against the lab's ACME root, as a browser would against its own; nothing is followed.
    """

    def ask(url: str, *options: str) -> Answer:
        result = client.run(outside.curl(url, *options))
        return outside.parse_answer(result.rc, result.stdout, result.stderr)

    return ask


@pytest.fixture(scope="session")
def open_ports(client: Any) -> Callable[[str], set[int]]:
    """All open TCP ports that the client finds at an address, IPv4 or IPv6."""

    def scan(address: str) -> set[int]:
        result = client.run(outside.scan(address))
        assert result.rc == 0, result.stderr
        return outside.parse_scan(result.stdout)

    return scan


@pytest.fixture(scope="session")
def local_get(vps: Any) -> Callable[..., tuple[int, str]]:
    """Ask a URL on the server itself, which has no curl: `status, body = local_get("http://127.0.0.1:8000/health")`.

    The status is 0 when nothing answered; the body is then the reason.
    """

    def ask(url: str) -> tuple[int, str]:
        result = vps.run("python3 -c %s %s", LOCAL_GET, url)
        status, _, body = result.stdout.partition(" ")
        return int(status), body

    return ask


@pytest.fixture
def reboot(lab_vars: dict[str, Any], vps_name: str) -> Callable[..., None]:
    """Reboot the server of this test and wait for it: `reboot()`; `reboot(power_cut=True)` stops nothing first."""

    def again(*, power_cut: bool = False) -> None:
        lifecycle.reboot(Lab(lab_vars["lab_name"]), vps_name, power_cut=power_cut)

    return again


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """Wait for a condition: `wait_until(lambda: …, "what is awaited")`; the test fails after `seconds`."""

    def wait(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
            time.sleep(0.2)

    return wait


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what its server says."""
    report = yield
    server = getattr(item, "funcargs", {}).get("vps")
    if report.failed and server is not None:
        for title, command in DIAGNOSES:
            try:
                result = server.run(command)
            except Exception as error:
                # The server may be the very thing that is broken; its silence is then what there is to tell.
                report.sections.append((title, f"could not be asked: {error}"))
                break
            if result.stdout.strip():
                report.sections.append((title, result.stdout))
    return report
