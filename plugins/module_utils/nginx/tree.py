"""What has to change on the host so that nginx's tree is the wanted one. Decisions only: this touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ansible_collections.portside.vps.plugins.module_utils.nginx.boot import MARKED, NO_RELEASE, PLACEHOLDER_MARK

NGINX = "/etc/nginx"
# Where the role's own files stand, in the order in which they are replaced: what others lean on comes first.
OWN_DIRECTORIES = ("modules-enabled", "passwords", "snippets", "conf.d", "sites-enabled")
MARKER = "# Managed by Portside"
OWN_NAME = "portside"
# The rest of a write that was cut off between its file and the rename, named by tempfile or a process; an editor's
# `.portside-shop.conf.swp` is none.
LEFT_OVER = re.compile(rf"\.{OWN_NAME}.*\.([a-z0-9_]{{8}}|[0-9]+)")
PLACEHOLDER = "placeholder"
CERTIFICATE_FILES = ("fullchain.pem", "privkey.pem")
DISTRIBUTION_SITE = f"{NGINX}/sites-enabled/default"
DISTRIBUTION_SITE_TARGET = f"{NGINX}/sites-available/default"

# Where systemd reads what concerns nginx alone.
DROP_INS = "/etc/systemd/system/nginx.service.d"
RELOAD_UNIT = f"{DROP_INS}/portside-reload.conf"


class PlanError(Exception):
    """The wanted tree can't be had because of what stands on the host; the message says what and where."""


@dataclass(frozen=True)
class Text:
    """A file: its content and permission bits. The content of a secret one stays out of diffs.

    `owner` is a user's name; none in a wanted file is whoever writes it, and leaves one that is there to its owner.
    """

    content: str
    mode: int = 0o644
    secret: bool = field(default=False, compare=False)
    owner: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Link:
    """A symbolic link and where it points."""

    target: str


@dataclass(frozen=True)
class Directory:
    """A directory; `mode` is for one that is made, an existing one keeps its own."""

    mode: int = field(default=0o755, compare=False)


Node = Text | Link | Directory | None


@dataclass(frozen=True)
class Change:
    """One path, before and after; None is a path where nothing stands. `site` is the one it belongs to, if any."""

    path: str
    before: Node
    after: Node
    site: str = ""


@dataclass(frozen=True)
class WantedFile:
    """A file with its absolute path, and the site it belongs to (empty for the role's common files)."""

    path: str
    text: Text
    site: str = ""


@dataclass(frozen=True)
class Wanted:
    """Everything one run asks for. `certificates` and `upstream_files` name the site that needs them."""

    files: tuple[WantedFile, ...]
    certificates: Mapping[str, str]
    upstream_files: Mapping[str, str]
    tls_dir: str
    webroot: str


@dataclass(frozen=True)
class Snapshot:
    """What stands on the host: the nodes by path, and the certificates of which both files are there."""

    nodes: Mapping[str, Node]
    usable_certificates: frozenset[str]


def is_own(path: str, node: Node) -> bool:
    """Whether the role wrote this file: the name and the first line both say so. Others' files are left alone."""
    name = PurePosixPath(path).name
    if LEFT_OVER.fullmatch(name):
        return isinstance(node, Text)
    return name.startswith(OWN_NAME) and isinstance(node, Text) and node.content.startswith(MARKER)


def _parents(path: str) -> list[str]:
    return [str(parent) for parent in reversed(PurePosixPath(path).parents) if str(parent) != "/"]


def _directories(paths: Iterable[str], snapshot: Snapshot) -> list[Change]:
    wanted = dict.fromkeys(step for path in paths for step in [*_parents(path), path])
    found = []
    for path in wanted:
        node = snapshot.nodes.get(path)
        if isinstance(node, Text):
            raise PlanError(f"{path} is a file, but a directory has to stand there: move it away")
        if node is None:
            found.append(Change(path, None, Directory()))
    return found


def _missing(wanted: Wanted, snapshot: Snapshot) -> dict[str, str]:
    return {name: site for name, site in wanted.certificates.items() if name not in snapshot.usable_certificates}


def needs_placeholder(wanted: Wanted, snapshot: Snapshot) -> bool:
    """Whether a certificate is missing while there is no placeholder to stand in for it."""
    return bool(_missing(wanted, snapshot)) and PLACEHOLDER not in snapshot.usable_certificates


def _certificates(wanted: Wanted, snapshot: Snapshot, placeholder: Mapping[str, Text]) -> list[Change]:
    """Links to the placeholder for every certificate that is missing. One that is there is never touched."""
    missing = _missing(wanted, snapshot)
    home = f"{wanted.tls_dir}/{PLACEHOLDER}"
    found: list[Change] = []
    if needs_placeholder(wanted, snapshot):
        if snapshot.nodes.get(home) is None:
            found.append(Change(home, None, Directory()))
        found += [
            Change(path, snapshot.nodes.get(path), placeholder[name])
            for name in CERTIFICATE_FILES
            for path in [f"{home}/{name}"]
        ]
    mark, marked = f"{home}/{PLACEHOLDER_MARK}", Text(MARKED)
    if (found or snapshot.nodes.get(home) is not None) and snapshot.nodes.get(mark) != marked:
        found.append(Change(mark, snapshot.nodes.get(mark), marked))
    for name, site in sorted(missing.items()):
        path = f"{wanted.tls_dir}/{name}"
        node = snapshot.nodes.get(path)
        if isinstance(node, Directory | Text):
            raise PlanError(
                f"site `{site}`: {path} lacks {' or '.join(CERTIFICATE_FILES)}: put the certificate there, or remove "
                f"{path} so that the site starts with a placeholder"
            )
        found.append(Change(path, node, Link(PLACEHOLDER), site))
    return found


