"""The release engine's calls to Docker, through the distribution's python3-docker (5.0.3 on Debian 12, 7.1 on 13).

Only the SDK's low-level client is used, with bodies in the Engine API's own form: what differs between the two
versions lies above that.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.engine.base import (
    Condition,
    Container,
    EngineError,
    EngineUnavailableError,
    Image,
    NetworkGoneError,
)
from ansible_collections.portside.vps.plugins.module_utils.releases import networks
from ansible_collections.portside.vps.plugins.module_utils.ufw.host import shut

try:
    import docker
    import docker.errors
    import requests.exceptions

    MISSING = ""
except ImportError as error:
    MISSING = str(error)

SOCKET = "unix:///var/run/docker.sock"
LABEL = "portside.app"
# Seconds for one answer of the daemon; a loaded machine may take its time to start a container.
TIMEOUT = 120

# What the daemon says (daemon/errors.go, distribution/errors.go, libnetwork/portallocator), and what helps.
HINTS = (
    ("unauthorized", "the registry wants a login: give it in `docker_app_registries`"),
    ("authentication required", "the registry wants a login: give it in `docker_app_registries`"),
    ("denied", "no such repository, or the registry wants a (different) login: see `docker_app_registries`"),
    ("no basic auth", "the registry wants a login: give it in `docker_app_registries`"),
    ("manifest unknown", "the registry has no such tag or digest"),
    ("not found", "the registry has no such image or tag"),
    ("http response to https", "the registry speaks plain http: name it in the daemon option `insecure-registries`"),
    ("certificate signed by unknown", "put the registry's CA into /etc/docker/certs.d/<registry>/ca.crt"),
    (
        "network is unreachable",
        "the server has no way to the registry's address: with IPv6 alone it reaches what has IPv4 alone through an "
        "outbound proxy (`portside_egress`, or the daemon option `proxies`) or its provider's NAT64",
    ),
    ("connection refused", "nobody answers at the registry: is it down, and is its port right?"),
    ("i/o timeout", "the registry does not answer: is it down, or behind a firewall?"),
    ("awaiting headers", "the registry does not answer: is it down, or behind a firewall?"),
    ("no such host", "the server can't resolve the registry's name"),
    ("proxyconnect", "the daemon's outbound proxy refused or failed: see the daemon option `proxies`"),
    ("no matching manifest", "the image was not built for this server's architecture"),
)
REFUSED_LOGIN = ("unauthorized", "authentication required", "denied", "no basic auth")
# Trying again does not help against these.
FINAL = (
    "unauthorized",
    "authentication",
    "denied",
    "manifest unknown",
    "not found",
    "basic auth",
    "no matching",
    "invalid",
    "no space left",
)


class PullError(EngineError):
    """An image could not be fetched; `passing` tells whether trying again may help."""

    def __init__(self, reference: str, said: str, user: str = "") -> None:
        low = said.lower()
        hint = next((f": {hint}" for word, hint in HINTS if word in low), "")
        if user and any(word in low for word in REFUSED_LOGIN):
            hint = f": the registry refused user `{user}`: see its password in `docker_app_registries`, or its rights"
        super().__init__(f"image {reference} could not be pulled{hint} (Docker said: {said})")
        self.passing = not any(word in low for word in FINAL)


def container(listed: Mapping[str, Any]) -> Container:
    """One entry of GET /containers/json."""
    labels = listed.get("Labels") or {}
    number, replica = (str(labels.get(f"portside.{name}", "")) for name in ("release", "replica"))
    networks = (listed.get("NetworkSettings") or {}).get("Networks") or {}
    addresses = [endpoint.get("IPAddress") or "" for endpoint in networks.values()]
    ports = {port["PublicPort"] for port in listed.get("Ports") or () if port.get("PublicPort")}
    return Container(
        id=listed["Id"],
        name=listed["Names"][0].lstrip("/") if listed.get("Names") else listed["Id"][:12],
        app=str(labels.get(LABEL, "")),
        release=int(number) if number.isdigit() else 0,
        hash=str(labels.get("portside.hash", "")),
        image_id=listed.get("ImageID", ""),
        status=listed.get("State", ""),
        host_ports=tuple(sorted(ports)),
        networks=tuple(sorted(networks)),
        job="portside.job" in labels,
        replica=int(replica) if replica.isdigit() else 1,
        address=addresses[0] if len(addresses) == 1 else "",
        canary="portside.canary" in labels,
        writes=tuple(
            source
            for mount in listed.get("Mounts") or ()
            # What is in memory has neither.
            if mount.get("RW") and (source := mount.get("Name") or mount.get("Source"))
        ),
    )


def condition(inspected: Mapping[str, Any]) -> Condition:
    """The part of GET /containers/{id}/json that tells how a container is doing."""
    state = inspected["State"]
    return Condition(
        status=state["Status"],
        exit_code=state.get("ExitCode", 0),
        restarts=inspected.get("RestartCount", 0),
        out_of_memory=state.get("OOMKilled", False),
        error=state.get("Error", ""),
        health=(state.get("Health") or {}).get("Status", ""),
    )


def image(inspected: Mapping[str, Any]) -> Image:
    """The part of GET /images/{name}/json that tells an image from another, and what it runs."""
    return Image(
        id=inspected["Id"],
        digests=tuple(inspected.get("RepoDigests") or ()),
        entrypoint=tuple((inspected.get("Config") or {}).get("Entrypoint") or ()),
        architecture=inspected.get("Architecture") or "",
    )


@contextmanager
def _calls(what: str) -> Iterator[None]:
    """Turns whatever the SDK raises into EngineError, saying what was being done."""
    try:
        yield
    except docker.errors.APIError as error:
        raise EngineError(f"Docker could not {what}: {error.explanation or error}") from error
    except (requests.exceptions.ConnectionError, ConnectionError) as error:
        raise EngineUnavailableError(
            f"Docker does not answer at {SOCKET} ({error}): see `systemctl status docker` and `journalctl -u docker`"
        ) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, ValueError) as error:
        raise EngineError(f"Docker could not {what}: {error}") from error


def _user(credentials: Mapping[str, str] | None) -> str:
    return credentials["username"] if credentials else ""


class DockerEngine:
    """The daemon of this host.

    Raises:
        EngineUnavailableError: the library is not installed, or the daemon does not answer.
    """

    def __init__(self, connect: Callable[..., Any] | None = None) -> None:
        if MISSING:
            raise EngineUnavailableError(
                f"the Docker SDK for Python is not installed ({MISSING}): install the package python3-docker"
            )
        try:
            with _calls("be reached"):
                self._client: Any = (connect or docker.APIClient)(base_url=SOCKET, version="auto", timeout=TIMEOUT)
        except EngineUnavailableError:
            raise
        except EngineError as error:
            raise EngineUnavailableError(f"{error}: see `systemctl status docker`") from error
        # The SDK is a requests session: it would honour ALL_PROXY of this process's environment even for the socket.
        self._client.trust_env = False

    def containers(self) -> list[Container]:
        """All containers that carry our label, running or not."""
        with _calls("list containers"):
            listed = self._client.containers(all=True, filters={"label": [LABEL]})
        return sorted((container(entry) for entry in listed), key=lambda item: (item.app, item.release))

    def image(self, reference: str) -> Image | None:
        """The image that the host has under this reference or ID."""
        with _calls(f"look for image {reference}"):
            try:
                return image(self._client.inspect_image(reference))
            except docker.errors.NotFound:
                return None

    def pull(self, reference: str, credentials: Mapping[str, str] | None) -> Image:
        """Fetch the image from its registry; without credentials, with those that root may have logged in with."""
        try:
            with _calls(f"pull {reference}"):
                login = dict(credentials) if credentials else None
                for line in self._client.pull(reference, stream=True, decode=True, auth_config=login):
                    if "error" in line:
                        raise PullError(reference, str(line["error"]).strip(), _user(credentials))
        except (EngineUnavailableError, PullError):
            raise
        except EngineError as error:
            raise PullError(reference, str(error), _user(credentials)) from error
        found = self.image(reference)
        if found is None:
            raise EngineError(f"image {reference} was pulled, and is not there: is `docker image prune` running?")
        return found

    def registry_digest(self, reference: str, credentials: Mapping[str, str] | None) -> str:
        """The digest that the registry has for a reference; nothing is fetched."""
        try:
            with _calls(f"ask for {reference}"):
                login = dict(credentials) if credentials else None
                return str(self._client.inspect_distribution(reference, auth_config=login)["Descriptor"]["digest"])
        except EngineUnavailableError:
            raise
        except EngineError as error:
            raise PullError(reference, str(error), _user(credentials)) from error

    def load(self, file: str) -> None:
        """Take over the images of a file on the host."""
        with _calls(f"load {file}"), Path(file).open("rb") as stream:
            for line in self._client.load_image(stream):
                if "error" in line:
                    raise EngineError(f"Docker could not load the image: {line['error']}")

    def tag(self, image: str, reference: str) -> None:
        """Give an image one more name, `repository:tag`."""
        repository, _, tag = reference.rpartition(":")
        with _calls(f"name the image {reference}"):
            self._client.tag(image, repository, tag)

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Make a container; one of the same name that a killed run left behind has to be removed before."""
        with _calls(f"create container {name}"):
            return str(self._client.create_container_from_config(dict(config), name=name)["Id"])

    def ensure_network(self, name: str, bridge: str = "") -> None:
        """Make a network unless there is one of that name. With `bridge`, the firewall has to have shut it."""
        if bridge and not shut(bridge):
            raise EngineError(
                f"the firewall has no rule yet for network {name} (bridge {bridge}), from which nothing may go out but "
                "what is declared, so nothing is started there: run site.yml, which sets the firewall's rules first"
            )
        with _calls(f"make network {name}"):
            if any(network["Name"] == name for network in self._client.networks(names=[name])):
                return
            options = self._client.inspect_network("bridge").get("Options") or {}
            try:
                self._client.create_network(name, check_duplicate=True, **networks.body(options, bridge))
            except docker.errors.APIError as error:
                if "address pool" in str(error.explanation):
                    raise EngineError(
                        f"Docker has no addresses left for network {name}: give it more, smaller ranges in the daemon "
                        "option `default-address-pools`"
                    ) from error
                raise

    def connect(self, container: str, network: str, alias: str) -> None:
        """Put a container on one more network, where it is known by this name too."""
        with _calls(f"connect the container to network {network}"):
            self._client.connect_container_to_network(container, network, aliases=[alias])

    def remove_network(self, name: str) -> None:
        """Remove a network. One that is gone, or that something else is on, is left alone."""
        with _calls(f"remove network {name}"):
            try:
                self._client.remove_network(name)
            except docker.errors.APIError as error:
                # Docker answers 403 where a container is on it.
                if error.status_code not in {403, 404, 409}:
                    raise

    def volume_directory(self, name: str) -> str:
        """The directory on the server that is the named volume; empty where it is none, or its owners are others.

        A volume with options may be another machine's; with user namespaces the numbers of users mean others.
        """
        with _calls(f"inspect volume {name}"):
            try:
                found = self._client.inspect_volume(name)
            except docker.errors.NotFound:
                return ""
            mapped = any("userns" in option for option in self._client.info().get("SecurityOptions") or ())
        plain = found.get("Driver") == "local" and not found.get("Options") and not mapped
        return str(found["Mountpoint"]) if plain else ""

    def address(self, container: str) -> str:
        """The address of a running container at which the host reaches it; empty where it has none (yet)."""
        with _calls("inspect the container"):
            found = self._client.inspect_container(container)["NetworkSettings"]["Networks"]
        return next((str(endpoint["IPAddress"]) for endpoint in found.values() if endpoint.get("IPAddress")), "")

    def start(self, container: str) -> None:
        """Start a container, or let a paused one go on."""
        with _calls("start the container"):
            if self._client.inspect_container(container)["State"].get("Paused"):
                self._client.unpause(container)
                return
            try:
                self._client.start(container)
            except docker.errors.APIError as error:
                if re.search(r"network \S+ not found", str(error.explanation)):
                    raise NetworkGoneError(f"Docker could not start the container: {error.explanation}") from error
                raise

    def stop(self, container: str, timeout: int) -> None:
        """SIGTERM, and SIGKILL after `timeout` seconds."""
        with _calls("stop the container"), suppress(docker.errors.NotFound):
            self._client.stop(container, timeout=timeout)

    def remove(self, container: str, *, volumes: bool = True) -> None:
        """Remove a container, running or not, with its anonymous volumes, unless Docker is at it."""
        with _calls("remove the container"), suppress(docker.errors.NotFound):
            try:
                self._client.remove_container(container, v=volumes, force=True)
            except docker.errors.APIError as error:
                if "already in progress" not in str(error.explanation):
                    raise

    def set_restart(self, container: str, policy: str) -> None:
        """Change the restart policy; Docker has none for a container that it removes when it ends (`--rm`)."""
        with _calls("set the restart policy"), suppress(docker.errors.NotFound):
            try:
                self._client.update_container(container, restart_policy={"Name": policy})
            except docker.errors.APIError as error:
                if "autoremove" not in str(error.explanation).lower():
                    raise

    def restart_policy(self, container: str) -> str:
        """The restart policy that the container has now; a container without one has `no`."""
        with _calls("inspect the container"):
            return str(self._client.inspect_container(container)["HostConfig"]["RestartPolicy"]["Name"] or "no")

    def condition(self, container: str) -> Condition:
        """How the container is doing now."""
        with _calls("inspect the container"):
            return condition(self._client.inspect_container(container))

    def logs(self, container: str, lines: int) -> Sequence[str]:
        """The last lines that it wrote; none where its log driver can't be read."""
        try:
            with _calls("read the container's log"):
                text = self._client.logs(container, tail=lines)
        except EngineError as error:
            return [f"({error})"]
        return [str(line) for line in text.decode(errors="replace").splitlines()]

    def remove_image(self, image: str) -> None:
        """Remove an image that nothing uses; one that is used, or gone, is left alone."""
        with _calls("remove the image"):
            try:
                self._client.remove_image(image)
            except docker.errors.APIError as error:
                if error.status_code not in {404, 409}:
                    raise


class NoEngine:
    """Stands in for an engine that is not installed yet, in check mode: nothing is there."""

    def containers(self) -> list[Container]:
        """None."""
        return []

    def image(self, reference: str) -> Image | None:
        """None."""
        return None
