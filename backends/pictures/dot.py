"""A picture in the language of Graphviz."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .colours import colour
from .picture import Box, Group, Picture, printable


def dot(picture: Picture) -> str:
    """The text of a .dot file. Ends with a newline."""
    ids = picture.short_ids()
    lines = [
        f"digraph {_quoted(picture.name)} {{",
        '  graph [rankdir=TB, compound=true, fontname="sans-serif", fontsize=11];',
        '  node [shape=box, style="rounded,filled", fontname="sans-serif", fontsize=10, color="#4a5568"];',
        '  edge [fontname="sans-serif", fontsize=9, color="#4a5568"];',
        *_items(picture.items, ids, "  "),
    ]
    for arrow in picture.arrows:
        asks = [f"label={_quoted(arrow.label)}"] if arrow.label else []
        asks += ["style=dashed"] if arrow.dashed else []
        said = f" [{', '.join(asks)}]" if asks else ""
        lines.append(f"  {ids[arrow.source]} -> {ids[arrow.target]}{said};")
    return "\n".join([*lines, "}", ""])


def _items(items: tuple[Box | Group, ...], ids: Mapping[str, str], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Box):
            label = _quoted(item.label, item.detail)
            yield f'{indent}{ids[item.id]} [label={label}, fillcolor="{colour(item.kind)}"];'
        else:
            # A subgraph whose name begins so is drawn as a box around its nodes.
            yield f"{indent}subgraph {_quoted('cluster_' + item.id)} {{"
            yield f'{indent}  label={_quoted(item.label)}; style="rounded,filled"; fillcolor="{colour(item.kind)}";'
            yield from _items(item.items, ids, indent + "  ")
            yield f"{indent}}}"


def _quoted(*lines: str) -> str:
    """The lines as one quoted string: quotes and backslashes would end it or begin an escape."""
    escaped = (printable(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines if line)
    return '"' + "\\n".join(escaped) + '"'
