"""Where an app's image comes from: the host itself, a registry, or a file that was copied there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible_collections.portside.vps.plugins.module_utils.engine.base import Engine, EngineError, Image
from ansible_collections.portside.vps.plugins.module_utils.releases import spec
from ansible_collections.portside.vps.plugins.module_utils.releases.gate import Clock
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import App

# Pulling is tried again after these pauses (seconds): registries and networks hiccup.
PULL_PAUSES = (1.0, 3.0)


class NoImageError(Exception):
    """The image is not on the host, and may not be fetched."""


@dataclass(frozen=True)
class Archive:
    """An image in a file: the IDs that it may have on the host, the file there, empty as long as it isn't, and what the
    image is called in it."""

    ids: Sequence[str]
    file: str = ""
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Images:
    """Finds and fetches images.

    Args:
        engine: has them.
        clock: time.
        credentials: the logins by registry.
        archives: the images that come in files, by the name of the app.
    """

    engine: Engine
    clock: Clock
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    archives: Mapping[str, Archive] = field(default_factory=dict)

    def needed(self, apps: Sequence[App]) -> list[str]:
        """The apps whose file has to be copied to the host before anything is done."""
        return [
            app.name
            for app in apps
            if app.present and app.name in self.archives and not self.archives[app.name].file and not self._loaded(app)
        ]

    def foreseen(self, app: App) -> Image | None:
        """The image that `present` would find or fetch; None for one that has to be fetched. Changes nothing."""
        if app.name in self.archives:
            return self._loaded(app) or Image(id=self.archives[app.name].ids[0])
        found = self.engine.image(app.image)
        return None if found and self._outdated(app, found) else found

    def local(self, app: App) -> Image | None:
        """The image that the app's reference stands for on the host; no registry is asked."""
        return self._loaded(app) if app.name in self.archives else self.engine.image(app.image)

    def present(self, app: App) -> Image | None:
        """The image that the app's reference stands for now; None where the host doesn't have it yet.

        With `pull: always` the registry is asked, and what it has is fetched.
        """
        if app.name in self.archives:
            return self._load(app)
        found = self.engine.image(app.image)
        return self.fetch(app) if found and self._outdated(app, found) else found

    def fetch(self, app: App) -> Image:
        """Pull the image, more than once if need be.

        Raises:
            NoImageError: the app says `pull: never`.
            EngineError: it can't be had.
        """
        if app.pull == "never":
            raise NoImageError(
                f"image {app.image} is not on the server, and `pull: never` keeps it from being fetched: "
                "load it there (`docker load`), or name its file in `image_archive`"
            )
        login = self._login(app)
        for pause in PULL_PAUSES:
            try:
                return self.engine.pull(app.image, login)
            except EngineError as error:
                if not getattr(error, "passing", True):
                    raise
                self.clock.sleep(pause)
        return self.engine.pull(app.image, login)

    def _login(self, app: App) -> Mapping[str, str] | None:
        return self.credentials.get(spec.registry_of(app.image))

    def _outdated(self, app: App, found: Image) -> bool:
        if app.pull != "always" or "@" in app.image:
            return False
        digest = self.engine.registry_digest(app.image, self._login(app))
        return digest not in {known.partition("@")[2] for known in found.digests}

    def _loaded(self, app: App) -> Image | None:
        return next((image for name in self.archives[app.name].ids if (image := self.engine.image(name))), None)

    def _load(self, app: App) -> Image | None:
        archive = self.archives[app.name]
        found = self._loaded(app)
        if found is None:
            if not archive.file:
                return None
            with self._names_of_others(app):
                self.engine.load(archive.file)
            found = self._loaded(app)
        if found is None:
            raise NoImageError(f"the file of `image_archive` was loaded, and image {archive.ids[0]} is still not there")
        named = self.engine.image(app.image)
        if named is None or named.id != found.id:
            self.engine.tag(found.id, app.image)
        return found

    @contextmanager
    def _names_of_others(self, app: App) -> Iterator[None]:
        """What names in the file stood for before it is loaded, they stand for afterwards: but for the app's own, an
        image of somebody else's may be called so."""
        own = spec.spelt_out(app.image)
        others = [name for name in self.archives[app.name].names if spec.spelt_out(name) != own]
        before = {name: image for name in others if (image := self.engine.image(name))}
        try:
            yield
        finally:
            for name, image in before.items():
                now = self.engine.image(name)
                if now is None or now.id != image.id:
                    self.engine.tag(image.id, name)
