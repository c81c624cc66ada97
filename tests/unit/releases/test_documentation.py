"""The module's documentation and the README say what the code takes."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.portside.vps.plugins.module_utils.releases import options
from ansible_collections.portside.vps.plugins.module_utils.shape import Spec
from ansible_collections.portside.vps.plugins.modules import app_release


def documented(spec: Spec) -> dict[str, Any]:
    """The spec in the form of a module's documentation."""
    found: dict[str, Any] = {}
    for key, field in spec.items():
        kept: dict[str, Any] = {
            name: field[name] for name in ("type", "elements", "required", "choices", "default") if name in field
        }
        if field.get("words"):
            kept["type"] = "raw"
            del kept["elements"]
        if "options" in field:
            kept.pop("default", None)
            kept["suboptions"] = documented(field["options"])
        found[key] = {"description": field["description"], **kept}
    return found


def test_module_documents_every_key_of_an_app_and_a_registry() -> None:
    said = yaml.safe_load(app_release.DOCUMENTATION)["options"]
    assert said["apps"]["suboptions"] == documented(options.APP)
    assert said["registries"]["suboptions"] == documented(options.REGISTRY)


def test_module_documents_every_argument() -> None:
    said = yaml.safe_load(app_release.DOCUMENTATION)["options"]
    assert set(said) == set(app_release.ARGUMENTS)
    for name, argument in app_release.ARGUMENTS.items():
        assert said[name].get("default") == argument.get("default"), name
