"""The host's side of a run: look, test the candidate aside, replace, reload, and put all back when that fails."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.portside.vps.plugins.module_utils.command import CommandError, Completed, run
from ansible_collections.portside.vps.plugins.module_utils.files import link_atomic, remove_tree, write_atomic
from ansible_collections.portside.vps.plugins.module_utils.nginx import boot, capacity, config, tree
from ansible_collections.portside.vps.plugins.module_utils.nginx.tree import Change, Directory, Link, Node, Text, Wanted

NGINX = Path(tree.NGINX)
RUN = Path("/run/portside")
CANDIDATE = RUN / "nginx-candidate"
# Stands from before the first file is replaced until nginx has read them all. A tmpfs: booting reads them too.
UNREAD = RUN / "nginx-unread"
LOCK = RUN / "nginx.lock"
ERROR_LOG = Path("/var/log/nginx/error.log")
SERVICE = "nginx.service"
SBIN = "/usr/sbin:/sbin"
# Where the candidate keeps files that will stand outside of /etc/nginx.
OUTSIDE = ".portside-outside"

LOCK_LIMIT = 120.0
RELOAD_LIMIT = 20.0
POLL = 0.05

# A program with positional parameters, not a command line put together: bind the candidate, then run the test. Python
# can only leave a mount namespace by itself from 3.12 on, and Debian 12 has 3.11.
BIND_AND_RUN = 'mount --bind "$1" "$2" && mount -t tmpfs tmpfs "$3" && shift 3 && exec "$@"'


class NginxRefused(Exception):
    """nginx does not take the configuration; the message says which site, where, and nginx's own words."""


class HostError(Exception):
    """The host lacks something, or something on it can't be used."""


@dataclass(frozen=True)
class Service:
    """nginx.service as systemd sees it. `master` is the process id, 0 when it does not run; a masked one can't."""

    known: bool
    active: bool
    enabled: bool
    master: int
    masked: bool = False


def user() -> str:
    """The name of whoever runs this."""
    return _user(os.geteuid())


def node_at(path: Path) -> Node:
    """What stands at the path; a link is not followed."""
    if path.is_symlink():
        return Link(os.readlink(path))
    if path.is_dir():
        return Directory(path.stat().st_mode & 0o7777)
    try:
        content = path.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    status = path.stat()
    # A file of mode 0600 has a reason for it.
    return Text(content, status.st_mode & 0o7777, secret=not status.st_mode & 0o077, owner=_user(status.st_uid))


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def put(path: Path, node: Node, before: Node) -> None:
    """Make the path that node, in one step where the file system has one.

    Args:
        path: where.
        node: what is to stand there; None removes.
        before: what stands there now.
    """
    match node:
        case None:
            if isinstance(before, Directory):
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        case Text(content=content, mode=mode, owner=owner):
            write_atomic(path, content, mode, owner)
        case Link(target=target):
            link_atomic(path, target)
        case Directory(mode=mode):
            path.mkdir(mode=mode, exist_ok=True)
            path.chmod(mode)


def snapshot(wanted: Wanted) -> tree.Snapshot:
    """Everything on the host that the plan depends on."""
    paths = {Path(wanted.webroot), Path(wanted.tls_dir), Path(tree.DISTRIBUTION_SITE)}
    paths |= {Path(file.path) for file in wanted.files} | {Path(path) for path in wanted.upstream_files}
    paths |= {parent for path in paths for parent in path.parents if parent != Path("/")}
    for directory in (*(NGINX / name for name in tree.OWN_DIRECTORIES), Path(tree.DROP_INS)):
        with contextlib.suppress(FileNotFoundError):
            paths |= {path for path in directory.iterdir() if tree.OWN_NAME in path.name}
    tls_dir = Path(wanted.tls_dir)
    home = tls_dir / tree.PLACEHOLDER
    paths |= {home, *(home / name for name in (*tree.CERTIFICATE_FILES, boot.PLACEHOLDER_MARK))}
    paths |= {tls_dir / name for name in wanted.certificates}
    with contextlib.suppress(FileNotFoundError):
        paths |= {path for path in tls_dir.iterdir() if path.is_symlink()}
    names = {*wanted.certificates, tree.PLACEHOLDER}
    return tree.Snapshot(
        nodes={str(path): node_at(path) for path in paths},
        usable_certificates=frozenset(name for name in names if boot.usable(tls_dir / name)),
    )


