"""Which capability a program lacked, from the last lines that it wrote: what to write into the inventory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ansible_collections.portside.vps.plugins.module_utils.releases import rights

# EPERM and EACCES as the C library, Go and Python write them.
REFUSED = re.compile(r"operation not permitted|\beperm\b", re.IGNORECASE)
FORBIDDEN = re.compile(r"permission denied|\beacces\b", re.IGNORECASE)
# What was tried, by the names of system calls and the words that programs have for them, and the capability that
# capabilities(7) asks for it. The first that fits counts.
TRIED: tuple[tuple[str, str], ...] = (
    (r"\bl?f?chown(at)?\b|changing ownership|change (the )?owner|\bchgrp\b", "CHOWN"),
    (r"\bl?f?chmod(at)?\b|changing permissions|\butimes?\b|setting times|preserving (times|permissions)", "FOWNER"),
    (r"\bset(groups|e?gid|re(s)?gid)\b|\binitgroups\b|supplementary groups", "SETGID"),
    (r"\bset(e?uid|re(s)?uid)\b|switch(ing)? user|cannot set user|\bsetpriv\b|\bgosu\b|\bsu-exec\b", "SETUID"),
    (r"\bchroot\b", "SYS_CHROOT"),
    (r"\bmknod\b", "MKNOD"),
    (r"\biptables\b|\bip6tables\b|\bnft\b|\bnetlink\b|\bRTNETLINK\b|/dev/net/tun|\bioctl\(TUNSETIFF\)", "NET_ADMIN"),
    (r"\bping\b|raw socket|\bSOCK_RAW\b|\bicmp\b", "NET_RAW"),
    (r"\bmlock(all)?\b|\block(ing)? memory\b", "IPC_LOCK"),
    (r"\bsetpriority\b|\bsched_set\w+\b|\bnice\b", "SYS_NICE"),
    (r"\bsetrlimit\b|\bulimit\b|\bprlimit\b", "SYS_RESOURCE"),
    (r"\bptrace\b", "SYS_PTRACE"),
    (r"\bsettimeofday\b|\bclock_(set|adj)time\b|\badjtime(x)?\b", "SYS_TIME"),
    (r"\bunshare\b|\bsetns\b|\bu?mount2?\b|\bpivot_root\b|\bsethostname\b", "SYS_ADMIN"),
    (r"\bkill\b|\bsend(ing)? signal\b", "KILL"),
)
BIND = re.compile(r"\bbind(ing)?\b|\blisten(ing)?\b", re.IGNORECASE)
PORT = re.compile(r":([0-9]{1,5})\b|\bport ([0-9]{1,5})\b")
# execve(2): a file with capabilities of its own that its process may not have.
EXEC = re.compile(r"\bexec\b", re.IGNORECASE)
UNPRIVILEGED = re.compile(r"(0|root)(:.*)?")


def _binds_low(line: str) -> bool:
    ports = [int(one or other) for one, other in PORT.findall(line)]
    return bool(BIND.search(line)) and any(0 < port < 1024 for port in ports)


def capability(line: str) -> str:
    """The capability without which what a line tells of was refused; empty where it tells of none, or of another."""
    if (REFUSED.search(line) or FORBIDDEN.search(line)) and _binds_low(line):
        return "NET_BIND_SERVICE"
    if not REFUSED.search(line):
        return ""
    return next((name for pattern, name in TRIED if re.search(pattern, line, re.IGNORECASE)), "")


def _added(name: str, cap_add: Sequence[str]) -> str:
    consent = "" if name in rights.CONTAINED else f", and `host_access: [{name}]`, since it gives the server away"
    return f"`cap_add: [{', '.join(sorted({*cap_add, name}))}]`{consent}"


def hint(lines: Iterable[str], cap_add: Sequence[str], user: str) -> str:
    """What to write so that the program may do what it was refused, as a sentence; empty where nothing was.

    Args:
        lines: the last ones that it wrote.
        cap_add: the capabilities that it has.
        user: whom it runs as; empty for the image's choice.
    """
    refused = [line for line in lines if REFUSED.search(line) or capability(line)]
    if not refused:
        return ""
    known = [(line, capability(line)) for line in refused]
    line, name = next(((line, name) for line, name in reversed(known) if name), (refused[-1], ""))
    said = f"`{line.strip()}`"
    if name and name not in cap_add:
        added = _added(name, cap_add)
        return f"{said}: it likely lacks the capability {name}, which no container has unless it says so: write {added}"
    if name and user and not UNPRIVILEGED.fullmatch(user):
        return (
            f"{said}: it runs as `user: {user}`, for whom `cap_add` does nothing (capabilities(7)): leave `user` out, "
            "if the image becomes another user by itself, or have what it needs done in the image"
        )
    if not name and EXEC.search(line):
        return (
            f"{said}: the program's file has capabilities of its own (`getcap` shows them), one of which the container "
            f"lacks, IPC_LOCK for instance: add it, as in {_added('IPC_LOCK', cap_add)}"
        )
    if name:
        return ""
    return (
        f"{said}: of root's rights it has those in `cap_add` alone ({', '.join(cap_add) or 'none'}), of which "
        "capabilities(7) tells what each is for"
    )
