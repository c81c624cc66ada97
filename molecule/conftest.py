"""What all scenarios' tests share: the servers, the client outside, and what to look at when a test fails."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import testinfra
import yaml

from lab import lifecycle
from lab.identity import Lab

# (title, command) for each thing that tells why a server does not do what it should.
DIAGNOSES = (
    ("journal", "journalctl --no-pager --priority info --lines 60"),
    ("failed units", "systemctl --no-pager --failed"),
    ("listening sockets", "ss -tulpn"),
    ("nginx -T", "if command -v nginx; then nginx -T 2>&1 | tail -n 200; fi"),
    ("nginx error log", "tail -n 30 /var/log/nginx/error.log"),
    ("certbot log", "tail -n 40 /var/log/letsencrypt/letsencrypt.log"),
    ("ufw", "ufw status verbose"),
    ("packet filter", "iptables-save 2>/dev/null | tail -n 120"),
    ("containers", "docker ps --all"),
    (
        "container logs",
        'for c in $(docker ps --all --format \'{{.Names}}\'); do echo "== $c"; docker logs --tail 40 "$c" 2>&1; done',
    ),
)


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


@dataclass(frozen=True)
class Answer:
    """What curl got. `exit_status` is curl's own (curl(1)); `status` is 0 when there was no HTTP answer."""

    exit_status: int
    status: int
    headers: dict[str, str]
    body: str
    error: str


def _parse(exit_status: int, output: str, error: str) -> Answer:
    head, _, body = output.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    status = int(lines[0].split()[1]) if lines and lines[0].startswith("HTTP/") else 0
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Answer(exit_status, status, headers, body, error)


@pytest.fixture(scope="session")
def curl(client: Any) -> Callable[..., Answer]:
    """Ask a URL from the client: `curl(url, "--request", "POST", "--data", "{}")`.

    The certificate is checked against the lab's ACME root, as a browser would against its own; nothing is followed.
    """

    def ask(url: str, *options: str) -> Answer:
        words = ["curl", "--silent", "--show-error", "--include", "--max-time", "20"]
        words += ["--cacert", lifecycle.CLIENT_ROOT_CERTIFICATE, *options, url]
        # Connects with `Expect: 100-continue` would put a second head before the answer's.
        words += ["--header", "Expect:"]
        result = client.run(shlex.join(words).replace("%", "%%"))
        return _parse(result.rc, result.stdout, result.stderr)

    return ask


@pytest.fixture(scope="session")
def open_ports(client: Any) -> Callable[[str], set[int]]:
    """All open TCP ports that the client finds at an address, IPv4 or IPv6."""

    def scan(address: str) -> set[int]:
        family = "-6 " if ":" in address else ""
        command = f"nmap {family}-n -Pn -p- --min-rate 3000 --max-retries 3 -oG - {address}"
        result = client.run(command)
        assert result.rc == 0, result.stderr
        fields = [line.partition("Ports: ")[2] for line in result.stdout.splitlines() if "Ports: " in line]
        return {int(port.split("/")[0]) for field in fields for port in field.split(", ") if "/open/" in port}

    return scan


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
