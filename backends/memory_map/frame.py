"""What stands around the buffers of a memory map: heading, legend, addresses, capacity, traffic, names of operators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ...ir.wording import memory
from .occupancy import Plan, shown
from .scale import (
    LANE_GAP,
    LANE_HEIGHT,
    LEFT,
    LINE,
    MAP_HEIGHT,
    MOST_NAMES_HEIGHT,
    NAME_EVERY,
    TOP,
    Scale,
    clipped,
    px,
    round_step,
)

MARK = 4.0
"""[px] half the height of a triangle"""
_LEGEND = (
    ("stay", "made or first loaded, stays to its last use"),
    ("leave", "made or first loaded, leaves and comes back"),
    ("back", "reloaded"),
    ("tile", "tiles of an operator"),
)


def text_at(x: float, y: float, text: str, kind: str = "", more: str = "") -> str:
    """A line of text of the class `kind`, with `more` attributes."""
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{px(x)}" y="{px(y)}"{more}>{escape(text)}</text>'


def triangle(kind: str, tips: Sequence[tuple[float, float]]) -> str:
    """Arrowheads that point right, with their tips at these places."""
    drawn = "".join(f"M{px(x)} {px(y)}l{-1.5 * MARK:g} {-MARK:g}v{2 * MARK:g}z" for x, y in tips)
    return f'<path class="{kind}" d="{drawn}"/>'


def heading(plan: Plan, name: str) -> list[str]:
    """What is shown, what it moves, and what colours and marks mean."""
    lines = [text_at(LEFT, 24, shown(name), "h"), text_at(LEFT, 44, _outcome(plan), "p")]
    x = LEFT
    for kind, meaning in _LEGEND:
        if kind != "tile" or plan.get("tiles"):
            lines += [f'<path class="{kind}" d="M{px(x)} 58h12v12h-12z"/>', text_at(x + 17, 68, meaning)]
            x += 38 + 5.2 * len(meaning)
    for kind, meaning in (("out", "leaves, written"), ("copy", "leaves, has a copy outside"), ("in", "comes back")):
        lines += [triangle(kind, [(x + 8, 64.0)]), text_at(x + 14, 68, meaning)]
        x += 32 + 5.2 * len(meaning)
    return lines


def _outcome(plan: Plan) -> str:
    if plan["status"] in ("infeasible", "unknown"):
        return f"no plan: {plan['status']}"
    moved, bound = plan["noncompulsory_bytes"], plan["lower_bound_bytes"]
    proof = "proved least" if moved <= bound else f"at least {memory(bound)} in every order"
    return f"{memory(moved)} moved beyond the compulsory {memory(plan['compulsory_bytes'])}: {proof}"


def addresses(plan: Plan, scale: Scale) -> list[str]:
    """Lines at round addresses, with what they are."""
    step = round_step(scale.top_bytes / 8, (1,), 2)
    right = scale.x(max(1, len(plan["order"])))
    lines = []
    for address in range(0, scale.top_bytes + 1, step):
        y = scale.y(address)
        lines.append(f'<path class="grid" d="M{px(LEFT)} {px(y)}H{px(right)}"/>')
        if y > TOP + LINE or address == plan["size_bytes"]:
            lines.append(text_at(LEFT - 6, y + 3.5, memory(address), "e"))
    return lines


def capacity(plan: Plan, scale: Scale) -> list[str]:
    """The line that nothing crosses; above the map where it is far above everything."""
    size = plan["size_bytes"]
    is_above = size > scale.top_bytes
    y = TOP - 8 if is_above else scale.y(size)
    right = scale.x(max(1, len(plan["order"])))
    text = f"capacity {memory(size)}" + (", far above what is used" if is_above else "")
    line = f'<path class="full" d="M{px(LEFT)} {px(y)}H{px(right)}"/>'
    return [line, text_at(LEFT, y - 4, text)]


def traffic(plan: Plan, scale: Scale) -> list[str]:
    """Bytes written (upwards) and reloaded (downwards) at each step, under the map."""
    moved: dict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for move in plan["moves"]:
        moved[move["step"], move["kind"]].append(move)
    totals = {key: sum(m["bytes"] for m in moves) for key, moves in moved.items()}
    most = max(totals.values(), default=0)
    zero = TOP + MAP_HEIGHT + LANE_GAP + LANE_HEIGHT / 2
    lines = [text_at(LEFT - 6, zero - 12, "written", "e"), text_at(LEFT - 6, zero + 18, "reloaded", "e")]
    lines.append(text_at(LEFT - 6, zero + 3.5, f"\N{PLUS-MINUS SIGN} {memory(most)}", "e"))
    for (step, kind), moves in sorted(moved.items()):
        high = totals[step, kind] / most * LANE_HEIGHT / 2 if most else 0.0
        kind_class, top = ("out", zero - high) if kind == "spill" else ("in", zero)
        place = f'x="{px(scale.x(step + 0.15))}" y="{px(top)}" width="{px(0.7 * scale.step_px)}" height="{px(high)}"'
        listed = "\n".join(f"{m['kind']} {shown(m['tensor'])} {m['bytes']:,}" for m in moves)
        about = f"step {step} ({shown(plan['order'][step])}): {totals[step, kind]:,} bytes\n{listed}"
        lines.append(f'<rect class="{kind_class}" {place}><title>{escape(about)}</title></rect>')
    right = scale.x(max(1, len(plan["order"])))
    return ['<g class="traffic">', *lines, f'<path class="axis" d="M{px(LEFT)} {px(zero)}H{px(right)}"/>', "</g>"]


def step_names(plan: Plan, scale: Scale) -> dict[int, str]:
    """Numbers and names of operators, as many as there is room for."""
    every = round_step(NAME_EVERY / scale.step_px)
    order = plan["order"]
    return {i: f"{i} {clipped(order[i], MOST_NAMES_HEIGHT) or ''}" for i in range(0, len(order), every)}


def steps(names: Mapping[int, str], scale: Scale) -> list[str]:
    """Names under their steps."""
    top = TOP + MAP_HEIGHT + LANE_GAP + LANE_HEIGHT + 8
    lines = []
    for step, name in names.items():
        where = f' transform="translate({px(scale.x(step + 0.5) - 3.5)} {px(top)})rotate(90)"'
        lines.append(text_at(0, 0, name, "", where))
    return ['<g class="steps">', *lines, "</g>"]
