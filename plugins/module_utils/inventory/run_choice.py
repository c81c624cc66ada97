"""What a run is to reach, chosen by groups, `--limit` and `--tags`: why it would do nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from ansible_collections.portside.vps.plugins.module_utils.inventory.variables import distance

# Ansible's own words (docs.ansible.com, "Special tags").
_ALL = {"all"}
# More names than that make a message longer than it helps.
_MOST = 10
# Letters in which a tag may differ from one of ours and still be meant for it.
_SLIP = 2


def _names(names: Iterable[str]) -> str:
    listed = [f"`{name}`" for name in sorted(names)]
    more = [f"{len(listed) - _MOST} more"] if len(listed) > _MOST else []
    return ", ".join(listed[:_MOST] + more)


def _written(pattern: str | Sequence[str]) -> str:
    return pattern if isinstance(pattern, str) else ",".join(pattern)


def hosts_problem(pattern: str | Sequence[str], groups: Mapping[str, Iterable[str]]) -> str:
    """What to write where the inventory has no host that is meant."""
    there = {name: list(hosts) for name, hosts in groups.items()}
    if not there.get("all"):
        return (
            "the inventory has no hosts, so that nothing would be done: write your servers into inventory/hosts.yml, "
            "or name your own inventory with `-i`"
        )
    own = [name for name, hosts in there.items() if hosts and name not in {"all", "ungrouped"}]
    found = f"there are the groups {_names(own)}" if own else f"there are the hosts {_names(there['all'])}, in no group"
    example = sorted(own)[0] if own else "all"
    empty = ", a group without hosts" if _written(pattern) in there else ""
    return (
        f"no host of the inventory is in `{_written(pattern)}`{empty}, so that nothing would be done; {found}. "
        f"Put your servers into the group `vps`, or say which are meant: `-e portside_hosts={example}`"
    )


def limit_problem(pattern: str | Sequence[str], meant: Collection[str], limit: str) -> str:
    """What is wrong with a limit that leaves nothing."""
    return (
        f"`--limit {limit}` leaves none of the hosts of `{_written(pattern)}`, so that nothing would be done; "
        f"there are {_names(meant)}"
    )


def tags_problem(wanted: Iterable[str], skipped: Iterable[str], known: Collection[str]) -> str | None:
    """What is wrong with a choice of tags; None if nothing is.

    Args:
        wanted: of `--tags`.
        skipped: of `--skip-tags`.
        known: those that the playbook has.
    """
    there = f"the tags {_names(known)}, one for each role" if known else "no tags: leave the option out"
    for option, lost in (("--tags", {*wanted} - _ALL - {*known}), ("--skip-tags", _mistaken(skipped, known))):
        if lost:
            return (
                f"`{option} {','.join(sorted(lost))}`: of what was asked for nothing would be done. "
                f"This playbook has {there}"
            )
    return None


def _mistaken(skipped: Iterable[str], known: Collection[str]) -> set[str]:
    """What would be left out of a run against its purpose: the checks, or nothing by a slip of the pen.

    Tags that are none of ours skip nothing: whoever imports a playbook of ours has his own, as Molecule does.
    """
    unknown = {*skipped} - {*known}
    return {tag for tag in unknown if tag == "always" or any(distance(tag, ours) <= _SLIP for ours in known)}
