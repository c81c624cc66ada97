"""Images: a base for each release, and what is built on it. A tag holds its recipe's hash, so nothing stale is used."""

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from lab.errors import LabError
from lab.identity import CHECKOUT
from lab.locks import machine_lock
from lab.machine import BOOTSTRAP, ensure_keyring, ensure_programs, say
from lab.releases import RELEASES, Release

REPOSITORY = "portside-lab"
RECIPES = CHECKOUT / "lab" / "images"
# The base of applications, and the release whose own Python has the same version.
PYTHON_IMAGE = "python:3.13-slim"
PYTHON_RELEASE = RELEASES["debian13"]
# Seconds without a word from a registry after which the archive is used instead.
REGISTRY_SECONDS = 20


def recipe_hash(directory: Path, *inputs: str) -> str:
    """Twelve hex digits for the files under `directory` (names, modes, contents) and other inputs of a build."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        mode = path.stat().st_mode & 0o111
        digest.update(f"{path.relative_to(directory)}\0{bool(mode)}\0".encode() + path.read_bytes() + b"\0")
    digest.update("\0".join(inputs).encode())
    return digest.hexdigest()[:12]


def base_image(engine: Any, release: Release) -> str:
    """Tag of the release's base image, which is pulled, or installed from the distribution's archive, when missing."""
    digest = hashlib.sha256(repr(release).encode()).hexdigest()[:12]
    tag = f"{REPOSITORY}/base:{release.name}-{digest}"
    with machine_lock(tag):
        if not exists(engine, tag) and not _pull(engine, release.image, tag):
            _bootstrap(engine, release, tag)
    return tag


def python_image(engine: Any) -> str:
    """Tag of an image that is used as PYTHON_IMAGE: that one where a registry answers, else one like it."""
    tag = f"{REPOSITORY}/python:{PYTHON_IMAGE.partition(':')[2]}-{recipe_hash(RECIPES / 'python')}"
    with machine_lock(tag):
        if not exists(engine, tag) and not _pull(engine, PYTHON_IMAGE, tag):
            build(engine, RECIPES / "python", tag, {"BASE": base_image(engine, PYTHON_RELEASE)})
    return tag


def built_image(engine: Any, recipe: str, release: Release) -> str:
    """Tag of the image that lab/images/<recipe>/Dockerfile describes, on a release; built when missing."""
    directory = RECIPES / recipe
    base = base_image(engine, release)
    tag = f"{REPOSITORY}/{recipe}:{release.name}-{recipe_hash(directory, base)}"
    with machine_lock(tag):
        if not exists(engine, tag):
            build(engine, directory, tag, {"BASE": base})
    return tag


def build(
    engine: Any,
    directory: Path,
    tag: str,
    arguments: dict[str, str],
    *,
    network: str = "host",
    target: str | None = None,
) -> None:
    """Build a Dockerfile, or its stage `target`.

    The network is the machine's own by default: the archive is reached the way the machine reaches it.
    Raises LabError with the end of the build's output.
    """
    say(f"building {tag}")
    try:
        engine.images.build(
            path=str(directory),
            tag=tag,
            buildargs=arguments,
            network_mode=network,
            target=target,
            rm=True,
            forcerm=True,
        )
    except docker.errors.BuildError as error:
        output = "".join(str(line.get("stream") or line.get("error") or "") for line in error.build_log)
        raise LabError(f"building {directory}/Dockerfile failed: {error.msg}\n{output[-2000:]}") from error


def remove_images(engine: Any) -> list[str]:
    """Remove all images of the lab that no container uses, and return their tags. The next run makes them again."""
    removed = []
    with machine_lock("images"):
        for image in engine.api.images(filters={"reference": f"{REPOSITORY}/*"}):
            for tag in image["RepoTags"]:
                try:
                    engine.images.remove(tag)
                except docker.errors.APIError:
                    continue  # a container of another checkout's lab uses it
                removed.append(tag)
    return removed


def exists(engine: Any, tag: str) -> bool:
    """Whether the engine has an image of this name."""
    try:
        engine.images.get(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def _pull(engine: Any, image: str, tag: str) -> bool:
    """Pull an image and give it the lab's tag; False where no registry answers or it doesn't have the image."""
    present = exists(engine, image)
    repository, _, version = image.partition(":")
    try:
        docker.from_env(timeout=REGISTRY_SECONDS).images.pull(repository, version).tag(tag)
    except (docker.errors.APIError, requests.exceptions.RequestException) as error:
        say(f"no registry gave {image}: {getattr(error, 'explanation', error)}")
        return False
    if not present:
        engine.images.remove(image)
    return True


def _bootstrap(engine: Any, release: Release, tag: str) -> None:
    ensure_programs(BOOTSTRAP)
    ensure_keyring(release.keyring, release.keyring_package)
    say(f"installing {release.name} from its distribution's archive")
    with tempfile.TemporaryDirectory(prefix="portside-base-") as directory:
        root = Path(directory) / "root.tar"
        result = subprocess.run(
            [
                *("mmdebstrap", "--variant=minbase", "--quiet", f"--components={release.components}"),
                *(f"--keyring={release.keyring}", release.suite, str(root)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise LabError(f"mmdebstrap could not install {release.name}:\n{result.stderr[-2000:]}")
        repository, _, version = tag.rpartition(":")
        engine.api.import_image(src=str(root), repository=repository, tag=version, changes=['CMD ["/bin/sh"]'])
