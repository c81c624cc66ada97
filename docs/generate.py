"""Writes the tables of options into the roles' READMEs and docs/variables.md, from the argument specs, and the part of
app_release's documentation that says what an app may be; and docs/troubleshooting.md, from the table of causes, and the
tables of clients in docs/egress.md, from what `make clients` measured.

Run by `make docs`. With --check nothing is written; the exit status says whether a file is out of date.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

ROOT = Path(__file__).resolve().parents[1]
_AnsibleCollectionFinder(paths=[str(ROOT / "collections")], scan_sys_paths=True)._install()

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import causes, hops  # noqa: E402  # needs the finder
from ansible_collections.portside.vps.plugins.module_utils.inventory import app_spec, roles  # noqa: E402  # needs the finder
from ansible_collections.portside.vps.plugins.module_utils.releases import options  # noqa: E402  # needs the finder

Options = Mapping[str, Mapping[str, Any]]


def _text(description: Any) -> str:
    parts = [description] if isinstance(description, str) else list(description)
    return " ".join(" ".join(part.split()) for part in parts).replace("|", "\\|")


def _default(option: Mapping[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    if "default" not in option:
        return "none"
    return f"`{json.dumps(option['default'], ensure_ascii=False)}`"


def _type(option: Mapping[str, Any]) -> str:
    kind = str(option.get("type", "str"))
    kind = f"list of {option['elements']}" if kind == "list" and "elements" in option else kind
    if "choices" in option:
        kind = " or ".join(f"`{choice}`" for choice in option["choices"])
    return f"{kind} or dict" if "or_options" in option else kind


def rows(spec: Options, prefix: str = "") -> Iterator[str]:
    """The rows of the table, sub-options indented by their parent's name."""
    for name, option in spec.items():
        label = f"{prefix}{name}"
        yield f"| `{label}` | {_type(option)} | {_default(option)} | {_text(option.get('description', ''))} |"
        if "options" in option:
            nested = "[]." if option.get("type") == "list" else "."
            yield from rows(option["options"], f"{label}{nested}")
        if "or_options" in option:
            yield from rows(option["or_options"], f"{label}.")


def table(spec: Options) -> str:
    """The whole table in Markdown."""
    return "\n".join(["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *rows(spec)])


def suboptions(spec: Options, indent: int) -> Iterator[str]:
    """The lines of a module's documentation for options in the form of `shape.Spec`.

    Args:
        spec: the options.
        indent: spaces before each of them.
    """
    space = " " * indent
    for name, field in spec.items():
        yield f"{space}{name}:"
        yield f"{space}  description: >-"
        yield textwrap.indent(textwrap.fill(field["description"], 116 - indent), f"{space}    ")
        kind = {"type": "raw"} if field.get("words") else {k: field[k] for k in ("type", "elements") if k in field}
        shown = {**kind, **{k: field[k] for k in ("required", "choices", "default") if k in field}}
        if "options" in field:
            shown.pop("default", None)
        # JSON is YAML, and leaves no doubt what is text.
        yield from (f"{space}  {key}: {value if key in kind else json.dumps(value)}" for key, value in shown.items())
        if "options" in field:
            yield f"{space}  suboptions:"
            yield from suboptions(field["options"], indent + 4)


def replaced(text: str, marker: str, body: str, where: Path, comment: str = "<!-- {} -->") -> str:
    """The text with everything between the marker's two comments replaced.

    Args:
        text: of the file.
        marker: what the comments name.
        body: what shall stand between them.
        where: the file, for the message.
        comment: the form of a comment there.

    Raises:
        SystemExit: the file lacks the comments.
    """
    begin, end = comment.format(f"{marker}: begin"), comment.format(f"{marker}: end")
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{where.relative_to(ROOT)}: the comments `{begin}` and `{end}` are missing")
    return f"{head}{begin}\n{body}\n{end}{tail}"


class _Placeholders(dict[str, str]):
    """Stands for what a report fills in: `{name}` reads <name>."""

    def __missing__(self, key: str) -> str:
        if key == "place":
            return "the variable where it is declared"
        return "" if key in causes.ONLY_WHEN_TRIED else f"<{key}>"


def troubleshooting() -> Iterator[str]:
    """The table of causes as a page: by hop, each with what is seen, why it matters, and what mends it."""
    words = _Placeholders()
    for hop, title in hops.TITLES.items():
        yield f"\n## {title[0].upper()}{title[1:]}"
        for cause in (cause for cause in causes.CAUSES if cause.hop == hop):
            seen, why, cure = (_outside_code(text.format_map(words)) for text in (cause.seen, cause.why, cause.cure))
            level = "" if cause.level == causes.BROKEN else " (a warning)"
            yield f"\n### {seen[0].upper()}{seen[1:]}{level}\n\n{why}\n\n**To mend it:** {cure}"
            yield f"\n<sub>`{cause.id}`</sub>"


def _outside_code(text: str) -> str:
    """Angle brackets escaped where Markdown would take them for HTML."""
    parts = text.split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


def _ways(head: str, rows: Sequence[tuple[str, str, Mapping[str, str]]]) -> Iterator[str]:
    """A table of the ways that clients took, one of them a column; `rows` are label, URL, and way by client."""
    clients = list(rows[0][2])
    yield f"| {head} | asked for | {' | '.join(clients)} |"
    yield f"|---|---|{'---|' * len(clients)}"
    for label, url, ways in rows:
        cells = ("**proxy**" if ways[name] == "proxy" else "direct" for name in clients)
        yield f"| {f'`{label}`' if label else 'nothing'} | `{url}` | {' | '.join(cells)} |"


def clients() -> Iterator[str]:
    """What `make clients` measured, as two tables."""
    measured = json.loads((ROOT / "clients" / "measured.json").read_text(encoding="utf-8"))
    yield f"Run were {', '.join(f'{name} {version}' for name, version in measured['versions'].items())}.\n"
    yield from _ways("`NO_PROXY`", [(row["entry"], row["url"], row["ways"]) for row in measured["no_proxy"]])
    yield "\nWith one variable alone:\n"
    yield from _ways("Variable", [(row["variable"], row["url"], row["ways"]) for row in measured["variables"]])


def documents() -> Iterator[tuple[Path, str]]:
    """Every file with a table, and the text it should have."""
    for role in roles.names():
        path = ROOT / "roles" / role / "README.md"
        text = replaced(path.read_text(encoding="utf-8"), "options", table(roles.options(role)), path)
        if role == "docker_app":
            text = replaced(text, "apps", table(options.APP), path)
        yield path, text
    path = ROOT / "plugins" / "modules" / "app_release.py"
    text = path.read_text(encoding="utf-8")
    for marker, spec in (("apps", options.APP), ("registries", options.REGISTRY)):
        text = replaced(text, marker, "\n".join(suboptions(spec, 6)), path, "      # {}")
    yield path, text
    path = ROOT / "docs" / "variables.md"
    text = replaced(path.read_text(encoding="utf-8"), "settings", table(app_spec.SETTINGS), path)
    yield path, replaced(text, "apps", table(app_spec.APP), path)
    path = ROOT / "docs" / "egress.md"
    yield path, replaced(path.read_text(encoding="utf-8"), "clients", "\n".join(clients()), path)
    path = ROOT / "docs" / "troubleshooting.md"
    yield path, replaced(path.read_text(encoding="utf-8"), "causes", "\n".join(troubleshooting()) + "\n", path)


def main() -> int:
    """Write, or with --check compare; returns the exit status."""
    stale = [(path, text) for path, text in documents() if path.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv:
        for path, _ in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run `make docs`")
        return 1 if stale else 0
    for path, text in stale:
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
