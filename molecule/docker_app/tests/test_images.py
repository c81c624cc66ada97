"""Images from a registry that wants a login, from one that is down, and from a file."""

from __future__ import annotations

import gzip
import io
import shutil
import time
from contextlib import contextmanager

import docker
import pytest

from lab import images

# Counts answers other than 200 until it is told to stop, on new connections and on one that is kept.
WATCH = """
import http.client, os, sys, time
port, stop = int(sys.argv[1]), sys.argv[2]
kept, asked, failed = http.client.HTTPConnection("127.0.0.1", port, timeout=5), 0, 0
while asked < 20 or not os.path.exists(stop):
    for connection in (kept, http.client.HTTPConnection("127.0.0.1", port, timeout=5)):
        asked += 1
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            failed += answer.status != 200
        except (OSError, http.client.HTTPException):
            failed += 1
            connection.close()
    time.sleep(0.02)
print(asked, failed)
"""


@pytest.fixture
def served(server, vps, wait_until):
    """`with served("shop"):` fails if one request to the app's live release fails meanwhile."""

    @contextmanager
    def watched(app):
        port = server.live(app)["host_port"]
        vps.run_expect([0], "rm -f /run/watch.stop /run/watch.out")
        argv = f"systemd-run --quiet --unit watch --property StandardOutput=file:/run/watch.out python3 -c '{WATCH}'"
        vps.run_expect([0], f"{argv} {port} /run/watch.stop")
        try:
            yield
        finally:
            vps.run_expect([0], "touch /run/watch.stop")
            wait_until(lambda: vps.file("/run/watch.out").exists and vps.file("/run/watch.out").size, "the count is in")
            vps.run("systemctl stop watch")
        asked, failed = map(int, vps.file("/run/watch.out").content_string.split())
        assert (asked >= 20, failed) == (True, 0)

    return watched


@pytest.fixture
def locked(server, apps):
    """The apps, with the image of `shop` in the registry that wants a login."""
    apps["shop"]["image"] = server.image("2", "lab_registry_login")
    server.vps.run("docker image rm --force %s", apps["shop"]["image"])
    return apps


def test_an_image_is_pulled_with_a_login_that_is_kept_nowhere(server, vps, locked, lab_vars):
    done = server.role(locked, "-vvv", docker_app_registries=[server.login()])
    assert done.status == 0, done.output
    assert server.ask("shop")[1]["version"] == "2"
    password = lab_vars["lab_registry_password"]
    assert password not in done.output
    assert password not in vps.check_output("journalctl --no-pager")
    assert password not in vps.check_output("ps axwwe -o args")
    kept = vps.run("grep -rlsF %s /etc /root /home /tmp /var/lib/portside /var/log /run", password)
    assert kept.stdout == ""


