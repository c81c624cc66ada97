"""No rule set shuts ssh out for longer than the timeout."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from servers import SCENARIO, inventories, passed, role, said

from lab import lifecycle, playbook
from lab.identity import Lab

TIMEOUT = 12
STATE = "/var/lib/portside/ufw"


def descendants(process):
    """Everything that a process has started, and what that has."""
    table = subprocess.run(["ps", "-eo", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
    children = [int(pid) for parent, pid in map(str.split, table.splitlines()) if parent == str(process)]
    return [*children, *(found for child in children for found in descendants(child))]


def without_times(firewalls):
    """What `Server.firewall` says, without when files were written."""
    return {name: re.sub(r"\d{10}", "", text) for name, text in firewalls.items()}


@pytest.fixture
def shared_connections(tmp_path, lab_vars, servers):
    """For each server the socket of an ssh connection by IPv4 that other ssh clients may use."""
    ssh = ["ssh", "-F", lab_vars["lab_ssh_config"]]
    places = {server.name: ["-o", f"ControlPath={tmp_path}/{server.name}", f"root@{server.ipv4}"] for server in servers}
    for place in places.values():
        subprocess.run([*ssh, "-o", "ControlMaster=yes", "-o", "ControlPersist=120", "-N", "-f", *place], check=True)
    yield tmp_path
    for place in places.values():
        subprocess.run([*ssh, "-O", "exit", *place], check=False, capture_output=True)


def test_a_rule_set_that_shuts_ssh_out_is_taken_back(servers, lab_vars, shared_connections):
    """The controller came by IPv4, and only IPv4 is declared; but it is by IPv6 that it comes the next time."""
    passed(role())
    before = servers.each(lambda server: server.firewall())
    run = role(
        ansible_host="{{ lab_ipv6_address }}",
        ansible_control_path=f"{shared_connections}/{{{{ inventory_hostname }}}}",
        ufw_allow_ssh=False,
        ufw_rules=[{"port": 22, "proto": "tcp", "from": lab_vars["lab_ipv4_subnet"]}],
        ufw_confirm_timeout=TIMEOUT,
    )
    output = said(run)
    assert output.count("The new firewall shut ssh out") >= len(servers)
    assert f"took the change back after {TIMEOUT} s and answers new connections as before" in output
    assert without_times(servers.each(lambda server: server.firewall())) == without_times(before)
    for server in servers:
        by_ipv6 = ["-o", "ControlPath=none", f"root@{server.ipv6}", "true"]
        subprocess.run(["ssh", "-F", lab_vars["lab_ssh_config"], *by_ipv6], check=True)
    passed(role(), changed=0)


@pytest.fixture
def unconfirmable(shared_connections, lab_vars):
    """With these variables a change is made over a connection that stands, and there is no way to open another one."""
    return {
        "ansible_host": lab_vars["lab_client_ipv4"].rpartition(".")[0] + ".249",
        "ansible_control_path": f"{shared_connections}/{{{{ inventory_hostname }}}}",
    }


def killed_before_it_confirms(servers, wait_until, **variables):
    """Ansible is killed between the change and its confirmation."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), str(SCENARIO / "role.yml")]
    argv += [part for path in inventories() for part in ("-i", str(path))]
    argv += ["-e", json.dumps({"ufw_rules": [{"port": 9090}], "ufw_manage_packages": False, **variables})]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(argv, cwd=playbook.ROOT, **quiet) as ansible:
        wait_until(
            lambda: all(server.host.file(f"{STATE}/pending").exists for server in servers),
            "the changes are under way",
            60,
        )
        # Ansible's workers have sessions of their own.
        for process in (ansible.pid, *descendants(ansible.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
    servers.each(
        lambda server: wait_until(lambda: "9090" in server.run("ufw status"), f"{server.name}: the change is made")
    )


def left_behind(server):
    """Beside the state lies a change that waits, or one that is being taken back; and there is a unit for the boot."""
    here = server.run(f"ls {STATE}; find /etc/systemd/system/ -name 'portside-ufw-*'").split()
    return not set(here) <= {"state.json", "confirmed-changes"}


def test_a_controller_that_dies_leaves_the_old_firewall(servers, wait_until, unconfirmable):
    before = servers.each(lambda server: server.firewall())
    killed_before_it_confirms(servers, wait_until, **unconfirmable, ufw_confirm_timeout=TIMEOUT)
    servers.each(
        lambda server: wait_until(
            lambda: not left_behind(server), f"{server.name}: the change is taken back", TIMEOUT + 30
        )
    )
    assert without_times(servers.each(lambda server: server.firewall())) == without_times(before)


def test_a_reboot_or_a_power_cut_before_the_confirmation_brings_the_old_firewall_back(
    servers, lab_vars, wait_until, unconfirmable
):
    """With a timer that would run much later. One server is rebooted, the other has its power cut."""

    def files(server):
        return server.run("cat /etc/default/ufw /etc/ufw/*.conf /etc/ufw/*.rules /var/lib/portside/ufw/state.json")

    before = servers.each(files)
    killed_before_it_confirms(servers, wait_until, **unconfirmable, ufw_confirm_timeout=3000)
    assert servers.each(files) != before
    lab, cut = Lab(lab_vars["lab_name"]), servers[0]
    servers.each(lambda server: lifecycle.reboot(lab, server.name, power_cut=server is cut))

    def old_again(server):
        wait_until(lambda: not left_behind(server), f"{server.name}: nothing waits any more")
        wait_until(
            lambda: set(server.reach(*server.targets(22, 80)).values()) == {"open"}, f"{server.name}: ports answer"
        )
        assert set(server.reach(*server.targets(9090)).values()) == {"silent"}
        server.run("systemctl is-active ufw")

    servers.each(old_again)
    assert servers.each(files) == before
    passed(role(), changed=0)


@pytest.mark.parametrize("ports", [(6001, 6002), (6003, 6003)], ids=["of different rules", "of the same rules"])
def test_two_runs_at_once_leave_the_policy_of_one_of_them(servers, ports):
    with ThreadPoolExecutor() as pool:
        for run in pool.map(lambda port: role(ufw_rules=[{"port": port, "proto": "tcp"}], ufw_docker_allow=[]), ports):
            passed(run)

    def one_of_them(server):
        assert not left_behind(server)
        assert server.rules(4) == server.rules(6)
        assert server.rules(4) in [["22/tcp ALLOW Anywhere", f"{port}/tcp ALLOW Anywhere"] for port in ports]

    servers.each(one_of_them)
    passed(role(), changed=1)


def test_ssh_on_another_port_is_found_and_opened(servers):
    def ports(server, text):
        server.run(f"printf '{text}' > /etc/ssh/sshd_config.d/ports.conf && systemctl restart ssh")

    def reachable(server):
        return [server.reach(target)[target] for target in (f"{server.ipv4}/2022", f"{server.ipv6}/2022")]

    servers.each(lambda server: ports(server, "Port 22\\nPort 2022\\n"))
    try:
        assert set(map(tuple, servers.each(reachable).values())) == {("silent", "silent")}
        passed(role(), changed=1)
        assert set(map(tuple, servers.each(reachable).values())) == {("open", "open")}
    finally:
        servers.each(lambda server: ports(server, ""))
    passed(role(), changed=1)
    assert set(map(tuple, servers.each(reachable).values())) == {("silent", "silent")}


def test_the_connection_in_use_stays_allowed_whatever_is_declared(servers):
    """Also with sudo, which hides from a program where its connection comes from."""
    wrong = {
        "ufw_allow_ssh": False,
        "ufw_rules": [{"port": 22, "action": "deny"}],
        "ansible_user": "deploy",
        "ansible_become": True,
    }
    run = role(**wrong)
    passed(run, changed=1)
    assert "would shut out the connection Ansible came by" in " ".join(run.output.split())
    for server in servers:
        assert "the connection Ansible came by" in server.run("ufw status")
    passed(role(**wrong), changed=0)
    passed(role(), changed=1)
    for server in servers:
        assert "the connection Ansible came by" not in server.run("ufw status")


def test_ssh_is_limited_for_strangers_and_not_for_the_controller(servers, lab_vars):
    passed(role(ufw_ssh_limit=True), changed=1)
    try:

        def knock(server):
            target = f"{server.ipv4}/22"
            assert [server.reach(target)[target] for _ in range(8)].count("open") == 5
            for _ in range(8):
                ssh = ["ssh", "-F", lab_vars["lab_ssh_config"], "-o", "ControlPath=none", server.name, "true"]
                subprocess.run(ssh, check=True)

        servers.each(knock)
    finally:
        passed(role(), changed=1)
