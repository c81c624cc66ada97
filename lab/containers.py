"""Containers as data: what is wanted is compared with what runs, and only the difference is touched."""

import hashlib
import io
import json
import tarfile
import time
from dataclasses import dataclass, field
from typing import Any

import docker.errors

from lab.addresses import Subnets
from lab.identity import LABEL_HOST, LABEL_NUMBER, LABEL_SPEC, Lab


@dataclass(frozen=True)
class File:
    """A file that is put into a container before it starts."""

    path: str
    content: bytes
    mode: int = 0o644
    owner: int = 0


@dataclass(frozen=True)
class Container:
    """One container of a lab.

    `number` is the host part of its addresses. `settings` and `host_config` go to the SDK's create_container() and
    create_host_config(); `raw_host_config` holds what the latter has no argument for, in the words of the engine's API.
    """

    host: str
    number: int
    image: str
    settings: dict[str, Any]
    host_config: dict[str, Any]
    raw_host_config: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    files: tuple[File, ...] = ()

    def digest(self, image_id: str, subnets: Subnets) -> str:
        """Changes whenever the container would have to be made anew."""
        data = {
            "image": image_id,
            "addresses": [subnets.ipv4(self.number), subnets.ipv6(self.number)],
            "settings": [self.settings, self.host_config, self.raw_host_config],
            "labels": self.labels,
            "files": [[f.path, hashlib.sha256(f.content).hexdigest(), f.mode, f.owner] for f in self.files],
        }
        return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]


def archive(files: tuple[File, ...]) -> bytes:
    """The files as a tar archive with paths relative to /."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file in files:
            info = tarfile.TarInfo(file.path.lstrip("/"))
            info.size, info.mode, info.uid, info.gid = len(file.content), file.mode, file.owner, file.owner
            info.mtime = int(time.time())
            tar.addfile(info, io.BytesIO(file.content))
    return buffer.getvalue()


def read(container: Any, path: str) -> bytes:
    """Content of one file of a container, running or not. Raises docker.errors.NotFound."""
    chunks, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
        member = tar.extractfile(tar.getmembers()[0])
        return member.read() if member else b""


def find(engine: Any, lab: Lab, host: str) -> Any | None:
    """The container of a host or service, or None."""
    try:
        return engine.containers.get(lab.container(host))
    except docker.errors.NotFound:
        return None


def ensure(engine: Any, lab: Lab, wanted: Container, subnets: Subnets) -> bool:
    """Make the container exist and run as wanted. Returns whether it had to be made or started."""
    digest = wanted.digest(engine.images.get(wanted.image).id, subnets)
    present = find(engine, lab, wanted.host)
    if present is not None and present.labels.get(LABEL_SPEC) != digest:
        present.remove(force=True, v=True)
        present = None
    if present is None:
        present = _create(engine, lab, wanted, subnets, digest)
        if wanted.files:
            present.put_archive("/", archive(wanted.files))
    elif present.status == "running":
        return False
    present.start()
    return True


def _create(engine: Any, lab: Lab, wanted: Container, subnets: Subnets, digest: str) -> Any:
    api = engine.api
    address = api.create_endpoint_config(
        ipv4_address=subnets.ipv4(wanted.number), ipv6_address=subnets.ipv6(wanted.number)
    )
    host_config = api.create_host_config(network_mode=lab.network, **wanted.host_config) | wanted.raw_host_config
    labels = {LABEL_HOST: wanted.host, LABEL_NUMBER: str(wanted.number), LABEL_SPEC: digest}
    created = api.create_container(
        wanted.image,
        name=lab.container(wanted.host),
        hostname=wanted.host,
        labels={**lab.labels, **wanted.labels, **labels},
        host_config=host_config,
        networking_config=api.create_networking_config({lab.network: address}),
        # The user's proxy is not the server's: what a host is told about proxies is the business of what runs on it.
        use_config_proxy=False,
        **wanted.settings,
    )
    return engine.containers.get(created["Id"])
