"""The timers that renew and check: on, whatever the host's policy on services was when the packages came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ansible_collections.portside.vps.plugins.module_utils.certbot import units

# certbot.timer runs twice a day with up to twelve hours of jitter. The package's cron job stands back where systemd
# runs (`! -d /run/systemd/system`), so this is the only scheduler of renewals.
TIMERS = ("certbot.timer", f"{units.CHECK}.timer")
QUERY = ("systemctl", "show", "--property=Id,LoadState,UnitFileState,ActiveState", *TIMERS)


@dataclass(frozen=True)
class Timer:
    """A timer as systemd sees it."""

    name: str
    load_state: str
    file_state: str
    active_state: str

    @property
    def on(self) -> bool:
        """Whether it runs, and will after a reboot."""
        return self.file_state.startswith("enabled") and self.active_state == "active"

    def __str__(self) -> str:
        if self.load_state == "not-found":
            return "not there"
        return f"{self.file_state}, {self.active_state}"


def parse(systemctl_output: str) -> tuple[Timer, ...]:
    """Read the output of QUERY; a timer that systemd says nothing of is not on."""
    found = {}
    for block in systemctl_output.split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        found[fields.get("Id", "")] = fields
    return tuple(
        Timer(name, *(found.get(name, {}).get(key, "") for key in ("LoadState", "UnitFileState", "ActiveState")))
        for name in TIMERS
    )


def enable(timers: Sequence[Timer]) -> Iterator[tuple[str, ...]]:
    """The commands that switch on those that are off."""
    masked = [timer.name for timer in timers if timer.load_state == "masked"]
    if masked:
        yield ("systemctl", "unmask", *masked)
    yield ("systemctl", "enable", "--now", *(timer.name for timer in timers if not timer.on))
