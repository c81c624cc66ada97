"""What a container gets, and who can reach it."""

from __future__ import annotations

import json

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


def test_a_secret_is_in_no_log_no_process_list_and_no_file_of_others(server, vps, apps):
    """The values are looked for in all that a release leaves: Ansible's own words, the journal, processes, files."""
    key = "-----BEGIN KEY-----\nMIIhunter2hunter2\nsecond-line-hunter2\n-----END KEY-----\n"
    apps["shop"]["secrets"] = {"STRIPE_WEBHOOK_SECRET": SECRET + "_new", "PEM": key}
    done = server.role(apps, "-vvv", "--diff")
    assert done.status == 0, done.output
    # A container that prints its secrets and ends: even then the message does not have them.
    apps["shop"]["command"] = ["sh", "-c", 'echo "$PEM $STRIPE_WEBHOOK_SECRET"; env; exit 1']
    failed = server.role(apps, "-vvv", "--diff")
    assert "it ended with exit status 1" in " ".join(failed.output.split())
    journal = vps.check_output("journalctl --no-pager")
    processes = vps.check_output("ps axww -o args")
    for value in (SECRET, "hunter2hunter2", "second-line"):
        assert value not in done.output
        assert value not in failed.output
        assert value not in journal
        assert value not in processes
        assert vps.run(SEARCH % value).stdout == ""


def test_secrets_files_are_readable_by_root_alone(vps):
    modes = vps.check_output("find /var/lib/portside/apps -printf '%y %m %U\\n' | sort -u")
    assert modes.splitlines() == ["d 700 0", "f 600 0"]
