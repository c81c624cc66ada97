"""The example applications in the lab's registry: built from their Dockerfiles, with wheels that the controller got."""

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab import containers, engine, images
from lab.errors import LabError
from lab.identity import CHECKOUT, Lab
from lab.locks import machine_lock

EXAMPLES = CHECKOUT / "examples"
# The examples, and the versions that are made of each.
VERSIONS = {"webhook-app": ("1.0", "1.1"), "django-app": ("1.0",)}
PYTHON_VERSION = "3.13"


def publish(lab: Lab) -> None:
    """Build all versions of the examples unless that was done before, and push them to the lab's registry."""
    docker_engine = engine.client()
    with machine_lock("images", shared=True):
        base = images.python_image(docker_engine)
        for name, versions in VERSIONS.items():
            recipe = images.recipe_hash(EXAMPLES / name, base)
            for version in versions:
                tag = f"{images.REPOSITORY}/{name}:{version}-{recipe}"
                with machine_lock(tag):
                    if not images.exists(docker_engine, tag):
                        _build(docker_engine, name, base, version, tag)
                push(docker_engine, lab, tag, f"{name}:{version}")


def push(docker_engine: Any, lab: Lab, image: str, name: str) -> None:
    """Push an image to the lab's registry as `name` (repository:tag), which hosts pull as registry.lab.test:5000/NAME.

    It goes through the registry's port on loopback, where the engine needs no TLS. Raises LabError when refused.
    """
    registry = containers.find(docker_engine, lab, "registry")
    if registry is None or registry.status != "running":
        raise LabError(f"lab {lab.name!r} is not up: python -m lab up --lab {lab.name}")
    port = registry.attrs["NetworkSettings"]["Ports"]["5000/tcp"][0]["HostPort"]
    repository, _, tag = name.partition(":")
    target = f"127.0.0.1:{port}/{repository}"
    docker_engine.images.get(image).tag(target, tag)
    try:
        for line in docker_engine.api.push(target, tag, stream=True, decode=True):
            if "error" in line:
                raise LabError(f"the registry of lab {lab.name!r} did not take {name}: {line['error']}")
    finally:
        docker_engine.images.remove(f"{target}:{tag}")


def _build(docker_engine: Any, name: str, base: str, version: str, tag: str) -> None:
    with tempfile.TemporaryDirectory(prefix="portside-app-") as directory:
        context = Path(directory) / name
        shutil.copytree(EXAMPLES / name, context)
        _download_wheels(context / "requirements.txt", context / "wheels")
        arguments = {"BASE": base, "VERSION": version, "PIP_NO_INDEX": "1"}
        # A name for the first stage too: what has none would stay behind when the images are removed.
        stage = f"{images.REPOSITORY}/{name}:build-{tag.rpartition('-')[2]}"
        images.build(docker_engine, context, stage, arguments, network="none", target="build")
        images.build(docker_engine, context, tag, arguments, network="none")


def _download_wheels(requirements: Path, directory: Path) -> None:
    """Fetch the wheels for the image's Python. Raises LabError with pip's words."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
    target = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON_VERSION}"]
    target += [f"--platform=manylinux{glibc}_{platform.machine()}" for glibc in ("2014", "_2_17", "_2_28")]
    result = subprocess.run(
        [*pip, *target, "--requirement", str(requirements), "--dest", str(directory)],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise LabError(f"pip could not download the wheels of {requirements}:\n{result.stderr[-2000:]}")