def program(name: str) -> str | None:
    """Where the program stands; sbin counts, whatever PATH says."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{SBIN}")


def placeholder() -> dict[str, Text]:
    """A fresh self-signed certificate.

    Raises:
        CommandError: openssl is missing or failed.
    """
    with tempfile.TemporaryDirectory(prefix="portside-") as name:
        key, certificate = Path(name) / "key", Path(name) / "certificate"
        run([*boot.NEW_PLACEHOLDER, "-keyout", str(key), "-out", str(certificate)])
        return {
            "fullchain.pem": Text(certificate.read_text(encoding="ascii")),
            "privkey.pem": Text(key.read_text(encoding="ascii"), 0o600, secret=True),
        }


def unmade_placeholder() -> dict[str, Text]:
    """What check mode shows for a placeholder that it can't make because openssl is not there yet."""
    return {name: Text("(made with openssl)\n", secret=name == "privkey.pem") for name in tree.CERTIFICATE_FILES}


def _inside(path: str) -> Path | None:
    """The path relative to /etc/nginx, None for one outside of it."""
    return Path(path).relative_to(NGINX) if Path(path).is_relative_to(NGINX) else None


def build_candidate(changes: Iterable[Change], candidate: Path, source: Path = NGINX) -> dict[str, str]:
    """Copy the tree aside and change the copy.

    What will stand outside of /etc/nginx is put into the copy too, and the copy's own files name it there: nothing has
    to exist on the host before the test has passed.

    Returns:
        The stand-ins: path inside the copy, as nginx sees it, to the real path.
    """
    remove_tree(candidate)
    candidate.mkdir(mode=0o700, parents=True)
    if source.is_dir():
        # Links stay links: they resolve once the copy is mounted in the tree's place.
        shutil.copytree(source, candidate, symlinks=True, dirs_exist_ok=True)
        candidate.chmod(0o700)
    standins: dict[str, str] = {}
    changes = list(changes)
    for change in changes:
        relative = _inside(change.path)
        if relative is None:
            if isinstance(change.after, Directory) or change.after is None:
                continue
            relative = Path(OUTSIDE) / change.path.lstrip("/")
            standins[f"{NGINX}/{relative}"] = change.path
        target = candidate / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        put(target, change.after, node_at(target))
    if standins:
        for name in tree.OWN_DIRECTORIES:
            for path in sorted((candidate / name).glob(f"{tree.OWN_NAME}*")):
                content = path.read_text(encoding="utf-8")
                for standin, real in standins.items():
                    content = content.replace(f" {real};", f" {standin};")
                path.write_text(content, encoding="utf-8")
    return standins


def test_aside(changes: Iterable[Change], nginx: str, owners: Mapping[str, str], own: Iterable[str]) -> bool:
    """Let nginx test the tree as it will be, under its real paths, while the live one stays untouched.

    Returns:
        False where the kernel grants no mount namespace (some containers): nothing was tested.

    Raises:
        NginxRefused: nginx does not take it.
    """
    try:
        standins = build_candidate(changes, CANDIDATE)
        # The test opens every log, and would leave empty ones behind.
        mounts = [str(CANDIDATE), str(NGINX), str(ERROR_LOG.parent)]
        argv = ["unshare", "--mount", "sh", "-c", BIND_AND_RUN, "sh", *mounts, nginx, "-t"]
        done = run(argv, expect=())
        if done.status == 0:
            return True
        if "nginx:" not in done.said:
            return False
        said = done.said
        for standin, real in standins.items():
            said = said.replace(standin, real)
        raise NginxRefused(config.explanation(said, owners, {**texts(CANDIDATE), **_outside_texts(standins)}, own))
    finally:
        # The copy holds whatever keys stand below /etc/nginx.
        remove_tree(CANDIDATE)


def test_live(nginx: str) -> None:
    """Let nginx test the tree as it stands.

    Raises:
        NginxRefused: nginx does not take it.
    """
    done = run([nginx, "-t"], expect=())
    if done.status != 0:
        raise NginxRefused(done.said)


def texts(root: Path = NGINX) -> dict[str, str]:
    """The texts of the files below the root, by their path below /etc/nginx. Keys and certificates are left out."""
    found = {}
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file() and path.suffix != ".pem":
                found[str(NGINX / path.relative_to(root))] = path.read_bytes().decode("utf-8", "replace")
    return found


def _outside_texts(standins: Mapping[str, str]) -> dict[str, str]:
    return {
        real: (CANDIDATE / Path(standin).relative_to(NGINX)).read_text(encoding="utf-8")
        for standin, real in standins.items()
        if not real.endswith(".pem")
    }


