"""What the options of a container come to, as the container itself sees it."""

from __future__ import annotations

import json

import pytest

KEY = "hunter2-only-for-this-lab"
# Ends with status 0 where the address answers on that port.
CONNECT = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)"
# Sends a command to the Redis called `store`, as a line of its own protocol, and writes the answer.
REDIS = (
    "import socket,sys; s=socket.create_connection((sys.argv[1], 6379), timeout=3); "
    "s.sendall((sys.argv[2]+chr(13)+chr(10)).encode()); print(s.recv(99).decode().split())"
)


@pytest.fixture(scope="module")
def box(server):
    """An app that says something for every option, with an accessory, and a stranger that has no part in them."""
    image = server.image("1")
    apps = {
        **server.declared(),
        "box": {
            "name": "box",
            "image": image,
            "port": 8000,
            "health": {"path": "/health", "timeout": 30},
            "depends_on": ["store"],
            "networks": ["boxes", "backend"],
            "env": {"PLAIN": "text with spaces"},
            "secrets": {"API_KEY": KEY},
            "secrets_as": "files",
            "volumes": ["box-data:/data", "/srv/box:/srv/box:ro"],
            "tmpfs": ["/scratch:size=1m,mode=1777", "/tmp"],
            "extra_hosts": {"db.internal": "192.0.2.7", "server.internal": "host-gateway"},
            "user": "10001:10002",
            "workdir": "/usr/share",
            "hostname": "box-of-the-lab",
            "memory": "96m",
            "cpus": 0.5,
            "pids": 200,
            "shm_size": "3m",
            "ulimits": {"nofile": "1000:2000", "core": 0},
            "labels": {"team": "boxes"},
            "log": {"driver": "json-file", "max_size": "1m", "max_file": 2, "options": {"tag": "box"}},
            "restart": "on-failure",
            "stop_signal": "SIGINT",
            "stop_timeout": 7,
            "read_only": True,
            "cap_add": [],
        },
        "store": server.redis(),
    }
    server.deploy(apps)
    yield server
    server.deploy(server.declared(), purge=True)


@pytest.fixture(scope="module")
def inside(vps):
    """Run a line of shell inside the live container of an app."""

    def run(app, line):
        container = vps.check_output("docker ps --quiet --filter label=portside.app=%s", app)
        return vps.run("docker exec %s sh -c %s", container, line)

    return run


@pytest.fixture(scope="module")
def inspected(box):
    """What Docker says of the container."""
    return json.loads(box.vps.check_output("docker inspect %s", box.live("box")["container"]))[0]


SEEN = {
    "user": ("id -u; id -g", "10001\n10002\n"),
    "workdir": ("pwd", "/usr/share\n"),
    "variable": ("echo $PLAIN", "text with spaces\n"),
    "secret as a file": ("cat /run/secrets/API_KEY", KEY),
    "secret in no environment": ("tr '\\0' '\\n' < /proc/1/environ | grep -c hunter2", "0\n"),
    "extra host": ("getent hosts db.internal | cut -d' ' -f1", "192.0.2.7\n"),
    "server by name": ("getent hosts server.internal | wc -l", "1\n"),
    "capabilities": ("grep CapBnd /proc/self/status | cut -f2", "0000000000000000\n"),
    "no new privileges": ("grep NoNewPrivs /proc/self/status | cut -f2", "1\n"),
    "open files": ("grep 'open files' /proc/1/limits | tr -s ' ' | cut -d' ' -f4,5", "1000 2000\n"),
    "core files": ("grep 'core file' /proc/1/limits | tr -s ' ' | cut -d' ' -f5,6", "0 0\n"),
    "shared memory": ("df -k /dev/shm | tail -1 | tr -s ' ' | cut -d' ' -f2", "3072\n"),
    "size of a tmpfs": ("df -k /scratch | tail -1 | tr -s ' ' | cut -d' ' -f2", "1024\n"),
    "tmpfs takes files": ("echo x > /scratch/x && echo x > /tmp/x && echo written", "written\n"),
    "the image takes none": ("touch /x /usr/share/x 2>/dev/null; ls /x /usr/share/x 2>/dev/null | wc -l", "0\n"),
    "a mount that is read-only": ("touch /srv/box/x 2>/dev/null || echo refused", "refused\n"),
    "a mount of its own": ("grep -c ' /data ' /proc/mounts", "1\n"),
    "a fresh volume of its own": ("stat -c '%u %g' /data; touch /data/x && echo written", "10001 10002\nwritten\n"),
    "a host name of its own": ("hostname", "box-of-the-lab\n"),
    "init": ("tr '\\0' ' ' < /proc/1/cmdline | cut -d' ' -f1", "/sbin/docker-init\n"),
}


