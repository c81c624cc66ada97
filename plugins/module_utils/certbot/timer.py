"""The packaged timer that renews: on, whatever the host's policy on services was when the package came."""

from __future__ import annotations

from dataclasses import dataclass

# Twice a day with up to twelve hours of jitter. The package's cron job stands back where systemd runs
# (`! -d /run/systemd/system`), so this is the only scheduler.
TIMER = "certbot.timer"
QUERY = ("systemctl", "show", "--property=LoadState,UnitFileState,ActiveState", TIMER)
ENABLE = ("systemctl", "enable", "--now", TIMER)


@dataclass(frozen=True)
class Timer:
    """The timer as systemd sees it."""

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


def parse(systemctl_output: str) -> Timer:
    """Read the output of QUERY."""
    fields = dict(line.partition("=")[::2] for line in systemctl_output.splitlines())
    return Timer(fields.get("LoadState", ""), fields.get("UnitFileState", ""), fields.get("ActiveState", ""))
