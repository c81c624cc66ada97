"""Every option of the proxy and of certificates stands in an example for people, not in a table alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.portside.vps.plugins.module_utils.inventory import roles

DOCS = Path(__file__).resolve().parents[3] / "docs"


def names(options: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Each option with where it stands, those of dictionaries too."""
    for name, option in options.items():
        yield f"{before}{name}", name
        yield from names(option.get("options", {}), f"{before}{name}.")


@pytest.mark.parametrize(("role", "page"), [("nginx", "sites.md"), ("certbot", "certificates.md")])
def test_every_option_is_in_an_example(role: str, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = "\n".join(re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    missing = [place for place, name in names(roles.options(role)) if not re.search(rf"\b{name}:", examples)]
    assert missing == []
