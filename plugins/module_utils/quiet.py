"""What keeps secrets out of the host's journal, out of results and out of diffs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.common.parameters import remove_values
from ansible_collections.portside.vps.plugins.module_utils import terminal
from ansible_collections.portside.vps.plugins.module_utils.masking import masked
from ansible_collections.portside.vps.plugins.module_utils.telling import TellingModule

# User and password of a URL (RFC 3986, section 3.2.1), and of what somebody took for one: a quote, `#`, `?` and even
# `/` or `@` not percent-encoded. Rather too much is masked than a part of a password shown.
LOGIN = re.compile(r"(?<=://)(?:(?!://)[^\s])+(?=@)")
# Of every module's result: what Ansible itself reads, and what of a diff the status screen goes by.
FACTS = frozenset(["changed", "failed", "before_header", "after_header"])


def without_logins(text: str) -> str:
    """The text without user and password of the URLs in it: what a file held before is no argument, and not masked."""
    return LOGIN.sub("***", text)


class QuietModule(TellingModule):
    """An AnsibleModule that logs that it ran, but not with what, and that masks what is read, not what is gone by.

    Ansible writes all arguments into the journal as one text, and masks the values of `no_log` options in it. A value
    with a line break is not recognised there, because in that text it stands as backslash and n. The argument `no_log`
    of AnsibleModule is no way out: what the task says replaces it before anything is logged.

    In a result Ansible masks them wherever they occur, in names and numbers too: with the secret `shop`, the next task
    hears of an app `********-api`, and with `1` there is no release 12. So results are masked here, before Ansible sees
    them: in the texts that people read, and never in `facts` or `public`.

    Args:
        facts: keys of the result below which nothing is masked: names, states, addresses, which hold no secret.
        args, kwargs: those of AnsibleModule.
    """

    no_log_values: set[Any]

    def __init__(self, *args: Any, facts: Iterable[str] = (), **kwargs: Any) -> None:
        self._facts = FACTS | {*facts}
        self.public: set[str] = set()
        super().__init__(*args, **kwargs)

    def _log_invocation(self) -> None:
        self.log("invoked; the arguments hold secrets and are not logged")

    def make_public(self, names: Iterable[object]) -> None:
        """Names that stand in the texts as they are, whatever a secret may be; empty ones are passed over."""
        self.public.update(str(name) for name in names if name)

    def shown(self, text: str) -> str:
        """A text without the secrets that the module was given, and without what a terminal would act on."""
        return masked(terminal.plain(text), map(str, self.no_log_values), self.public)

    def warn(self, warning: str, **kwargs: Any) -> None:
        """Warn, without a secret."""
        super().warn(self.shown(warning), **kwargs)

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.shown(value)
        if isinstance(value, dict):
            return {key: part if key in self._facts else self._masked(part) for key, part in value.items()}
        if isinstance(value, list | tuple | set):
            return [self._masked(part) for part in value]
        return value

    def _return_formatted(self, kwargs: dict[str, Any]) -> None:
        # What `-vvv` shows of the arguments is for Ansible to mask, in its own way: nothing goes by it.
        arguments = remove_values(self.params, self.no_log_values)
        result = {"invocation": {"module_args": arguments}, **self._masked(kwargs)}
        self.no_log_values = set()
        super()._return_formatted(result)