def _unused_placeholders(wanted: Wanted, snapshot: Snapshot) -> list[Change]:
    """Links to the placeholder that no site needs any more. Links to real certificates are their owner's business."""
    return [
        Change(path, node, None)
        for path, node in sorted(snapshot.nodes.items())
        if str(PurePosixPath(path).parent) == wanted.tls_dir
        and node == Link(PLACEHOLDER)
        and PurePosixPath(path).name not in wanted.certificates
    ]


def _rank(path: str) -> int:
    parts = PurePosixPath(path).parts
    return next((rank for rank, name in enumerate(OWN_DIRECTORIES) if name in parts), len(OWN_DIRECTORIES))


def plan(wanted: Wanted, snapshot: Snapshot, placeholder: Mapping[str, Text]) -> list[Change]:
    """The changes that lead from the snapshot to the wanted tree, in an order in which a run may be cut off anywhere.

    What a site leans on comes before the site, and goes after it; each site is replaced in one step.

    Args:
        wanted: what the run asks for.
        snapshot: what stands on the host.
        placeholder: fullchain.pem and privkey.pem of a self-signed certificate, used when there is none yet.

    Raises:
        PlanError: something stands in the way that the role must not remove.
    """
    parents = [str(PurePosixPath(path).parent) for path in (*wanted.upstream_files, *(f.path for f in wanted.files))]
    webroot = snapshot.nodes.get(wanted.webroot)
    changes = _directories([wanted.webroot, wanted.tls_dir, *sorted(parents)], snapshot)
    if isinstance(webroot, Directory) and not webroot.mode & 0o001:
        # nginx's workers, which are not root, could not go into it.
        changes.append(Change(wanted.webroot, webroot, Directory()))
    changes += _certificates(wanted, snapshot, placeholder)
    changes += [
        Change(path, None, Text(NO_RELEASE), site)
        for path, site in sorted(wanted.upstream_files.items())
        if snapshot.nodes.get(path) is None
    ]
    distribution_site = snapshot.nodes.get(DISTRIBUTION_SITE)
    if distribution_site == Link(DISTRIBUTION_SITE_TARGET):
        # Its default_server would be the second one.
        changes.append(Change(DISTRIBUTION_SITE, distribution_site, None))
    for file in sorted(wanted.files, key=lambda f: (_rank(f.path), f.path)):
        before, after = snapshot.nodes.get(file.path), file.text
        if isinstance(before, Directory):
            raise PlanError(f"{file.path} is a directory, but a file of the role has to stand there: move it away")
        theirs = isinstance(before, Text) and after.owner not in {None, before.owner}
        if before != after or theirs:
            changes.append(Change(file.path, before, after, file.site))
    wanted_paths = {file.path for file in wanted.files}
    stale = [path for path, node in snapshot.nodes.items() if is_own(path, node) and path not in wanted_paths]
    changes += [
        Change(path, snapshot.nodes[path], None) for path in sorted(stale, key=lambda path: (-_rank(path), path))
    ]
    return changes + _unused_placeholders(wanted, snapshot)


def _rights(node: Node) -> str:
    """Mode and owner: what differs where two nodes say the same."""
    match node:
        case Text(mode=mode, owner=owner):
            return f"mode {mode:04o}" + (f", owner {owner}" if owner else "") + "\n"
        case Directory(mode=mode):
            return f"directory, mode {mode:04o}\n"
    return ""


def _alike(change: Change) -> bool:
    match change.before, change.after:
        case Text(content=old), Text(content=new):
            return old == new
        case Directory(), Directory():
            return True
    return False


def _shown(node: Node, secret: bool) -> str:
    match node:
        case Text() if secret:
            return "(secret)\n"
        case Text(content=content):
            return content
        case Link(target=target):
            return f"link to {target}\n"
        case Directory():
            return "directory\n"
    return ""


def diff(changes: Iterable[Change]) -> list[dict[str, str]]:
    """The changes in the form of Ansible's `--diff`."""
    found = []
    for change in changes:
        secret = any(isinstance(node, Text) and node.secret for node in (change.before, change.after))
        found.append(
            {
                "before_header": change.path,
                "after_header": change.path if change.after is not None else "(removed)",
                "before": _rights(change.before) if _alike(change) else _shown(change.before, secret),
                "after": _rights(change.after) if _alike(change) else _shown(change.after, secret),
            }
        )
    return found
