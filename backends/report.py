"""The plan as one HTML page that needs nothing else: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from . import EmitContext, OutputFile, summary
from .migration_text import migration_sentence, migration_table
from .robust_text import over_ranges
from .summary import Json, Table

FILE = "report.html"
_BAR_WIDTH, _BAR_HEIGHT = 640, 28

_STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .9rem .25rem 0; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
code { overflow-wrap: anywhere; } svg { max-width: 100%; height: auto; }
.c0 { --c: #4477aa; } .c1 { --c: #ee6677; } .c2 { --c: #228833; }
.c3 { --c: #ccbb44; } .c4 { --c: #66ccee; } .c5 { --c: #aa3377; }
rect { fill: var(--c); } .key { margin-right: 1.2rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
.key::before { background: var(--c); }
"""
"""Colours: the bright qualitative scheme of Paul Tol, told apart by colour-blind readers too."""


@dataclass(frozen=True)
class ReportBackend:
    """Writes `report.html`."""

    name: str = "report"

    def emit(self, plan: Mapping[str, Any], context: EmitContext) -> list[OutputFile]:
        """One file, also of a plan that places nothing."""
        return [OutputFile(FILE, report_html(plan))]


def report_html(plan: Json) -> str:
    """The page for `plan`, the document of plan.json; `solve` is not in it, so equal plans give equal bytes."""
    body = _solved(plan) if summary.is_solved(plan) else _unsolved(plan)
    head = f'<meta charset="utf-8">\n<title>{escape(summary.title(plan))}: plan</title>\n<style>{_STYLE}</style>'
    view = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    lines = ["<!DOCTYPE html>", '<html lang="en">', "<head>", head, view, "</head>", "<body>", *body, *_origin(plan)]
    return "\n".join([*lines, "</body>", "</html>", ""])


def _solved(plan: Json) -> list[str]:
    return [
        _element("h1", summary.headline(plan)),
        *_paragraph(", ".join(summary.key_figures(plan)) + "."),
        *_paragraph(summary.load(plan)),
        *_paragraph(migration_sentence(plan)),
        *_table(migration_table(plan)),
        *_list("Warnings", plan.get("warnings") or ()),
        *_table(summary.graphs(plan)),
        *_table(summary.placements(plan)),
        *_table(summary.pools(plan)),
        *_table(summary.devices(plan)),
        *_table(summary.racks(plan)),
        *_table(summary.qualities(plan)),
        *_table(summary.latencies(plan)),
        *_table(summary.costs(plan)),
        *_bar(plan),
        *_table(summary.transfers(plan)),
        *_list("What keeps it from being better", summary.binding(plan)),
        *_list("Over the ranges", over_ranges(plan)),
        *_paragraph(summary.quality(plan)),
    ]


def _unsolved(plan: Json) -> list[str]:
    return [_element("h1", summary.headline(plan)), *_list("These cannot all hold", summary.conflict(plan))]


def _origin(plan: Json) -> list[str]:
    """What the plan was made from, and by which version."""
    digests = plan["inputs"].get("sha256") or {}
    rows = "".join(
        f"<tr>{_element('th', name)}<td><code>{escape(digest)}</code></td></tr>\n"
        for name, digest in sorted(digests.items())
    )
    made = f"Dovetail {plan['dovetail']}, plan format {plan['format']}. SHA-256 of the inputs, as plan.json holds them:"
    return [_element("h2", "Made from"), *_paragraph(made), f"<table>\n{rows}</table>"] if rows else _paragraph(made)


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"


def _paragraph(text: str) -> list[str]:
    return [_element("p", text)] if text else []


def _list(title: str, items: Iterable[str]) -> list[str]:
    lines = [_element("li", item) for item in items]
    return [_element("h2", title), "<ul>", *lines, "</ul>"] if lines else []


def _table(table: Table) -> list[str]:
    """`table` under its title; nothing without rows."""
    if not table.rows:
        return []
    kinds = [' class="n"' if column in table.numeric else "" for column in table.columns]
    head = "".join(f"<th{kind}>{escape(name)}</th>" for name, kind in zip(table.columns, kinds, strict=True))
    rows = [
        "<tr>" + "".join(f"<td{kind}>{escape(cell)}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>"
        for row in table.rows
    ]
    body = ["<table>", f"<thead><tr>{head}</tr></thead>", "<tbody>", *rows, "</tbody></table>"]
    return [_element("h2", table.title), *body, *_paragraph(table.note)]


def _bar(plan: Json) -> list[str]:
    """The parts of the cost side by side, as wide as their shares, with a legend; nothing where nothing costs."""
    parts = summary.cost_parts(plan)
    if not parts:
        return []
    bars, keys, start = [], [], 0.0
    for index, (name, _, share) in enumerate(parts):
        width = share * _BAR_WIDTH
        place = f'x="{start:.1f}" y="0" width="{width:.1f}" height="{_BAR_HEIGHT}"'
        bars.append(f'<rect class="c{index}" {place}>{_element("title", name)}</rect>')
        keys.append(f'<span class="key c{index}">{escape(name)}</span>')
        start += width
    label = f"Parts of the cost in {summary.cost_unit(plan)}"
    box = f'role="img" aria-label="{escape(label)}" viewBox="0 0 {_BAR_WIDTH} {_BAR_HEIGHT}" width="{_BAR_WIDTH}"'
    return [f"<svg {box}>", *bars, "</svg>", "<p>", *keys, "</p>"]
