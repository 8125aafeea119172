"""A picture as SVG, laid out here; it needs nothing else: no script, no font, no style from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from .colours import colour
from .layout import LINE, PADDING, Layout, Place, lay_out
from .picture import Arrow, Box, Group, Picture, printable

_MARGIN = 16.0
_STYLE = (
    "text { font: 11px sans-serif; fill: #1a202c; text-anchor: middle; } .d { fill: #4a5568; font-size: 10px; } "
    ".b { stroke: #4a5568; } .g { stroke: #a0aec0; stroke-dasharray: 4 3; } "
    ".t { text-anchor: start; font-weight: 600; } "
    ".a { fill: none; stroke: #4a5568; } .l { font-size: 9px; fill: #2c5282; paint-order: stroke; stroke: #fff; "
    "stroke-width: 3px; }"
)
_HEAD = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'


def svg(picture: Picture) -> str:
    """The text of an .svg file. Ends with a newline."""
    layout = lay_out(picture)
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    size = f'width="{_px(width)}" height="{_px(height)}" viewBox="{-_MARGIN:g} {-_MARGIN:g} {_px(width)} {_px(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<title>{_text(picture.name)}</title>",
        f"<style>{_STYLE}</style>",
        f'<defs>{_HEAD}<path d="M0 0L8 4L0 8z" fill="#4a5568"/></marker></defs>',
        f'<rect x="{-_MARGIN:g}" y="{-_MARGIN:g}" width="{_px(width)}" height="{_px(height)}" fill="#fff"/>',
        *_groups(picture.items, layout),
        *(line for arrow in picture.arrows for line in _arrow(arrow, layout)),
        *(line for box in picture.boxes for line in _box(box, layout.places[box.id])),
        *(line for arrow in picture.arrows for line in _label(arrow, layout)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _groups(items: tuple[Box | Group, ...], layout: Layout) -> Iterator[str]:
    for item in items:
        if isinstance(item, Group):
            place = layout.places[item.id]
            yield _rectangle(place, "g", colour(item.kind))
            x, y = place.x - place.width / 2 + PADDING, place.y - place.height / 2 + LINE
            yield f'<text class="t" x="{_px(x)}" y="{_px(y)}">{_text(item.label)}</text>'
            yield from _groups(item.items, layout)


def _box(box: Box, place: Place) -> Iterator[str]:
    yield _rectangle(place, "b", colour(box.kind))
    lines = [("", box.label), (' class="d"', box.detail)]
    shown = [(style, line) for style, line in lines if line]
    for number, (style, line) in enumerate(shown):
        y = place.y + LINE * (number - (len(shown) - 1) / 2) + 3.5
        yield f'<text{style} x="{_px(place.x)}" y="{_px(y)}">{_text(line)}</text>'


def _rectangle(place: Place, style: str, fill: str) -> str:
    x, y = place.x - place.width / 2, place.y - place.height / 2
    size = f'x="{_px(x)}" y="{_px(y)}" width="{_px(place.width)}" height="{_px(place.height)}"'
    return f'<rect class="{style}" {size} rx="4" fill="{fill}"/>'


def _arrow(arrow: Arrow, layout: Layout) -> Iterator[str]:
    points = _points(arrow, layout)
    path = f"M{_px(points[0][0])} {_px(points[0][1])}"
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (y0 + y1) / 2
        path += f"C{_px(x0)} {_px(middle)} {_px(x1)} {_px(middle)} {_px(x1)} {_px(y1)}"
    dashes = ' stroke-dasharray="5 3"' if arrow.dashed else ""
    yield f'<path class="a" d="{path}"{dashes} marker-end="url(#head)"/>'


def _points(arrow: Arrow, layout: Layout) -> list[tuple[float, float]]:
    """From the edge of one box over the bends to the edge of the other; an arrow back goes by the outer side."""
    source, target = layout.places[arrow.source], layout.places[arrow.target]
    if arrow.source == arrow.target:
        side = source.x + source.width / 2
        return [(side, source.y - 5), (side + 24, source.y), (side, source.y + 5)]
    if target.y - target.height / 2 < source.y + source.height / 2:
        side = -0.5 if source.x < target.x else 0.5
        ends = (source.x + side * source.width, source.y), (target.x + side * target.width, target.y)
        beyond = (min if side < 0 else max)(ends[0][0], ends[1][0]) + side * 28
        return [ends[0], (beyond, (source.y + target.y) / 2), ends[1]]
    start, end = (source.x, source.y + source.height / 2), (target.x, target.y - target.height / 2)
    return [start, *layout.bends.get((arrow.source, arrow.target), ()), end]


def _label(arrow: Arrow, layout: Layout) -> Iterator[str]:
    if arrow.label:
        points = _points(arrow, layout)
        (x0, y0), (x1, y1) = points[(len(points) - 1) // 2 : (len(points) - 1) // 2 + 2]
        yield f'<text class="l" x="{_px((x0 + x1) / 2)}" y="{_px((y0 + y1) / 2)}">{_text(arrow.label)}</text>'


def _text(text: str) -> str:
    return escape(printable(text))


def _px(value: float) -> str:
    return f"{round(value, 1) + 0.0:.7g}"
