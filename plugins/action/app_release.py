"""The controller's half of app_release: images that come in files are copied to the hosts that lack them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.portside.vps.plugins.module_utils.releases.archive import ArchiveError, Content, content
from ansible_collections.portside.vps.plugins.module_utils.releases.spec import spelt_out

MODULE = "portside.vps.app_release"


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible-core ships no types
    """Runs the module; if it lacks an image that is in a file here, copies that and runs the module again."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """One remote call, unless an image has to be copied."""
        super().run(tmp, task_vars)
        files = self._files()
        contents = {name: self._content(name, path) for name, path in files.items()}
        self._refuse_names_of_others(contents)
        archives: dict[str, dict[str, Any]] = {
            name: {"ids": found.ids, "names": found.names} for name, found in contents.items()
        }
        arguments = {**self._task.args, **({"archives": archives} if archives else {})}
        result: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
        needed = result.pop("archives_needed", [])
        if not needed or result.get("failed"):
            return result
        directory = self._make_tmp_path()
        try:
            copied = self._copy({files[name] for name in needed}, directory)
            for name in needed:
                archives[name]["file"] = copied[files[name]]
            again: dict[str, Any] = self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars)
            return again
        finally:
            self._remove_tmp_path(directory)

    def _files(self) -> dict[str, Path]:
        """The files of the apps that this run is for; where nothing is deployed none is needed."""
        only = self._task.args.get("only") or []
        if any(self._task.args.get(what) for what in ("rollback", "promote", "abort", "forget")):
            return {}
        return {
            str(app["name"]): Path(str(app["image_archive"])).expanduser()
            for app in self._task.args.get("apps") or []
            if app.get("image_archive") and app.get("state") != "absent" and (not only or app["name"] in only)
        }

    def _content(self, app: str, path: Path) -> Content:
        try:
            return content(path)
        except ArchiveError as error:
            raise AnsibleActionFail(f"app `{app}`: `image_archive`: {error}") from error

    def _refuse_names_of_others(self, contents: Mapping[str, Content]) -> None:
        """Loading a file would make the image of another app name what is in it, at least for a moment."""
        images = {str(app["name"]): spelt_out(str(app["image"])) for app in self._task.args["apps"] if app.get("image")}
        for app, found in contents.items():
            for name in found.names:
                called = spelt_out(name)
                owner = next((other for other, image in images.items() if image == called != images[app]), None)
                if owner:
                    raise AnsibleActionFail(
                        f"app `{app}`: `image_archive`: its image is called {name} in the file, which is the image of "
                        f"app `{owner}`: save it under the name that the app has, `docker save {images[app]}`"
                    )

    def _copy(self, files: set[Path], directory: str) -> dict[Path, str]:
        """Copy each file once; returns where it is on the host."""
        found = {}
        for number, path in enumerate(sorted(files)):
            target = self._connection._shell.join_path(directory, f"image-{number}.tar")
            found[path] = self._transfer_file(str(path), target)
        self._fixup_perms2([directory, *found.values()])
        return found
