"""An image in a file, as `docker save` writes it: which image it is, and what it is called there, without a Docker."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = (
    "write it with `docker save`, `docker buildx build --output type=docker`, or `podman save --format docker-archive`"
)


# Under which containerd's image store, which Docker may use, finds the name of a whole reference.
NAME = "io.containerd.image.name"


class ArchiveError(ValueError):
    """The file is no image that Docker could load; the message names it and says how to write one."""


@dataclass(frozen=True)
class Content:
    """What is in a file: the IDs under which a host may know the image, and the names that loading it gives it."""

    ids: list[str]
    names: list[str]


def _read(archive: tarfile.TarFile, name: str) -> Any:
    try:
        member = archive.extractfile(name)
    except KeyError:
        return None
    return json.loads(member.read()) if member else None


def config_id(path: str) -> str:
    """The image ID for what a manifest calls its configuration: `blobs/sha256/<hex>`; before Docker 25 `<hex>.json`."""
    return f"sha256:{path.rpartition('/')[2].removesuffix('.json')}"


def ids(manifest: Sequence[Any], index: Any) -> list[str]:
    """The IDs under which a host may know the image.

    Docker calls an image by the digest of its configuration; with containerd's image store, by that of its manifest.

    Args:
        manifest: the content of manifest.json.
        index: that of index.json; None where there is none.

    Raises:
        ArchiveError: it holds no image, or more than one.
    """
    if len(manifest) != 1:
        raise ArchiveError(f"holds {len(manifest)} images, and has to hold one: save one image, under one name")
    manifests = index.get("manifests", []) if isinstance(index, dict) else []
    return [config_id(manifest[0]["Config"]), *(entry["digest"] for entry in manifests)]


def names(manifest: Sequence[Any], index: Any) -> list[str]:
    """The references that `docker load` makes name the image, whatever they named before; takes what `ids` takes."""
    entries = index.get("manifests", []) if isinstance(index, dict) else []
    annotated = [(entry.get("annotations") or {}).get(NAME) for entry in entries]
    found = [*(manifest[0].get("RepoTags") or []), *annotated]
    return list(dict.fromkeys(str(name) for name in found if name))


def content(path: Path) -> Content:
    """What is in a file, compressed or not.

    Raises:
        ArchiveError: there is no such file, or it is no image.
    """
    try:
        with tarfile.open(path, "r:*") as archive:
            manifest = _read(archive, "manifest.json")
            if manifest is None:
                raise ArchiveError(f"{path} has no manifest.json: {FORMAT}")
            index = _read(archive, "index.json")
            return Content(ids(manifest, index), names(manifest, index))
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: there is no such file on this machine, the controller") from error
    except ArchiveError as error:
        raise ArchiveError(str(error) if str(path) in str(error) else f"{path} {error}") from error
    except (tarfile.TarError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ArchiveError(f"{path} is no image that Docker could load ({error}): {FORMAT}") from error
