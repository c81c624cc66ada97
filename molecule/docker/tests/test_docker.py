"""Docker as the role leaves it: bounded logs, containers that outlive the daemon, options that are checked."""

from __future__ import annotations

import json
import shlex

# The locks are those of fcntl(2), as apt takes them. Each stays until the apt that needs it has come and gone.
ANOTHER_APT = """
import fcntl, pathlib, time
def comes(word):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            argv = path.read_bytes().split(b"\\0")
        except OSError:
            continue
        if argv[0] == b"apt-get" and word in argv:
            return True
    return False
locks = [open(name, "w") for name in ("/var/lib/apt/lists/lock", "/var/cache/apt/archives/lock")]
for lock in locks:
    fcntl.lockf(lock, fcntl.LOCK_EX)
for lock, word in zip(locks, (b"update", b"install")):
    while not comes(word):
        time.sleep(0.01)
    while comes(word):
        time.sleep(0.01)
    lock.close()
pathlib.Path("/run/another-apt").touch()
"""


def words(done):
    return " ".join(done.output.split())


def info(vps):
    return json.loads(vps.check_output("docker info --format '{{json .}}'"))


def test_docker_runs_and_starts_at_boot(vps):
    assert vps.service("docker").is_running
    assert vps.service("docker").is_enabled


def test_logs_are_bounded_by_the_defaults_and_the_users_options(vps, container):
    log = json.loads(vps.check_output("docker inspect bystander"))[0]["HostConfig"]["LogConfig"]
    assert log == {"Type": "local", "Config": {"max-file": "5", "max-size": "20m"}}


def test_a_second_run_changes_nothing(role, vps_name):
    done = role()
    assert done.changed[vps_name] == 0, done.output
    # One of them asks which release of the operating system this is; the site playbook does that once for all roles.
    assert done.calls_on(vps_name) <= 3, done.calls


def test_check_mode_predicts_nothing_on_a_finished_host(role, vps_name):
    done = role("--check", "--diff")
    assert (done.status, done.changed[vps_name]) == (0, 0), done.output


def test_containers_outlive_a_changed_option_that_needs_a_restart(role, vps, container):
    before = container()
    done = role(**{"default-shm-size": "128M"})
    assert done.status == 0, done.output
    assert container() == before


def test_containers_outlive_the_first_run_on_a_host_that_stopped_them_at_every_restart(role, vps, container):
    """live-restore is off at first, as the distribution has it."""
    vps.run_expect([0], "docker rm --force bystander; echo '{}' > /etc/docker/daemon.json; systemctl restart docker")
    vps.run_expect([0], "docker run --detach --name bystander local/busybox:1 /bin/busybox sleep 86400")
    assert info(vps)["LiveRestoreEnabled"] is False
    before = container()
    done = role()
    assert done.status == 0, done.output
    assert info(vps)["LiveRestoreEnabled"] is True
    assert info(vps)["LoggingDriver"] == "local"
    assert container() == before


def test_a_reloadable_option_needs_no_restart(role, vps):
    started = "systemctl show --property ExecMainStartTimestamp docker"
    before = vps.check_output(started)
    done = role(**{"insecure-registries": ["other.test:5000"], "log-opts": {"max-size": "20m"}})
    assert done.status == 0, done.output
    assert "other.test:5000" in info(vps)["RegistryConfig"]["IndexConfigs"]
    assert vps.check_output(started) == before


def test_an_option_that_docker_does_not_know_is_refused_and_nothing_is_changed(role, vps, container):
    before = vps.check_output("cat /etc/docker/daemon.json")
    done = role(**{"log-divers": "local"})
    assert done.status == 2
    assert "log-divers" in words(done)
    assert vps.check_output("cat /etc/docker/daemon.json") == before
    assert vps.service("docker").is_running


def test_a_daemon_that_does_not_come_up_runs_with_its_old_options_again(role, vps, container):
    """A place where nothing can be stored: dockerd finds that out when it starts, and not when it checks the file."""
    before, containers = vps.check_output("cat /etc/docker/daemon.json"), container()
    done = role(**{"data-root": "/proc/nowhere"})
    assert done.status == 2
    assert "runs with the old ones again" in words(done)
    assert vps.check_output("cat /etc/docker/daemon.json") == before
    assert vps.service("docker").is_running
    assert container() == containers


def test_what_breaks_a_host_is_refused_with_the_reason(role, vps):
    before = vps.check_output("cat /etc/docker/daemon.json")
    done = role(**{"iptables": False, "hosts": ["tcp://0.0.0.0:2375"]})
    assert done.status == 2
    assert "DOCKER-USER" in words(done)
    assert "Over TCP it gives away root" in words(done)
    assert vps.check_output("cat /etc/docker/daemon.json") == before


def test_passwords_of_proxies_are_in_no_output_and_no_file_of_others(role, vps):
    proxies = {"http-proxy": "http://user:hunter2hunter2@127.0.0.1:3128"}
    done = role("--check", "--diff", "-vvv", **{"proxies": proxies})
    assert "hunter2hunter2" not in done.output
    assert "hunter2hunter2" not in vps.check_output("journalctl --no-pager")
    assert vps.file("/etc/docker/daemon.json").mode == 0o600


def test_docker_comes_back_after_a_reboot(vps, reboot, wait_until):
    reboot()
    wait_until(lambda: vps.run("docker info").rc == 0, "Docker answers again")


def test_a_run_waits_for_another_apt(role, vps, vps_name):
    """As just after a VPS's first boot: first the lists are locked, then the archives, and dpkg's lock is free."""
    vps.run_expect([0], "apt-get -qq -y remove python3-docker && rm -rf /var/lib/apt/lists/*")
    vps.run_expect([0], f"systemd-run --collect --unit another-apt /usr/bin/python3 -c {shlex.quote(ANOTHER_APT)}")
    done = role()
    assert (done.status, done.changed[vps_name]) == (0, 1), done.output
    assert vps.package("python3-docker").is_installed
    vps.run_expect([0], "rm /run/another-apt")  # It met an apt at each of its locks.


def test_the_upstream_repository_is_declared_with_its_key(role, vps, vps_vars):
    """Nothing can be fetched from it here; the key is therefore in the text, and the packages are left out."""
    key = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEXample\n-----END PGP PUBLIC KEY BLOCK-----\n"
    done = role(playbook="molecule/docker/upstream.yml", variables={"docker_repository_key": key})
    assert done.status == 0, done.output
    sources = vps.file("/etc/apt/sources.list.d/docker.sources").content_string
    suite = {"debian12": "bookworm", "debian13": "trixie"}[vps_vars["lab_release"]]
    assert "URIs: https://download.docker.com/linux/debian\n" in sources
    assert f"Suites: {suite}\n" in sources
    assert "Components: stable\n" in sources
    assert "Signed-By:" in sources
    vps.run_expect([0], "rm /etc/apt/sources.list.d/docker.sources")
