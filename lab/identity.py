"""Names of everything a lab creates. They hold the checkout, so that two checkouts never meet in one Docker engine."""

import hashlib
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError

CHECKOUT = Path(__file__).resolve().parents[1]
STATE = CHECKOUT / ".lab"

LABEL_CHECKOUT = "io.portside.checkout"
LABEL_LAB = "io.portside.lab"
LABEL_HOST = "io.portside.host"
LABEL_RELEASE = "io.portside.release"
LABEL_NUMBER = "io.portside.number"
LABEL_SPEC = "io.portside.spec"

# Part of container names and paths.
_LAB_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,38}[a-z0-9])?")


def checkout_id(checkout: Path) -> str:
    """Eight hex digits that stand for a checkout's real path."""
    return hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Lab:
    """One lab of one checkout."""

    name: str
    checkout: Path = CHECKOUT

    def __post_init__(self) -> None:
        if not _LAB_NAME.fullmatch(self.name):
            raise LabError(
                f"lab {self.name!r}: use at most 40 of a-z, 0-9, _ and -, beginning and ending with a letter or digit"
            )

    @property
    def id(self) -> str:
        """Stands for checkout and lab together; the addresses are derived from it."""
        return f"{checkout_id(self.checkout)}.{self.name}"

    @property
    def network(self) -> str:
        """Name of the Docker network."""
        return f"portside.{self.id}"

    @property
    def state(self) -> Path:
        """Directory of the inventory, the key and what else the controller needs."""
        return self.checkout / ".lab" / self.name

    @property
    def lock(self) -> Path:
        """File that is locked while the lab changes; outside its state, which comes and goes."""
        return self.checkout / ".lab" / "locks" / f"{self.name}.lock"

    @property
    def sockets(self) -> Path:
        """Directory of ssh's control sockets: short, because a socket's path may have 107 bytes only (unix(7))."""
        digest = hashlib.sha256(self.id.encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"portside-{os.getuid()}-{digest}"

    @property
    def labels(self) -> dict[str, str]:
        """Labels by which `down` finds what belongs to this lab."""
        return {LABEL_CHECKOUT: checkout_id(self.checkout), LABEL_LAB: self.name}

    def container(self, host: str) -> str:
        """Container name of a host or service."""
        return f"{self.network}.{host}"
