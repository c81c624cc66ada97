"""What keeps secrets out of the host's journal and out of diffs."""

from __future__ import annotations

import re

from ansible.module_utils.basic import AnsibleModule

# User and password of a URL (RFC 3986, section 3.2.1), and of what somebody took for one: a quote, `#`, `?` and even
# `/` or `@` not percent-encoded. Rather too much is masked than a part of a password shown.
LOGIN = re.compile(r"(?<=://)(?:(?!://)[^\s])+(?=@)")


def without_logins(text: str) -> str:
    """The text without user and password of the URLs in it: what a file held before is no argument, and not masked."""
    return LOGIN.sub("***", text)


class QuietModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """An AnsibleModule that logs that it ran, but not with what.

    Ansible writes all arguments into the journal as one text, and masks the values of `no_log` options in it. A value
    with a line break is not recognised there, because in that text it stands as backslash and n. The argument `no_log`
    of AnsibleModule is no way out: what the task says replaces it before anything is logged.
    """

    def _log_invocation(self) -> None:
        self.log("invoked; the arguments hold secrets and are not logged")
