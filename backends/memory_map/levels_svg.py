"""Who lies where in each level over time, as an SVG: a panel for each level of limited size, operators under them."""

from __future__ import annotations

from collections import Counter
from html import escape

from ...ir.wording import memory, time
from .frame import text_at
from .levels import NEAREST, Hold, Plan, limited_levels
from .occupancy import shown
from .scale import CHARACTER, LEFT, LINE, MAP_HEIGHT, RIGHT, clipped, px, round_step

STYLE = """
text { font: 10px sans-serif; fill: #222; } .h { font-size: 16px; font-weight: 600; } .p { font-size: 12px; }
.m { text-anchor: middle; } .e { text-anchor: end; }
.once { fill: #bcd3ea; } .again { fill: #f3dd8c; } .copy { fill: #cfe3c4; } .op { fill: #e4e7ec; }
.once, .again, .copy, .op { stroke: #4a5568; stroke-width: .6; }
.grid { stroke: #d8dce2; stroke-width: .6; fill: none; }
.full { stroke: #b3123b; stroke-width: 1.4; stroke-dasharray: 7 4; } g > rect:hover { opacity: .7; }
"""
LEGEND = (("once", "in the scratchpad for the first time"), ("again", "back in it"), ("copy", "in a level beyond it"))
TOP, GAP, LANE, CHART_WIDTH, WIDEST = 84.0, 44.0, 22.0, 1440.0, 32_000.0
LEAST_OPERATOR = 9.0
"""[px] of an operator of mean length, unless the chart gets wider than `WIDEST`"""


def levels_svg(plan: Plan, name: str) -> str:
    """The picture of `plan`, the document of `dovetail scratchpad --level .. --json`, of the graph `name`. Ends with a
    newline."""
    return _Picture(plan, name).text()


class _Picture:
    def __init__(self, plan: Plan, name: str) -> None:
        self.plan, self.name = plan, name
        self.levels = {level: size for level, size in limited_levels(plan).items() if size}
        self.width = max(CHART_WIDTH, min(WIDEST, LEAST_OPERATOR * len(plan["order"])))
        self.per_s = self.width / (plan["makespan_s"] or 1.0)
        shares = max(1, len(self.levels))
        self.panel = MAP_HEIGHT if shares == 1 else 0.62 * MAP_HEIGHT

    def x(self, seconds: float) -> float:
        return LEFT + seconds * self.per_s

    def text(self) -> str:
        width, height = LEFT + self.width + RIGHT, TOP + len(self.levels) * (self.panel + GAP) + LANE + 40
        size = f'width="{px(width)}" height="{px(height)}" viewBox="0 0 {px(width)} {px(height)}"'
        lines = [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f"<title>{escape(shown(self.name))}: memory map</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{px(width)}" height="{px(height)}" fill="#fff"/>',
            *self._heading(),
        ]
        for place, (level, capacity) in enumerate(self.levels.items()):
            lines += self._level(level, capacity, TOP + place * (self.panel + GAP))
        lines += self._operators(TOP + len(self.levels) * (self.panel + GAP) - GAP + 12)
        return "\n".join([*lines, "</svg>"]) + "\n"

    def _heading(self) -> list[str]:
        plan = self.plan
        borders = "; ".join(
            f"{shown(b['level'])}: {memory(b['noncompulsory_bytes'])} beyond the compulsory "
            f"{memory(b['compulsory_bytes'])}, at least {memory(b['lower_bound_bytes'])}"
            for b in plan["borders"]
        )
        lines = [
            text_at(LEFT, 22, shown(self.name), "h"),
            text_at(LEFT, 40, f"{time(plan['makespan_s'])}; {borders}", "p"),
        ]
        x = LEFT
        for kind, meaning in LEGEND:
            lines += [f'<path class="{kind}" d="M{px(x)} 50h12v12h-12z"/>', text_at(x + 17, 60, meaning)]
            x += 38 + 5.2 * len(meaning)
        return lines

    def _level(self, level: str, capacity: int, top: float) -> list[str]:
        """Holds by time and address, with the addresses and the capacity."""
        holds = sorted(
            (h for h in self.plan["holds"] if h["level"] == level),
            key=lambda h: (h["from_s"], h["offset"], h["tensor"]),
        )
        highest = max((h["offset"] + h["bytes"] for h in holds), default=0)
        above = max(1, capacity if 2 * highest >= capacity else highest)
        per_byte, right = self.panel / above, self.x(self.plan["makespan_s"])
        lines = [f'<g class="level" id="{escape(shown(level))}">']
        for address in range(0, above + 1, round_step(above / 6, (1,), 2)):
            y = top + self.panel - address * per_byte
            lines.append(f'<path class="grid" d="M{px(LEFT)} {px(y)}H{px(right)}"/>')
            lines.append(text_at(LEFT - 6, y + 3.5, memory(address), "e"))
        seen: Counter[str] = Counter()
        for hold in holds:
            kind = "copy" if level != NEAREST else "again" if seen[hold["tensor"]] else "once"
            seen[hold["tensor"]] += 1
            lines += self._hold(hold, kind, top, per_byte)
        y = top if above == capacity else top - 4
        told = f"{shown(level)}: {memory(capacity)}" + ("" if above == capacity else ", far above what is used")
        return [*lines, f'<path class="full" d="M{px(LEFT)} {px(y)}H{px(right)}"/>', text_at(LEFT, y - 4, told), "</g>"]

    def _hold(self, hold: Hold, kind: str, top: float, per_byte: float) -> list[str]:
        x, high = self.x(hold["from_s"]), hold["bytes"] * per_byte
        wide = (hold["to_s"] - hold["from_s"]) * self.per_s
        y = top + self.panel - hold["offset"] * per_byte - high
        about = f"{shown(hold['tensor'])}: {hold['bytes']:,} bytes at {hold['offset']:,}\n"
        about += f"{time(hold['from_s'])} to {time(hold['to_s'])}"
        place = f'x="{px(x)}" y="{px(y)}" width="{px(wide)}" height="{px(high)}"'
        lines = [f'<rect class="{kind}" {place}><title>{escape(about)}</title></rect>']
        named = clipped(hold["tensor"], wide - 4) if high >= LINE else None
        return lines if named is None else [*lines, text_at(x + wide / 2, y + high / 2 + 3.5, named, "m")]

    def _operators(self, top: float) -> list[str]:
        """What runs, and moments."""
        lines = ['<g class="operators">', text_at(LEFT - 6, top + 14, "operators", "e")]
        for step, run in enumerate(self.plan["operators"]):
            x, wide = self.x(run["start_s"]), (run["end_s"] - run["start_s"]) * self.per_s
            about = f"{step} {shown(run['operator'])}\n{time(run['start_s'])} to {time(run['end_s'])}"
            place = f'x="{px(x)}" y="{px(top)}" width="{px(wide)}" height="{px(LANE)}"'
            lines.append(f'<rect class="op" {place}><title>{escape(about)}</title></rect>')
            if (named := clipped(run["operator"], wide - 4)) is not None:
                lines.append(text_at(x + wide / 2, top + 14, named, "m"))
        every = max(1.0, 12 * CHARACTER * 12 / self.width)
        for tenth in range(int(12 / every) + 1):
            moment = self.plan["makespan_s"] * tenth * every / 12
            lines.append(text_at(self.x(moment), top + LANE + 14, time(moment), "m"))
        return [*lines, "</g>"]
