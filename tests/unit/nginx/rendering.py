"""The role's templates, rendered by Ansible's real templar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLE = Path(__file__).resolve().parents[3] / "roles" / "nginx"


def _variables(*names: str) -> dict[str, Any]:
    loader = DataLoader()
    found: dict[str, Any] = {}
    for name in names:
        found |= loader.load_from_file(str(ROLE / name), trusted_as_template=True)
    return found


def templar(release: str = "Debian_13", **settings: Any) -> Templar:
    """Ansible's templar with the role's variables as a play on that release would have them."""
    variables = _variables("defaults/main.yml", "vars/main.yml", f"vars/{release}.yml") | settings
    loader = DataLoader()
    loader.set_basedir(str(ROLE))
    return Templar(loader=loader, variables=variables | {"ansible_search_path": [str(ROLE)], "role_path": str(ROLE)})


def tree(*sites: dict[str, Any], release: str = "Debian_13", **settings: Any) -> dict[str, str]:
    """Every file that the role wants for these sites: path below /etc/nginx, and content."""
    rendered = templar(release, nginx_sites=list(sites), **settings).template(trust_as_template("{{ __nginx_tree }}"))
    return {item["path"]: item["content"] for item in rendered}
