"""Builds the probe in several versions, and a Redis, and pushes them to a lab's registry: `python publish.py LAB`."""

from __future__ import annotations

import sys
from pathlib import Path

from lab import app, engine, images
from lab.identity import Lab
from lab.locks import machine_lock
from lab.releases import RELEASES

HERE = Path(__file__).resolve().parent
VERSIONS = ("1", "2", "3")


def main() -> None:
    """Build what is missing, push everything."""
    lab = Lab(sys.argv[1])
    docker_engine = engine.client()
    with machine_lock("images", shared=True):
        base = images.python_image(docker_engine)
        recipe = images.recipe_hash(HERE, base)
        for version in VERSIONS:
            tag = f"{images.REPOSITORY}/probe:{version}-{recipe}"
            with machine_lock(tag):
                if not images.exists(docker_engine, tag):
                    images.build(docker_engine, HERE, tag, {"BASE": base, "VERSION": version}, network="none")
            app.push(docker_engine, lab, tag, f"probe:{version}")
        app.push(docker_engine, lab, images.built_image(docker_engine, "redis", RELEASES["debian13"]), "redis:1")


if __name__ == "__main__":
    main()
