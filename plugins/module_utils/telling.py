"""What keeps a module from ending in a traceback: a disk that is full is a sentence, wherever it shows."""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

# errno(3): ENOSPC (no blocks left, or no inodes), EDQUOT, EROFS, in the words of the C library, which the programs that
# are run and Docker's daemon write too.
CAUSES = (
    (
        re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE),
        "The disk is full (`df -h`), or has no inodes left (`df -i`): make room, and run again. `docker system df`, "
        "`journalctl --disk-usage` and `du -xh --max-depth=2 /` show what takes it",
    ),
    (
        re.compile(r"read-only file system", re.IGNORECASE),
        "The file system can't be written, which is how the kernel leaves one whose disk has errors: see `findmnt` and "
        "`dmesg`",
    ),
)


def explained(text: str) -> str:
    """The message, and what is behind it where that is the disk."""
    cause = next((said for pattern, said in CAUSES if pattern.search(text)), "")
    return f"{text}. {cause}" if cause and cause not in text else text


class TellingModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """An AnsibleModule whose failures say what is behind them."""

    def fail_json(self, msg: str, **kwargs: Any) -> Any:
        """End, with the message explained."""
        return super().fail_json(msg=explained(str(msg)), **kwargs)


def no_traceback(main: Callable[[], None]) -> Callable[[], None]:
    """An entry point of which no error of the operating system comes out raw; its message holds a path at most."""

    @functools.wraps(main)
    def run() -> None:
        try:
            main()
        except OSError as error:
            print(json.dumps({"failed": True, "msg": explained(str(error))}))
            sys.exit(1)

    return run
