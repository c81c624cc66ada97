"""The report as a file: one self-contained HTML page for people, or JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.portside.vps.plugins.module_utils.diagnosis import hops
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.causes import WARNING
from ansible_collections.portside.vps.plugins.module_utils.diagnosis.report import MARKS, headline

Diagnoses = Mapping[str, Sequence[Mapping[str, Any]]]

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1d2430; --dim: #5b6675; --line: #d5dbe3; --card: #f6f8fa;
  --ok: #13713c; --broken: #b3261e; --warning: #8a5a00; --broken-back: #fdecea; --warning-back: #fff4dc; }
@media (prefers-color-scheme: dark) { :root { --back: #12161c; --text: #e4e9f0; --dim: #9aa6b5; --line: #323b47;
  --card: #1a2029; --ok: #6cd08f; --broken: #ff8a80; --warning: #f0c060; --broken-back: #33191a;
  --warning-back: #30270f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 60rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; } p { margin: .25rem 0; }
.dim { color: var(--dim); } .ok { color: var(--ok); } .broken { color: var(--broken); }
  .warning { color: var(--warning); }
ol.path { list-style: none; margin: 0; padding: 0; }
ol.path li { display: grid; grid-template-columns: 2rem 9rem 1fr 5rem; gap: .25rem .5rem; padding: .35rem 0;
  position: relative; }
ol.path li:has(+ li:not(.out))::after { content: ""; position: absolute; left: .95rem; top: 1.95rem; bottom: -.35rem;
  border-left: 2px solid var(--line); }
ol.path li.out { border-top: 1px solid var(--line); margin-top: .5rem; padding-top: .75rem; }
.mark { width: 2rem; text-align: center; font-weight: 700; background: var(--back); position: relative; }
.title { font-weight: 600; } .ms { text-align: right; font-variant-numeric: tabular-nums; color: var(--dim);
  white-space: nowrap; }
section.finding { border-left: 4px solid var(--broken); background: var(--broken-back); border-radius: .25rem;
  padding: .75rem 1rem; margin: 1rem 0; }
section.finding.warning { border-color: var(--warning); background: var(--warning-back); color: inherit; }
code, pre { font: .875em/1.45 ui-monospace, monospace; } code { background: var(--card); border-radius: .2rem;
  padding: .05rem .25rem; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .25rem; padding: .5rem;
  overflow-x: auto; white-space: pre-wrap; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .875rem; } th, td { text-align: left;
  padding: .2rem .75rem .2rem 0; white-space: nowrap; }
@media (max-width: 40rem) { ol.path li { grid-template-columns: 2rem 1fr 4.5rem; }
  ol.path .seen { grid-column: 2 / 4; grid-row: 2; } }
"""


def page(diagnoses: Diagnoses, form: str, moment: str) -> str:
    """The whole file.

    Args:
        diagnoses: of each host, one for each app.
        form: `html` or `json`.
        moment: when it was, for the heading.
    """
    if form == "json":
        whole = {"time": moment, "ok": _all_ok(diagnoses), "hosts": diagnoses}
        return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
    return html(diagnoses, moment)


def _all_ok(diagnoses: Diagnoses) -> bool:
    return all(one["ok"] for apps in diagnoses.values() for one in apps)


def html(diagnoses: Diagnoses, moment: str) -> str:
    """The page."""
    words = "nothing is broken" if _all_ok(diagnoses) else "something is broken"
    body = "".join(_app(host, one) for host, apps in diagnoses.items() for one in apps)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Portside: {words}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<h1>Portside: {words}</h1>\n<p class="dim">{escape(moment)}</p>\n{body}</body>\n</html>\n'
    )


def _app(host: str, diagnosis: Mapping[str, Any]) -> str:
    mark = "broken" if not diagnosis["ok"] else "warning" if diagnosis["findings"] else "ok"
    way = "".join(_hop(hop) for hop in diagnosis["path"])
    findings = "".join(_finding(number, one) for number, one in enumerate(diagnosis["findings"]))
    heading = f'<h2><span class="{mark}">{MARKS[mark]}</span> {escape(host)}: {_text(headline(diagnosis))}</h2>'
    return (
        f'<article>\n{heading}\n<ol class="path">\n{way}</ol>\n{findings}{_attempts(diagnosis["attempts"])}</article>\n'
    )


def _hop(hop: Mapping[str, Any]) -> str:
    spent = f"{hop['ms']} ms" if hop["ms"] is not None else ""
    kind = ' class="out"' if hop["hop"] == hops.EGRESS else ""
    dim = " dim" if hop["mark"] == "unseen" else ""
    return (
        f'<li{kind}><span class="mark {hop["mark"]}">{MARKS[hop["mark"]]}</span>'
        f'<span class="title">{escape(hop["title"])}</span>'
        f'<span class="seen{dim}">{_text(hop["seen"])}</span><span class="ms">{spent}</span></li>\n'
    )


def _finding(number: int, one: Mapping[str, Any]) -> str:
    kind = " warning" if one["level"] == WARNING else ""
    label = "To look at" if kind else "First" if number == 0 else "Then"
    log = f"<pre>{escape(chr(10).join(one['log']))}</pre>" if one["log"] else ""
    return (
        f'<section class="finding{kind}">'
        f"<p><strong>{label}, {escape(hops.TITLES[one['hop']])}:</strong> {_text(one['seen'])}</p>"
        f"<p>{_text(one['why'])}</p><p><strong>To mend it:</strong> {_text(one['cure'])}</p>{log}</section>\n"
    )


def _attempts(attempts: Sequence[Mapping[str, Any]]) -> str:
    if not attempts:
        return ""
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(str(one[key]))}</td>" for key in ("time", "status", "seconds", "method", "uri", "client")
        )
        + f"<td>{'yes' if one['signed'] else 'no'}</td></tr>"
        for one in attempts
    )
    head = "".join(f"<th>{name}</th>" for name in ("time", "status", "seconds", "method", "path", "client", "signed"))
    return f'<h3>Last webhook requests</h3><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>\n'


def _text(text: str) -> str:
    """The text with what stands between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
