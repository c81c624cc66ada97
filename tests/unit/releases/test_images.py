"""Where an app's image comes from."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.engine.base import EngineError
from ansible_collections.portside.vps.plugins.module_utils.engine.docker_sdk import PullError
from ansible_collections.portside.vps.plugins.module_utils.releases import archive, validate
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.images import Archive, Images, NoImageError

from tests.unit.releases.release_fakes import FakeEngine, Host, app


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, present={"shop:1": "one"}, registry={"shop:1": "one", "shop:2": "two"})


def images(host: Host, **archives: Archive) -> Images:
    return Images(FakeEngine(host), Clock(lambda: 0.0, lambda _: None), archives=archives)


def test_missing_fetches_what_the_host_does_not_have_and_asks_nobody_otherwise(host: Host) -> None:
    host.registry["shop:1"] = "newer"
    assert images(host).present(app()).id == "one"  # type: ignore[union-attr]  # None fails the test as well
    assert images(host).present(app(image="shop:2")) is None
    assert images(host).fetch(app(image="shop:2")).id == "two"


def test_always_fetches_what_the_registry_has_if_it_is_another(host: Host) -> None:
    found = images(host).present(app(pull="always"))
    assert (found and found.id, host.effects) == ("one", [])
    host.registry["shop:1"] = "newer"
    assert images(host).foreseen(app(pull="always")) is None
    assert host.effects == []
    found = images(host).present(app(pull="always"))
    assert (found and found.id, host.effects) == ("newer", ["pull"])


@pytest.mark.parametrize(
    ("written", "image"),
    [
        ("https://index.docker.io/v1/", "acme/shop:1"),
        ("index.docker.io", "docker.io/acme/shop:1"),
        ("docker.io", "registry-1.docker.io/acme/shop:1"),
        ("hub.docker.com", "redis:7"),
        ("GHCR.io", "ghcr.io/acme/shop:1"),
        ("ghcr.io", "GHCR.IO:443/acme/shop:1"),
        ("https://registry.example.com:443/v2/", "registry.example.com/shop:1"),
        ("registry.example.com:5000", "registry.example.com:5000/shop:1"),
    ],
)
def test_a_login_is_found_however_its_registry_is_spelt(host: Host, written: str, image: str) -> None:
    logins = validate.registries([{"registry": written, "username": "u", "password": "secret-token"}])
    host.registry[image] = "one"
    Images(FakeEngine(host), Clock(lambda: 0.0, lambda _: None), logins).fetch(app(image=image))
    assert host.credentials == [{"username": "u", "password": "secret-token"}]


def test_never_says_what_to_do(host: Host) -> None:
    with pytest.raises(NoImageError, match="image shop:2 is not on the server, and `pull: never` keeps it"):
        images(host).fetch(app(image="shop:2", pull="never"))


def test_a_file_is_copied_loaded_and_named_only_if_the_host_lacks_its_image(host: Host) -> None:
    file = host.root / "image"
    file.write_text("built")
    wanted = app(image="shop:9")
    assert images(host, shop=Archive(["built", "other"])).needed([wanted]) == ["shop"]
    there = images(host, shop=Archive(["built", "other"], str(file)))
    assert there.needed([wanted]) == []
    found = there.present(wanted)
    assert (found and found.id, host.effects) == ("built", ["load", "tag"])
    assert images(host, shop=Archive(["built"])).needed([wanted]) == []
    assert images(host, shop=Archive(["built"])).present(wanted) == found
    assert host.effects == ["load", "tag"]


def test_a_file_foretold_in_check_mode_is_another_image(host: Host) -> None:
    found = images(host, shop=Archive(["built"])).foreseen(app())
    assert (found and found.id, host.effects) == ("built", [])


def test_a_file_with_another_image_than_it_said(host: Host) -> None:
    file = host.root / "image"
    file.write_text("something else")
    with pytest.raises(NoImageError, match="image built is still not there"):
        images(host, shop=Archive(["built"], str(file))).present(app())


class Loading(FakeEngine):
    """Loads a file as Docker does: what it is called there names its image from then on."""

    def load(self, file: str) -> None:
        super().load(file)
        self.host.present |= dict.fromkeys(("postgres:16", "shop:9"), Path(file).read_text())


def test_loading_a_file_leaves_the_names_of_other_images_alone(host: Host) -> None:
    file = host.root / "image"
    file.write_text("built")
    host.present["postgres:16"] = "database"
    there = Archive(["built"], str(file), ["postgres:16", "shop:9"])
    found = Images(Loading(host), Clock(lambda: 0.0, lambda _: None), archives={"shop": there})
    assert found.present(app(image="shop:9")).id == "built"  # type: ignore[union-attr]  # None fails the test as well
    assert {name: host.present[name] for name in ("postgres:16", "shop:9")} == {
        "postgres:16": "database",
        "shop:9": "built",
    }


class Flaky(FakeEngine):
    """Fails some pulls first."""

    def __init__(self, host: Host, failures: list[EngineError]) -> None:
        super().__init__(host)
        self.failures = failures

    def pull(self, reference: str, credentials: Any) -> Any:
        if self.failures:
            raise self.failures.pop(0)
        return super().pull(reference, credentials)


@pytest.mark.parametrize(
    ("failures", "comes"),
    [
        ([PullError("shop:2", "connection refused")], True),
        ([PullError("shop:2", "connection refused")] * 2, True),
        ([PullError("shop:2", "connection refused")] * 3, False),
        ([PullError("shop:2", "manifest unknown")], False),
    ],
)
def test_a_pull_that_may_work_is_tried_again(host: Host, failures: list[EngineError], comes: bool) -> None:
    found = Images(Flaky(host, list(failures)), Clock(lambda: 0.0, lambda _: None))
    if comes:
        assert found.fetch(app(image="shop:2")).id == "two"
    else:
        with pytest.raises(PullError):
            found.fetch(app(image="shop:2"))


def written(path: Path, mode: str = "w", **files: Any) -> Path:
    with tarfile.open(path, mode) as made:  # type: ignore[call-overload]  # the mode is one of its own
        for name, content in files.items():
            data = json.dumps(content).encode()
            entry = tarfile.TarInfo(f"{name}.json")
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz"])
def test_which_image_is_in_a_file(tmp_path: Path, mode: str) -> None:
    old = written(tmp_path / "old", mode, manifest=[{"Config": "abc.json", "RepoTags": ["a:1"]}])
    new = written(
        tmp_path / "new",
        mode,
        manifest=[{"Config": "blobs/sha256/abc"}],
        index={
            "manifests": [
                {"digest": "sha256:def", "annotations": {"io.containerd.image.name": "docker.io/library/b:2"}}
            ]
        },
    )
    assert archive.content(old) == archive.Content(["sha256:abc"], ["a:1"])
    assert archive.content(new) == archive.Content(["sha256:abc", "sha256:def"], ["docker.io/library/b:2"])


def test_files_that_can_not_be_used_are_named(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("FROM debian")
    for path, words in (
        (tmp_path / "nowhere", "there is no such file on this machine, the controller"),
        (text, "is no image that Docker could load"),
        (written(tmp_path / "oci", index={}), "has no manifest.json: write it with `docker save`"),
        (written(tmp_path / "two", manifest=[{}, {}]), "holds 2 images, and has to hold one"),
        (written(tmp_path / "odd", manifest=[{}]), "is no image that Docker could load"),
    ):
        with pytest.raises(archive.ArchiveError) as caught:
            archive.content(path)
        assert str(path) in str(caught.value)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("said", "user", "hint"),
    [
        ("no basic auth credentials", "", "the registry wants a login: give it in `docker_app_registries`"),
        ("unauthorized: authentication required", "lab", "the registry refused user `lab`"),
        ("manifest for shop:9 not found: manifest unknown", "lab", "the registry has no such tag or digest"),
        ("dial tcp 10.0.0.1:5000: connect: connection refused", "", "nobody answers at the registry: is it down"),
        ("lookup ghcr.example on 127.0.0.53:53: no such host", "", "the server can't resolve the registry's name"),
    ],
)
def test_why_a_pull_failed(said: str, user: str, hint: str) -> None:
    assert hint in str(PullError("shop:9", said, user))
