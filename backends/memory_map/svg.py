"""The memory map as one SVG picture: addresses upwards, steps to the right, a rectangle for each buffer.

Rectangles are in the plan's own units, step and byte, under one transformation, so that the file can be read back
exactly; where an output takes over the buffer of an input, the step that both have is halved between them. The picture
needs nothing else: no script, no font, no style from elsewhere. Equal plans give equal bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape

from .frame import MARK, addresses, capacity, heading, step_names, steps, text_at, traffic, triangle
from .occupancy import Buffer, Plan, buffers_of, departures, shown, taken_over
from .scale import (
    CHARACTER,
    LANE_GAP,
    LANE_HEIGHT,
    LEAST_WIDTH,
    LINE,
    MAP_HEIGHT,
    RIGHT,
    TOP,
    Scale,
    clipped,
    px,
    scale_of,
)

_STYLE = """
text { font: 10px sans-serif; fill: #222; } .h { font-size: 16px; font-weight: 600; } .p { font-size: 12px; }
.stay { fill: #bcd3ea; } .leave { fill: #f6bba7; } .back { fill: #f3dd8c; } .tile { fill: #d9c3e6; }
.edge { fill: none; stroke: #4a5568; stroke-width: .6; } .grid { stroke: #d8dce2; stroke-width: .6; fill: none; }
.full { stroke: #b3123b; stroke-width: 1.4; stroke-dasharray: 7 4; } .axis { stroke: #4a5568; stroke-width: 1; }
.out { fill: #b3123b; } .in { fill: #1c62a8; } .copy { fill: #fff; stroke: #b3123b; stroke-width: 1; }
.m { text-anchor: middle; } .e { text-anchor: end; } g > rect:hover { opacity: .7; }
"""
_CORNER = 7.0
"""[px] from a corner of a rectangle to the middle of its mark: names have the middle"""


def memory_svg(plan: Plan, name: str) -> str:
    """The picture of `plan`, the document of `dovetail scratchpad --json`, of the graph `name`. Ends with a newline."""
    scale = scale_of(plan)
    width = max(LEAST_WIDTH, scale.x(len(plan["order"])) + RIGHT)
    names = step_names(plan, scale)
    height = TOP + MAP_HEIGHT + LANE_GAP + LANE_HEIGHT + 16 + CHARACTER * max(map(len, names.values()), default=0)
    size = f'width="{px(width)}" height="{px(height)}" viewBox="0 0 {px(width)} {px(height)}"'
    title = f"{shown(name)}: memory map"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{px(width)}" height="{px(height)}" fill="#fff"/>',
        *heading(plan, name),
        *addresses(plan, scale),
        *_Buffers(plan, scale).drawn(),
        *capacity(plan, scale),
        *traffic(plan, scale),
        *steps(names, scale),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


class _Buffers:
    """Rectangles, their edges, their names, and marks where they leave and come back."""

    def __init__(self, plan: Plan, scale: Scale) -> None:
        self.plan, self.scale = plan, scale
        self.buffers = buffers_of(plan)
        self.leaving = {(d.tensor, d.left): d for d in departures(plan)}
        self.tiles = {tile["workspace"]: sum(tile["moved"].values()) for tile in plan.get("tiles", ())}
        """bytes that move through each workspace"""
        takes = taken_over(plan)
        self.starts_late = {(output, self.buffers[output][0]["start"]) for output in takes if self.buffers[output]}
        self.ends_early = {
            (given, self.buffers[output][0]["start"]) for output, given in takes.items() if self.buffers[output]
        }

    def drawn(self) -> list[str]:
        all_buffers = [(b, i) for held in self.buffers.values() for i, b in enumerate(held)]
        all_buffers.sort(key=lambda each: (each[0]["start"], each[0]["offset"], each[0]["tensor"], each[0]["end"]))
        x, y, (wide, high) = self.scale.x(0), self.scale.y(0), (self.scale.step_px, self.scale.byte_px)
        edges = "".join(self._edge(b) for b, _ in all_buffers)
        return [
            f'<g class="buffers" transform="matrix({wide!r} 0 0 {-high!r} {x!r} {y!r})">',
            *(self._rectangle(b, index) for b, index in all_buffers),
            "</g>",
            f'<path class="edge" d="{edges}"/>',
            '<g class="names" pointer-events="none">',
            *(label for b, _ in all_buffers if (label := self._label(b))),
            *self._marks([b for b, _ in all_buffers if (b["tensor"], b["end"]) in self.leaving]),
            self._back([b for b, index in all_buffers if index]),
            "</g>",
        ]

    def span(self, buffer: Buffer) -> tuple[float, float]:
        """First step and the end of the last, less half a step that another buffer has."""
        start, end = buffer["start"], buffer["end"] + 1
        start += 0.5 if (buffer["tensor"], buffer["start"]) in self.starts_late else 0
        end -= 0.5 if (buffer["tensor"], buffer["end"]) in self.ends_early else 0
        return start, end

    def box(self, buffer: Buffer) -> tuple[float, float, float, float]:
        """Left, upper edge, width and height [px]."""
        start, end = self.span(buffer)
        upper, lower = self.scale.y(buffer["offset"] + buffer["bytes"]), self.scale.y(buffer["offset"])
        return self.scale.x(start), upper, self.scale.x(end) - self.scale.x(start), lower - upper

    def _rectangle(self, buffer: Buffer, index: int) -> str:
        start, end = self.span(buffer)
        place = f'x="{px(start)}" y="{buffer["offset"]}" width="{px(end - start)}" height="{buffer["bytes"]}"'
        about = escape(self._about(buffer, index))
        return f'<rect class="{self._kind(buffer, index)}" {place}><title>{about}</title></rect>'

    def _kind(self, buffer: Buffer, index: int) -> str:
        if buffer["tensor"] in self.tiles:
            return "tile"
        if index:
            return "back"
        return "leave" if (buffer["tensor"], buffer["end"]) in self.leaving else "stay"

    def _about(self, buffer: Buffer, index: int) -> str:
        """What the pointer is told."""
        order, start, end = self.plan["order"], buffer["start"], buffer["end"]
        lines = [
            f"{shown(buffer['tensor'])}: {buffer['bytes']:,} bytes at {buffer['offset']:,}",
            f"steps {start} ({shown(order[start])}) to {end} ({shown(order[end])})" + (", reloaded" if index else ""),
        ]
        if buffer["tensor"] in self.tiles:
            lines.append(f"{self.tiles[buffer['tensor']]:,} bytes move in tiles")
        leaving = self.leaving.get((buffer["tensor"], end))
        if leaving is not None:
            out = "written" if leaving.is_written else "leaves, has a copy outside"
            lines.append(f"{out}; back at {leaving.back} ({shown(order[leaving.back])})")
        return "\n".join(lines)

    def _edge(self, buffer: Buffer) -> str:
        x, y, width, height = self.box(buffer)
        return f"M{px(x)} {px(y)}h{px(width)}v{px(height)}h{px(-width)}z"

    def _label(self, buffer: Buffer) -> str | None:
        """The name along the rectangle, or up it, whichever shows more; nothing where too little fits."""
        x, y, width, height = self.box(buffer)
        middle_x, middle_y = x + width / 2, y + height / 2
        along = clipped(buffer["tensor"], width - 4) if height >= LINE else None
        up = clipped(buffer["tensor"], height - 4) if width >= LINE else None
        if along is not None and len(along) >= len(up or ""):
            return text_at(middle_x, middle_y + 3.5, along, "m")
        if up is None:
            return None
        return text_at(0, 0, up, "m", f' transform="translate({px(middle_x + 3.5)} {px(middle_y)})rotate(-90)"')

    def _marks(self, leaving: Sequence[Buffer]) -> list[str]:
        tips: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for buffer in leaving:
            x, y, width, height = self.box(buffer)
            is_written = self.leaving[buffer["tensor"], buffer["end"]].is_written
            tips["out" if is_written else "copy"].append((x + width, y + max(height / 2, height - _CORNER)))
        return [triangle(kind, places) for kind, places in tips.items()]

    def _back(self, reloaded: Sequence[Buffer]) -> str:
        places = [(x + 1.5 * MARK, y + min(height / 2, _CORNER)) for x, y, _, height in map(self.box, reloaded)]
        return triangle("in", places)
