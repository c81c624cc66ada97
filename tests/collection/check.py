"""Builds the collection, installs the tarball elsewhere, and uses it from there the way another project would.

Nothing of this checkout is on the installed copy's path, so a file that the tarball lacks shows up here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / ".build" / "collection"
BIN = ROOT / ".venv" / "bin"
PROJECT = Path(__file__).resolve().parent / "project"
# Folders of the checkout that a user of the collection has no use for.
UNWANTED = {
    "lab",
    "tests",
    "molecule",
    "bench",
    "clients",
    "soak",
    "collections",
    "inventory",
    ".venv",
    ".build",
    ".lab",
}

# Folders of which all is used at run time, but for what only `make lock` reads.
WHOLE = ("meta", "playbooks", "plugins", "roles")
UNUSED = {"roles/certbot/files/certbot.in"}


def run(*argv: str | Path, cwd: Path) -> None:
    """Run a program of the environment with only the installed collection in sight; its output is shown on failure."""
    environment = {
        **os.environ,
        "ANSIBLE_HOME": str(BUILD / "home"),
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "installed"),
        "ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg"),
    }
    done = subprocess.run(
        [BIN / argv[0], *argv[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))} failed:\n{done.stdout}{done.stderr}")


def build() -> Path:
    """The tarball, freshly built."""
    if BUILD.exists():
        shutil.rmtree(BUILD)
    BUILD.mkdir(parents=True)
    run("ansible-galaxy", "collection", "build", ROOT, "--output-path", BUILD, cwd=BUILD)
    (tarball,) = BUILD.glob("portside-vps-*.tar.gz")
    return tarball


def check_contents(tarball: Path) -> None:
    """Fail when something stands in the tarball that is not for users, or a file is not there that they need."""
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    unwanted = [name for name in names if name.split("/")[0] in UNWANTED or name.endswith((".pyc", ".log"))]
    if unwanted:
        sys.exit(
            f"the tarball holds what users have no use for: {', '.join(unwanted[:5])}; see `manifest:` in galaxy.yml"
        )
    needed = {str(path.relative_to(ROOT)) for folder in WHOLE for path in (ROOT / folder).rglob("*") if path.is_file()}
    lacking = sorted(name for name in needed - UNUSED - set(names) if "__pycache__" not in name)
    if lacking:
        sys.exit(f"the tarball lacks {', '.join(lacking[:5])}; see `manifest:` in galaxy.yml")


def main() -> None:
    """Build, install, check every playbook, and run the filters and every role's checks from the installed copy."""
    tarball = build()
    check_contents(tarball)
    run("ansible-galaxy", "collection", "install", tarball, "-p", BUILD / "installed", "--no-deps", cwd=BUILD)
    installed = BUILD / "installed" / "ansible_collections" / "portside" / "vps"
    for playbook in sorted((installed / "playbooks").glob("*.yml")):
        run("ansible-playbook", "--syntax-check", "-i", "localhost,", f"portside.vps.{playbook.stem}", cwd=PROJECT)
    run("ansible-playbook", "--syntax-check", "-i", "localhost,", "roles_alone.yml", cwd=PROJECT)
    run("ansible-playbook", "-i", "localhost,", "filters.yml", cwd=PROJECT)
    modules = [f"portside.vps.{path.stem}" for path in (installed / "plugins" / "modules").glob("[a-z]*.py")]
    run("ansible-doc", "--type", "module", *sorted(modules), cwd=PROJECT)
    print(f"{tarball.name}: built, installed elsewhere, used from another project")


if __name__ == "__main__":
    main()
