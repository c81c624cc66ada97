"""Every cause that a diagnosis can name: where on the path it is, what is seen of it, why it matters, what mends it.

This is the one table, a file for each part of the path. The reports take their words from it, and so does
docs/troubleshooting.md (`make docs`).
"""

from __future__ import annotations

from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes import (
    behind,
    certificate,
    inbound,
    outbound,
)
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes.cause import BROKEN, WARNING, Cause

__all__ = ["BROKEN", "BY_ID", "CAUSES", "ONLY_WHEN_TRIED", "WARNING", "Cause"]

# Words that a sentence has only when going without the proxy was tried.
ONLY_WHEN_TRIED = ("tried", "or_direct")

CAUSES: tuple[Cause, ...] = (*inbound.CAUSES, *certificate.CAUSES, *behind.CAUSES, *outbound.CAUSES)
BY_ID = {cause.id: cause for cause in CAUSES}