REFUSED = {
    "no login": ({}, "the registry wants a login: give it in `docker_app_registries`"),
    "wrong password": ({"password": "not-the-password"}, "the registry refused user `lab`"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_registry_that_refuses_is_explained_and_the_old_release_serves(server, locked, served, what):
    changes, words = REFUSED[what]
    before = server.live("shop")
    with served("shop"):
        said = server.refused(locked, registries=[server.login(**changes)] if changes else [])
    assert words in said
    assert "not-the-password" not in said
    assert server.live("shop") == before


def test_an_image_that_does_not_exist_is_explained_and_the_old_release_serves(server, apps, served):
    before = server.live("shop")
    apps["shop"]["image"] = server.image("9")
    with served("shop"):
        assert "the registry has no such" in server.refused(apps)
    assert server.live("shop") == before


def test_a_registry_that_is_down_is_asked_again_and_explained_and_the_old_release_serves(server, apps, served):
    before = server.live("shop")
    apps["shop"]["image"] = server.image("9").replace(":5000/", ":5999/")
    with served("shop"):
        began = time.monotonic()
        assert "nobody answers at the registry: is it down" in server.refused(apps)
        assert time.monotonic() - began > 4, "it was tried three times"
    assert server.live("shop") == before


def test_pull_never_takes_only_what_is_there(server, vps, apps):
    apps["shop"] |= {"image": server.image("3"), "pull": "never"}
    vps.run("docker image rm --force %s", server.image("3"))
    assert "`pull: never` keeps it from being fetched" in server.refused(apps)
    vps.run_expect([0], "docker pull %s", server.image("3"))
    server.deploy(apps)
    assert server.ask("shop")[1]["version"] == "3"


def test_pull_always_notices_that_a_tag_names_another_image_now(server, vps, apps, lab_vars):
    """On the server, :1 names what is :2 in the registry; the registry's own :1 wins."""
    apps["shop"]["pull"] = "always"
    assert server.deploy(apps).app("shop")["changed"] is False, "the registry has the same"
    vps.run_expect([0], "docker pull %s", server.image("2"))
    vps.run_expect([0], "docker tag %s %s", server.image("2"), server.image("1"))
    wanted = {**apps, "shop": {**apps["shop"], "pull": "never"}}
    server.deploy(wanted)
    assert server.ask("shop")[1]["version"] == "2"
    server.deploy(apps)
    assert server.ask("shop")[1]["version"] == "1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The probe's third version in a file, as `docker save` writes it on the controller; no registry has this one."""
    engine = docker.from_env()
    tag = next(tag for image in engine.images.list() for tag in image.tags if f"{images.REPOSITORY}/probe:3-" in tag)
    recipe = f"FROM {tag}\nLABEL test.from={tmp_path_factory.getbasetemp()}\n"
    built, _ = engine.images.build(fileobj=io.BytesIO(recipe.encode()), rm=True)
    path = tmp_path_factory.mktemp("images") / "probe.tar"
    with path.open("wb") as stream:
        for chunk in built.save():
            stream.write(chunk)
    engine.images.remove(built.id)
    return path


@pytest.fixture
def invoked(vps):
    """How often the module ran on the server between two times."""

    def count(since, until):
        said = vps.check_output("journalctl --no-pager --since %s --until %s", since, until)
        return sum("app_release" in line and "invoked;" in line for line in said.splitlines())

    return count


def test_an_image_from_a_file_needs_no_registry_and_is_copied_once(server, apps, archive, invoked, tmp_path):
    """One plain, one compressed."""
    packed = tmp_path / "probe.tar.gz"
    with archive.open("rb") as plain, gzip.open(packed, "wb", compresslevel=1) as stream:
        shutil.copyfileobj(plain, stream)
    apps["shop"] |= {"image": "built-here/shop:3", "image_archive": str(archive)}
    apps["single"] |= {"image": "built-here/shop:4", "image_archive": str(packed)}
    check = server.role(apps, "--check")
    assert check.status == 0, check.output
    assert server.ask("shop")[1]["version"] == "1"
    done_at = server.vps.check_output("date +@%s.%6N")
    done = server.role(apps)
    assert done.status == 0, done.output
    for app in ("shop", "single"):
        assert server.ask(app)[1]["version"] == "3"
        assert server.live(app)["image"] == apps[app]["image"]
    again_at = server.vps.check_output("date +@%s.%6N")
    again = server.role(apps)
    assert again.changed[server.name] == 0, again.output
    # The module ran twice where the images had to be copied, and once where the server had them.
    assert (invoked(done_at, again_at), invoked(again_at, "now")) == (2, 1)


def test_a_file_that_is_no_image_is_refused_before_anything_is_changed(server, apps, tmp_path):
    for file, words in ((tmp_path / "nowhere.tar", "there is no such file"), (tmp_path / "text", "is no image")):
        if file.name == "text":
            file.write_text("FROM debian")
        apps["shop"] |= {"image": "built-here/shop:5", "image_archive": str(file)}
        done = server.role(apps)
        assert done.status == 2, done.output
        assert words in " ".join(done.output.split())
        assert "app `shop`: `image_archive" in " ".join(done.output.split())


def test_no_layer_of_an_image_has_a_secret(server, vps):
    """What a container is told when it runs is in no image: neither in its settings nor in its history."""
    for image in vps.check_output("docker images --quiet --no-trunc").split():
        told = vps.check_output("docker image inspect %s && docker history --no-trunc %s", image, image)
        assert image in told
        assert "whsec_" not in told
