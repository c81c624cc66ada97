"""What of a server differs from its inventory, item by item, as the modules that converge it say in check mode.

Nothing here looks at a server: a module's own result is the only source, so that what is listed is what a run would do.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

# `{"kind", "name", "what"}`: a package, file, rule, service, timer, container, certificate or account, or a problem
# that kept something from being compared; which one; and what is wrong with it.
Drift = dict[str, str]
Result = Mapping[str, Any]

PROBLEM = "problem"
# Of a line that is quoted from a file.
QUOTED = 60
HIDDEN = "its mode, its owner or a secret in it is another one"
MOVED = "is changed: its lines stand in another order"
_FAMILY = re.compile(r"^IPv([46])( guard)?: ")


def _drift(kind: str, name: str, what: str) -> Drift:
    return {"kind": kind, "name": name, "what": what}


def _lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """The lines that only the server has, and those that only the declared text has; wherever they stand.

    Lines are counted, not aligned: that takes minutes for texts that are large and alike.
    """
    theirs, ours = before.splitlines(), after.splitlines()
    return _beyond(theirs, ours), _beyond(ours, theirs)


def _beyond(lines: list[str], others: list[str]) -> list[str]:
    left, found = Counter(others), list[str]()
    for line in lines:
        if left[line]:
            left[line] -= 1
        else:
            found.append(line)
    return found


def _moved(before: str, after: str) -> list[str]:
    """The lines that both have, but in another order."""
    both = Counter(before.splitlines()) & Counter(after.splitlines())
    theirs, ours = ([line for line in text.splitlines() if line in both] for text in (before, after))
    steps = difflib.SequenceMatcher(None, theirs, ours, autojunk=False).get_opcodes()
    return [line for step, begin, end, _, _ in steps if step != "equal" for line in theirs[begin:end]]


def _quoted(lines: list[str]) -> str:
    text = next((line.strip() for line in lines if line.strip()), "")
    more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
    return f"`{text[: QUOTED - 1]}…`{more}" if len(text) > QUOTED else f"`{text}`{more}"


def changed_text(before: str, after: str, gone: bool = False) -> str:
    """How a file differs.

    Args:
        before: its text on the server; empty where there is none.
        after: the declared text.
        gone: it is not declared at all.
    """
    if gone or (before and not after):
        return "is not declared"
    if not before and after:
        return "is missing"
    theirs, ours = _lines(before, after)
    said = [f"is changed: not declared {_quoted(theirs)}"] if theirs else []
    said += [f"{'' if theirs else 'is changed: '}missing {_quoted(ours)}"] if ours else []
    return ", ".join(said) or (HIDDEN if before.splitlines() == after.splitlines() else MOVED)


def _file(entry: Result) -> Drift:
    gone = str(entry["after_header"]) != str(entry["before_header"])
    return _drift("file", str(entry["before_header"]), changed_text(str(entry["before"]), str(entry["after"]), gone))


def _entries(result: Result) -> list[Result]:
    shown = result.get("diff") or []
    return list(shown) if isinstance(shown, list) else [shown]


def packages(result: Result) -> Iterator[Drift]:
    """Of `apt_packages`."""
    for name in result.get("installed") or ():
        yield _drift("package", name, "is not installed")
    yield from (_file(entry) for entry in _entries(result) if entry["before_header"] != "packages")


def _rule(text: str, families: set[str], what: str) -> Drift:
    only = f" (IPv{min(families)} alone)" if len(families) == 1 else ""
    return _drift("rule", text + only, what)


def _by_family(lines: list[str], guard: bool) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in lines:
        match = _FAMILY.match(line)
        if match and bool(match[2]) is guard:
            found.setdefault(line[match.end() :], set()).add(match[1])
    return found


def rules(result: Result) -> Iterator[Drift]:
    """Of `ufw_policy`: a rule of both address families is one, and so is the Docker guard."""
    for entry in _entries(result):
        theirs, ours = _lines(str(entry["before"]), str(entry["after"]))
        moved = _moved(str(entry["before"]), str(entry["after"]))
        for lines, what in ((ours, "is missing"), (theirs, "is not declared"), (moved, "stands in another order")):
            yield from (_rule(text, families, what) for text, families in _by_family(lines, guard=False).items())
        if any(_by_family(lines, guard=True) for lines in (theirs, ours, moved)):
            yield _drift("rule", "Docker guard", "is not as declared: published ports may be open to everyone")
        settings = {line.partition(": ")[0]: line.partition(": ")[2] for line in ours if not _FAMILY.match(line)}
        for name, value in (line.split(": ", 1) for line in theirs if not _FAMILY.match(line)):
            if name == "running":
                yield _drift("rule", "firewall", f"runs otherwise than its files say: {value}")
            else:
                yield _drift("rule", name, f"is {value or 'none'}, declared {settings.get(name, 'none')}")
    for text in result.get("strangers") or ():
        yield _drift("rule", text, "is not declared; it is left alone unless `ufw_purge_foreign: true`")


def daemon(result: Result) -> Iterator[Drift]:
    """Of `docker_daemon`."""
    files = [_file(entry) for entry in _entries(result) if "/" in str(entry["before_header"])]
    yield from files
    words = {"unmask": "is masked", "enable": "doesn't start at boot", "start": "doesn't run"}
    steps = list(result.get("steps") or ())
    yield from (_drift("service", "docker.service", words[step]) for step in steps if step in words)
    if not files and any(step not in words for step in steps):
        yield _drift("service", "docker.service", "runs with other options than its files say")


def sites(result: Result) -> Iterator[Drift]:
    """Of `nginx_sites`."""
    entries = _entries(result)
    for entry in entries:
        if str(entry["before_header"]).endswith(".service") and "/" not in str(entry["before_header"]):
            yield _drift("service", entry["before_header"], f"is {str(entry['before']).strip()}")
        else:
            yield _file(entry)
    if not entries and result.get("action"):
        yield _drift("service", "nginx.service", "runs with another configuration than its files say")


def containers(result: Result) -> Iterator[Drift]:
    """Of `app_release`."""
    for app in result.get("apps") or ():
        if app.get("failed"):
            yield _drift(PROBLEM, app["name"], str(app.get("message", "")))
        elif app.get("action") == "held":
            yield _drift("container", app["name"], f"is held on release {app.get('release')}: {app['notice']}")
        elif app.get("changed"):
            reason = app.get("reason") or app["action"]
            yield _drift("container", app["name"], "is declared absent" if app["action"] == "removed" else str(reason))
    for name in result.get("orphans") or ():
        yield _drift("container", name, "is not declared; it is left alone unless `docker_app_purge: true`")


def certificates(result: Result) -> Iterator[Drift]:
    """Of `certbot_certificates`."""
    for entry in _entries(result):
        kind, _, name = str(entry["before_header"]).partition(" ")
        before, after = str(entry["before"]), str(entry["after"])
        if kind == "certificate":
            theirs, ours = _lines(before, after)
            said = "; ".join(" ".join(line.split()) for line in ours if line.startswith("  "))
            yield _drift(kind, name, f"is to be {said}" if said else "is not declared" if theirs else HIDDEN)
        elif kind == "account":
            yield _drift(kind, name, f"is to have {after.strip() or 'no contact'}")
        elif kind.endswith(".timer"):
            yield _drift("timer", kind, f"is {before.strip()}, declared {after.strip()}")
        else:
            yield _file(entry)
    for message in result.get("failures") or ():
        yield _drift(PROBLEM, "certificates", str(message))


READERS: Mapping[str, Callable[[Result], Iterator[Drift]]] = {
    "portside.vps.apt_packages": packages,
    "portside.vps.ufw_policy": rules,
    "portside.vps.docker_daemon": daemon,
    "portside.vps.nginx_sites": sites,
    "portside.vps.app_release": containers,
    "portside.vps.certbot_certificates": certificates,
}


def read(action: str, task: str, result: Result) -> list[Drift]:
    """What a task's result says of the server; empty where it is as declared.

    Args:
        action: the module's full name.
        task: the task's name, for what no reader knows.
        result: of a run in check mode, or the reason why it failed.
    """
    found = list(READERS[action](result)) if action in READERS else []
    if result.get("failed"):
        return found or [_drift(PROBLEM, task, str(result.get("msg") or "failed"))]
    if result.get("changed") and not found:
        return [_drift("state", task, "is not so yet: a run would change something")]
    return found