@pytest.mark.parametrize("what", SEEN)
def test_a_container_has_what_was_declared(box, inside, what):
    line, expected = SEEN[what]
    assert inside("box", line).stdout == expected


def test_limits_signals_labels_and_log_are_docker_s_own(inspected, vps):
    host, config = inspected["HostConfig"], inspected["Config"]
    # A kernel without a controller can't limit, and Docker then drops the limit.
    kernel = json.loads(vps.check_output("docker info --format '{{json .}}'"))
    assert host["Memory"] == (96 << 20 if kernel["MemoryLimit"] else 0)
    assert host["CpuQuota"] == (50_000 if kernel["CpuCfsQuota"] else 0)
    assert host["PidsLimit"] == (200 if kernel["PidsLimit"] else None)
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGINT", 7)
    assert config["Labels"]["team"] == "boxes"
    assert host["RestartPolicy"]["Name"] == "on-failure"
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-file": "2", "max-size": "1m", "tag": "box"}}


def test_a_secret_that_is_a_file_is_not_in_docker_inspect(inspected):
    assert KEY not in json.dumps(inspected)


@pytest.mark.parametrize("user", ["nobody", "deploy"])
def test_docker_inspect_is_for_root_and_the_docker_group_alone(box, vps, user):
    """Membership of group `docker` is as good as root; nobody gets it from the roles."""
    said = vps.run("runuser -u %s -- docker inspect %s", user, box.live("shop")["container"])
    assert said.rc != 0
    assert "permission denied" in said.stderr.lower()
    assert vps.check_output("getent group docker").endswith(":")


def test_an_accessory_is_reached_by_name_and_published_nowhere(box, inside, vps, open_ports, vps_vars):
    assert inside("box", f"python3 -c '{REDIS}' store PING").stdout == "['+PONG']\n"
    assert vps.check_output("docker ps --filter label=portside.app=store --format '{{.Ports}}'") in {"", "6379/tcp"}
    assert "6379" not in vps.check_output("ss -ltn")
    assert open_ports(vps_vars["lab_ipv4"]) == {22}
    assert box.live("store")["host_port"] is None


def test_an_app_on_another_network_reaches_it_neither_by_name_nor_by_address(box, inside, vps):
    address = vps.check_output(
        "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' %s",
        box.live("store")["container"],
    )
    assert inside("box", f"python3 -c '{CONNECT}' {address} 6379").rc == 0
    assert inside("shop", f"python3 -c '{CONNECT}' store 6379").rc != 0
    assert inside("shop", f"python3 -c '{CONNECT}' {address} 6379").rc != 0


def test_what_others_depend_on_starts_first(box):
    assert list(box.declared()) == ["shop", "worker", "single", "six"]
    store, app = box.live("store"), box.live("box")
    started = [box.vps.check_output("docker inspect --format '{{.Created}}' %s", r["container"]) for r in (store, app)]
    assert started == sorted(started)


def test_what_depends_on_something_that_does_not_run_is_not_released(server, apps):
    ill = {"name": "ill", "image": server.image("1"), "command": "false", "health": {"grace": 10}}
    needy = {"name": "needy", "image": server.image("1"), "depends_on": ["ill"], "command": "sleep 600"}
    said = server.refused({**apps, "needy": needy, "ill": ill})
    assert "app `needy`: not released: it depends on `ill`, which does not run" in said
    assert server.running("needy") == []