def foreign_sites(known: Iterable[str]) -> dict[str, str]:
    """The texts of what nginx reads as sites and is neither of this role nor among the known paths, by path."""
    mine = set(known)
    found = {}
    for pattern in ("conf.d/*.conf", "sites-enabled/*"):
        for path in NGINX.glob(pattern):
            hidden = path.name.startswith(".")
            if str(path) in mine or hidden or not path.is_file() or tree.is_own(str(path), node_at(path)):
                continue
            with contextlib.suppress(OSError):
                found[str(path)] = path.read_bytes().decode("utf-8", "replace")
    return found


def open_files_limit(master: int) -> int | None:
    """How many files nginx's workers may open at most. Before nginx runs, it is what systemd itself could give it."""
    with contextlib.suppress(OSError):
        return capacity.hard_limit(Path(f"/proc/{master or 1}/limits").read_text(encoding="ascii"))
    return None


def service() -> Service:
    """nginx.service as it is now."""
    keys = ("LoadState", "ActiveState", "UnitFileState", "MainPID")
    try:
        shown = run(["systemctl", "show", SERVICE, *(f"--property={key}" for key in keys)]).stdout
    except CommandError:
        return Service(known=False, active=False, enabled=False, master=0)
    values = dict(line.partition("=")[::2] for line in shown.splitlines())
    return Service(
        known=values.get("LoadState") not in {"not-found", None},
        active=values.get("ActiveState") in {"active", "reloading"},
        enabled=values.get("UnitFileState") not in {"disabled", "masked", "masked-runtime"},
        master=int(values.get("MainPID") or 0),
        masked=values.get("LoadState") == "masked",
    )


def _children(parent: int) -> set[int]:
    """Process ids of the parent's children. proc(5): the fourth field of stat, after the name in parentheses."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1]) == parent:
                found.add(int(path.parent.name))
    return found


def _log_size() -> int:
    try:
        return ERROR_LOG.stat().st_size
    except OSError:
        return 0


def _log_since(size: int) -> str:
    with contextlib.suppress(OSError), ERROR_LOG.open("rb") as log:
        log.seek(size)
        return log.read().decode("utf-8", "replace")
    return ""


def reload_and_wait(master: int) -> None:
    """Have nginx read its files again; returns when workers with the new configuration run.

    `systemctl reload` only sends a signal: when the master can't use the new configuration after all (the port of a new
    `listen` is taken, which `nginx -t` does not see), it goes on with the old one and says so in its log alone.

    Raises:
        NginxRefused: no new worker came up.
        CommandError: systemctl failed.
    """
    size, old = _log_size(), _children(master)
    run(["systemctl", "reload", SERVICE])
    deadline = time.monotonic() + RELOAD_LIMIT
    while time.monotonic() < deadline:
        if _children(master) - old:
            return
        if config.gave_up(_log_since(size)):
            break
        time.sleep(POLL)
    raise NginxRefused(_log_since(size) or f"no new worker came up within {RELOAD_LIMIT:.0f} s of the reload")


def bring_up(verb: str) -> None:
    """Start or restart nginx.

    Args:
        verb: `start` or `restart`.

    Raises:
        NginxRefused: it did not come up.
    """
    size = _log_size()
    done: Completed = run(["systemctl", verb, SERVICE], expect=())
    if done.status != 0:
        journal = run(["journalctl", "--unit", SERVICE, "--lines", "20", "--output", "cat", "--no-pager"], expect=())
        raise NginxRefused(_log_since(size) or journal.stdout or done.said)


def unmask() -> None:
    """Let nginx be started again."""
    run(["systemctl", "unmask", "--quiet", SERVICE])
    run(["systemctl", "unmask", "--quiet", "--runtime", SERVICE])


def read_units() -> None:
    """Have systemd read its units again."""
    run(["systemctl", "daemon-reload"])


def enable() -> None:
    """Have nginx start at boot."""
    run(["systemctl", "enable", "--quiet", SERVICE])


def replace(changes: Sequence[Change]) -> None:
    """Carry the changes out, in their order; on an error those already made are taken back.

    Raises:
        OSError: the file system refused.
    """
    done: list[Change] = []
    try:
        for change in changes:
            done.append(change)
            put(Path(change.path), change.after, change.before)
    except OSError:
        take_back(done)
        raise


def take_back(changes: Sequence[Change]) -> None:
    """Undo the changes, the last one first. A directory that is no longer empty stays."""
    for change in reversed(changes):
        with contextlib.suppress(OSError):
            put(Path(change.path), change.before, change.after)
