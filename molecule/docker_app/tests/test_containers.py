"""What a container gets, and who can reach it."""

from __future__ import annotations

import json
import shlex
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest

SECRET = "whsec_0123456789_only_for_this_lab"
# As a user without rights, in all places where a release leaves something.
SEARCH = (
    "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c "
    "'find / /run /tmp /var/lib/docker -xdev -type f -readable -size -4M "
    "-exec grep -l -F -e %s {} + 2>/dev/null' | sort -u"
)


def test_the_app_answers_on_its_loopback_port(server):
    status, answer = server.ask("shop")
    assert (status, answer["version"]) == (200, "1")


def test_the_app_answers_on_ipv6_loopback(server, local_get):
    status, _ = local_get(f"http://[::1]:{server.live('six')['host_port']}/health")
    assert status == 200


@pytest.mark.parametrize("address", ["lab_ipv4", "lab_ipv6_address"])
def test_nothing_but_ssh_can_be_reached_from_outside(open_ports, vps_vars, address):
    assert open_ports(vps_vars[address]) == {22}


def test_the_environment_is_what_was_declared(server):
    _, answer = server.ask("shop")
    image = {"HOME", "HOSTNAME", "LC_CTYPE", "PATH", "PROBE_VERSION", "PYTHONUNBUFFERED"}
    assert set(answer["env"]) - image == {"LOG_LEVEL", "STRIPE_WEBHOOK_SECRET"}


def test_proxies_of_the_server_are_not_inherited(server, vps, apps):
    vps.run_expect([0], "mkdir -p /root/.docker")
    config = {"proxies": {"default": {"httpProxy": "http://127.0.0.1:3128"}}}
    vps.run_expect([0], "echo %s > /root/.docker/config.json", json.dumps(config))
    vps.run_expect([0], "echo http_proxy=http://127.0.0.1:3128 >> /etc/environment")
    try:
        apps["shop"]["env"]["LOG_LEVEL"] = "debug"
        server.deploy(apps)
        _, answer = server.ask("shop")
        assert not [name for name in answer["env"] if "proxy" in name.lower()]
    finally:
        vps.run_expect([0], "rm -r /root/.docker; sed -i /http_proxy=/d /etc/environment")


def test_containers_run_without_privileges_they_do_not_need(server, vps):
    told = json.loads(vps.check_output("docker inspect %s", server.live("shop")["container"]))[0]["HostConfig"]
    assert told["CapDrop"] == ["ALL"]
    assert "NET_RAW" not in " ".join(told["CapAdd"])
    assert told["SecurityOpt"] == ["no-new-privileges"]
    assert told["Init"] is True
    assert told["LogConfig"] == {"Type": "local", "Config": {"max-file": "5", "max-size": "10m"}}
    assert told["RestartPolicy"]["Name"] == "unless-stopped"


@pytest.fixture
def watched(lab_vars, vps_name):
    """`with watched(values) as seen:` has a user without rights look for the values meanwhile; see watcher.py."""

    @contextmanager
    def watch(values):
        script = Path(__file__).with_name("watcher.py").read_text(encoding="utf-8")
        user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        argv = ["ssh", "-F", lab_vars["lab_ssh_config"], vps_name, f"{user} python3 -c {shlex.quote(script)}"]
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        process.stdin.write(json.dumps(values) + "\n")
        process.stdin.flush()
        seen = {}
        yield seen
        seen |= json.loads(process.communicate(timeout=60)[0])

    return watch


def test_a_secret_is_in_no_log_no_process_list_and_no_file_of_others(server, vps, apps, watched):
    """The values are looked for in all that a release leaves, and, by another user, in what passes while it is made:
    Ansible's own words, the journal, processes, files."""
    key = "-----BEGIN KEY-----\nMIIhunter2hunter2\nsecond-line-hunter2\n-----END KEY-----\n"
    values = [SECRET, "hunter2hunter2", "second-line"]
    apps["shop"]["secrets"] = {"STRIPE_WEBHOOK_SECRET": SECRET + "_new", "PEM": key}
    with watched(values) as seen:
        done = server.role(apps, "-vvv", "--diff")
        assert done.status == 0, done.output
        # A container that prints its secrets and ends: even then the message does not have them.
        apps["shop"]["command"] = ["sh", "-c", 'echo "$PEM $STRIPE_WEBHOOK_SECRET"; env; sleep 5; exit 1']
        failed = server.role(apps, "-vvv", "--diff")
    assert "it ended with exit status 1" in " ".join(failed.output.split())
    assert seen["found"] == []
    assert seen["rounds"] > 20
    assert any("sleep 5; exit 1" in line for line in seen["seen"]), "it looked while the container ran"
    journal = vps.check_output("journalctl --no-pager")
    for value in values:
        assert value not in done.output
        assert value not in failed.output
        assert value not in journal
        assert vps.run(SEARCH % value).stdout == ""


def test_secrets_files_are_readable_by_root_alone(vps):
    modes = vps.check_output("find /var/lib/portside/apps -printf '%y %m %U\\n' | sort -u")
    assert modes.splitlines() == ["d 700 0", "f 600 0"]
