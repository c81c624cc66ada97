"""Fixtures of this scenario's tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import testinfra
import yaml
from servers import Server, Servers, inventories

QUESTIONS = ("ufw status verbose", "iptables-save", "ip6tables-save", "docker ps --all", "journalctl -n 40 --no-pager")


@pytest.fixture(scope="session")
def servers(lab_vars: dict[str, Any], client: Any) -> Servers:
    """All servers of the lab."""
    hosts = yaml.safe_load(inventories()[0].read_text(encoding="utf-8"))["all"]["children"]["vps"]["hosts"]
    return Servers(
        Server(
            name,
            testinfra.get_host(f"ssh://{name}", ssh_config=lab_vars["lab_ssh_config"]),
            client,
            variables["lab_ipv4"],
            variables["lab_ipv6_address"],
        )
        for name, variables in hosts.items()
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failed test what the servers say."""
    report = yield
    if report.failed:
        for server in getattr(item, "funcargs", {}).get("servers", ()):
            for question in QUESTIONS:
                try:
                    report.sections.append((f"{server.name}: {question}", server.host.run(question).stdout))
                except RuntimeError as error:  # ssh may be what is broken
                    report.sections.append((f"{server.name}: {question}", str(error)))
                    break
    return report


@pytest.fixture(scope="session", autouse=True)
def facts_are_kept(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """The one fact that the role asks for is asked for once, as in a playbook that has gathered it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANSIBLE_CACHE_PLUGIN", "ansible.builtin.jsonfile")
        patch.setenv("ANSIBLE_CACHE_PLUGIN_CONNECTION", str(tmp_path_factory.mktemp("facts")))
        yield
