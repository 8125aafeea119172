"""A picture in the language of Mermaid, which Markdown viewers draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .colours import COLOURS, OTHER
from .picture import Box, Group, Picture, printable

_SPECIAL = str.maketrans({c: f"#{ord(c)};" for c in "#\"&<>`'\\{}|;%"})
"""Characters that end a label, begin a directive or mean markup, as entities by their numbers."""


def mermaid(picture: Picture) -> str:
    """The text of a .mmd file. Ends with a newline."""
    ids = picture.short_ids()
    kinds = sorted({box.kind for box in picture.boxes})
    lines = ["flowchart TD", *_items(picture.items, ids, "  ")]
    for arrow in picture.arrows:
        line = "-.->" if arrow.dashed else "-->"
        label = f'|"{_text(arrow.label)}"|' if arrow.label else ""
        lines.append(f"  {ids[arrow.source]} {line}{label} {ids[arrow.target]}")
    for number, kind in enumerate(kinds):
        lines.append(f"  classDef k{number} fill:{COLOURS.get(kind, OTHER)},stroke:#4a5568,color:#222222")
        members = ",".join(ids[box.id] for box in picture.boxes if box.kind == kind)
        lines.append(f"  class {members} k{number}")
    return "\n".join([*lines, ""])


def _items(items: tuple[Box | Group, ...], ids: Mapping[str, str], indent: str) -> Iterator[str]:
    for item in items:
        if isinstance(item, Box):
            lines = [_text(line) for line in (item.label, item.detail) if line]
            yield f'{indent}{ids[item.id]}["{"<br/>".join(lines)}"]'
        else:
            first = next(_ids_inside(item, ids))
            yield f'{indent}subgraph g_{first}_{_depth(item)} ["{_text(item.label)}"]'
            yield from _items(item.items, ids, indent + "  ")
            yield f"{indent}end"


def _ids_inside(group: Group, ids: Mapping[str, str]) -> Iterator[str]:
    for item in group.items:
        if isinstance(item, Box):
            yield ids[item.id]
        else:
            yield from _ids_inside(item, ids)


def _depth(group: Group) -> int:
    """Groups inside of groups that begin with the same box differ in this."""
    return 1 + max((_depth(item) for item in group.items if isinstance(item, Group)), default=0)


def _text(text: str) -> str:
    return printable(text).translate(_SPECIAL)
