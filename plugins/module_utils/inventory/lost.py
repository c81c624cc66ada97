"""Apps that got lost from the inventory, and files of variables that are not read: a run must not do less than is meant
without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

# In this order, and the first that is there is read alone (ansible-core, `DataLoader.find_vars_files`).
_EXTENSIONS = ("", ".yml", ".yaml", ".json")


def apps(served: Iterable[str], declared: Iterable[Mapping[str, Any]], host: str, purge: bool = False) -> list[str]:
    """One sentence where the server serves apps that the inventory no longer has; none where they may go.

    Args:
        served: names of the apps that run on the server and have a site there.
        declared: `portside_apps`; `state: absent` is the consent that one may go.
        host: the server, for the message.
        purge: whether what is not in the list is to be removed (`docker_app_purge`). An empty list is no such list.
    """
    # An app that was renamed goes on under its new name.
    names = {str(app[key]) for app in declared for key in ("name", "renamed_from") if app.get(key)}
    gone = sorted(set(served) - names)
    if not gone or (purge and names):
        return []
    listed = ", ".join(f"`{name}`" for name in gone)
    are, their, them, each = ("are", "their sites", "them", "each") if len(gone) > 1 else ("is", "its site", "it", "it")
    unread = f"The list is empty: is the file read that has it (`ansible-inventory --host {host}`)? "
    return [
        f"{host} serves {listed}, which {are} no longer in `portside_apps`: {their} would be taken away. "
        f"{'' if names else unread}Declare {them} again, or write that {each} may go: "
        f"`- {{name: {gone[0]}, state: absent}}`. Nothing was changed."
    ]


def _candidates(folder: Path, name: str) -> list[Path]:
    return [path for ending in _EXTENSIONS if (path := folder / f"{name}{ending}").exists()]


def unread(sources: Iterable[str], playbook_dir: str, groups: Collection[str], host: str) -> list[str]:
    """One sentence for each file of variables that Ansible passes over because of another of that name.

    Of `group_vars/vps/`, `group_vars/vps.yml`, `.yaml` and `.json` it reads the first that is there alone.

    Args:
        sources: the inventory's, files or directories.
        playbook_dir: of the playbook that is run; beside it variables are looked for, too.
        groups: that the host is in.
        host: its name.
    """
    beside = [path if (path := Path(source)).is_dir() else path.parent for source in sources if Path(source).exists()]
    wanted = [("group_vars", group) for group in sorted({*groups, "all"})] + [("host_vars", host)]
    found = []
    for folder in dict.fromkeys([*beside, Path(playbook_dir)]):
        for kind, name in wanted:
            there = _candidates(folder / kind, name)
            for other in there[1:]:
                first = there[0]
                cure = f"move it into that folder, as {first}/main.yml" if first.is_dir() else "keep one of the two"
                found.append(f"{other} is not read, because {first}{'/' * first.is_dir()} is there: {cure}")
    return found