def test_a_new_release_of_an_accessory_never_runs_beside_the_old_one_and_keeps_its_data(server, apps, inside):
    """Two databases on one directory would be the end of it."""
    asker = {"name": "asker", "image": server.image("1"), "networks": ["backend"], "command": "sleep 600"}
    apps |= {"asker": {**asker, "health": {"grace": 0}}}
    server.deploy({**apps, "store": server.redis()})
    assert inside("asker", f"python3 -c '{REDIS}' store 'SET paid 42'").stdout == "['+OK']\n"
    old = server.live("store")["container"]
    server.deploy({**apps, "store": server.redis(env={"CHANGED": "yes"})})
    new = server.live("store")["container"]
    finished = server.vps.check_output("docker inspect --format '{{.State.FinishedAt}}' %s", old)
    assert finished < server.vps.check_output("docker inspect --format '{{.State.StartedAt}}' %s", new)
    assert inside("asker", f"python3 -c '{REDIS}' store 'GET paid'").stdout == "['$2', '42']\n"


def test_an_accessory_gets_another_name_and_keeps_its_data(server, vps, apps, inside):
    """Before its new name is agreed to, the old container keeps the data for itself."""
    asker = {"name": "asker", "image": server.image("1"), "networks": ["backend"], "command": "sleep 600"}
    apps |= {"asker": {**asker, "health": {"grace": 0}}}
    server.deploy({**apps, "store": server.redis()})
    assert inside("asker", f"python3 -c '{REDIS}' store 'SET paid 43'").stdout == "['+OK']\n"
    depot = server.redis(name="depot")
    said = server.refused({**apps, "depot": depot})
    assert "of app `store`, which is not declared, writes to store-data" in said
    assert (len(server.running("store")), server.running("depot")) == (1, [])
    server.deploy({**apps, "depot": {**depot, "renamed_from": "store"}})
    assert inside("asker", f"python3 -c '{REDIS}' depot 'GET paid'").stdout == "['$2', '43']\n"
    assert inside("depot", "hostname").stdout == "depot\n"
    assert vps.check_output("docker ps --all --quiet --filter label=portside.app=store") == ""
    assert not vps.file("/var/lib/portside/apps/store").exists


def test_a_file_that_is_not_on_the_server_is_refused_and_no_directory_takes_its_name(server, vps, apps):
    apps["shop"]["volumes"] = ["/srv/shop.conf:/etc/shop.conf:ro"]
    assert "/srv/shop.conf is not on the server" in server.refused(apps)
    assert not vps.file("/srv/shop.conf").exists
    assert server.ask("shop")[0] == 200


def test_a_migration_runs_as_it_stands_whatever_the_entry_point(server, vps, apps):
    apps["shop"] |= {"entrypoint": "python3 -u", "command": "/server.py", "before_entrypoint": "none"}
    apps["shop"]["before"] = ["sh -c 'echo done > /data/bare'"]
    server.deploy(apps)
    assert vps.check_output("docker exec %s cat /data/bare", server.live("shop")["container"]) == "done"
    assert server.ask("shop")[0] == 200


def test_an_app_that_goes_takes_its_networks_with_it(server, vps, apps):
    lone = {"name": "lone", "image": server.image("1"), "command": "sleep 600", "health": {"grace": 0}}
    pair = {"a": {**lone, "name": "a", "networks": ["pair"]}, "b": {**lone, "name": "b", "networks": ["pair"]}}
    server.deploy({**apps, "lone": lone, **pair})

    def listed():
        return set(vps.check_output("docker network ls --format '{{.Name}}'").split())

    assert {"portside.app.lone", "portside.net.pair"} <= listed()
    server.deploy({**apps, **{name: {"name": name, "state": "absent"} for name in ("lone", "a")}, "b": pair["b"]})
    assert "portside.app.lone" not in listed()
    assert "portside.net.pair" in listed(), "somebody else is on it"
    server.deploy(apps, purge=True)
    assert "portside.net.pair" not in listed()
