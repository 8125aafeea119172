"""The plan in plain words, for the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from dataclasses import replace

from . import summary
from .explanation_text import explanation_lines
from .migration_text import migration_sentence, migration_table
from .robust_text import over_ranges
from .sensitivity_text import guesses, sensitivity_table, studied
from .summary import Json, Table

WIDTH = 100
"""Lines of prose are no longer than this; tables are as wide as what they hold."""
_BAR_CHARACTERS = 30
MOST_ROWS = 60
"""A table with more rows than this is cut short: plan.json and the report have all of them."""


def plan_text(plan: Json) -> str:
    """
    `plan`, the document of plan.json, in words: its cost, where each piece runs, latency, what binds, warnings.

    The first line alone says what the plan costs and how far that is proved. Ends with a newline.
    """
    if "batch" in plan:
        from .batch_text import batch_text

        return batch_text(plan)
    if not summary.is_solved(plan):
        return _unsolved(plan)
    parts = [
        summary.headline(plan) + "\n" + _wrapped(", ".join(summary.key_figures(plan))) + _wrapped(summary.load(plan)),
        table_text(summary.graphs(plan)),
        _wrapped(migration_sentence(plan)),
        table_text(migration_table(plan)),
        table_text(summary.placements(plan)),
        table_text(summary.devices(plan)),
        table_text(summary.racks(plan)),
        table_text(summary.qualities(plan)),
        table_text(summary.latencies(plan)),
        table_text(summary.transfers(plan)),
        table_text(_with_bars(summary.costs(plan), plan)),
        _bullets("What keeps it from being better", summary.binding(plan)),
        _bullets("Over the ranges", over_ranges(plan)),
        _bullets("Warnings", plan.get("warnings") or ()),
        _wrapped(summary.quality(plan)),
        *(_sensitivity(plan["sensitivity"]) if "sensitivity" in plan else ()),
        _bullets("Why this plan", explanation_lines(plan["explanation"])) if "explanation" in plan else "",
    ]
    return "\n".join(part for part in parts if part)


def _sensitivity(found: Json) -> tuple[str, ...]:
    table, named = sensitivity_table(found), _bullets("Guesses that the plan rests on", guesses(found))
    return table_text(table), _wrapped(studied(found)), named


def _unsolved(plan: Json) -> str:
    parts = [summary.headline(plan) + "\n", _bullets("These cannot all hold", summary.conflict(plan))]
    return "\n".join(part for part in parts if part)


def _wrapped(text: str) -> str:
    return _filled(text) + "\n" if text else ""


def _filled(text: str, first: str = "", others: str = "") -> str:
    """`text` in lines that start with `first` and `others`; a number stays on the line of its unit."""
    joined = re.sub(r"(?<=\d) (?=\S)", "\N{NO-BREAK SPACE}", text)
    filled = textwrap.fill(
        joined, WIDTH, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )
    return filled.replace("\N{NO-BREAK SPACE}", " ")


def _bullets(title: str, lines: Iterable[str]) -> str:
    filled = [_filled(line, "  - ", "    ") for line in lines]
    return "\n".join([title, *filled]) + "\n" if filled else ""


def _with_bars(table: Table, plan: Json) -> Table:
    """`table` of the cost's parts, with a bar as long as each part's share."""
    bars = ["#" * max(1, round(_BAR_CHARACTERS * part)) for _, _, part in summary.cost_parts(plan)]
    rows = tuple((*row, bar) for row, bar in zip(table.rows, bars, strict=True))
    return replace(table, columns=(*table.columns, ""), rows=rows)


def table_text(table: Table) -> str:
    """`table` in columns as wide as their longest cell, under its title, MOST_ROWS at most; empty without rows."""
    if not table.rows:
        return ""
    lines = [table.columns, *table.rows[:MOST_ROWS]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.columns))]
    right = [name in table.numeric for name in table.columns]
    text = [
        "  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(line, widths, right, strict=True))
        for line in lines
    ]
    more = len(table.rows) - MOST_ROWS
    text += [f"and {more:,} more, which plan.json and the report have"] if more > 0 else []
    note = _filled(f"({table.note})", "  ", "   ") + "\n" if table.note else ""
    return "\n".join([table.title, *(f"  {line}".rstrip() for line in text)]) + "\n" + note
