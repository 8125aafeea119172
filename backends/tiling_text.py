"""Operators in tiles, in plain words."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
SHOWN_OPERATORS = 10


def tiling_lines(plan: Json) -> list[str]:
    """What a scratchpad plan says of its tiles: the least over tilings, the smallest scratchpad, and for the operators
    that move most their tiles and how far they are from the I/O lower bound; nothing where nothing is tiled."""
    if not plan.get("tiles"):
        return []
    moved = plan["compulsory_bytes"] + plan["noncompulsory_bytes"]
    least = plan["compulsory_bytes"] + plan["lower_bound_bytes"]
    far = f"{moved / least:.2f} times the I/O lower bound" if least else "the I/O lower bound is 0"
    lines = [
        "",
        f"  {len(plan['tiles']):,} operators run in tiles; all traffic is {moved:,} bytes, {far}",
        f"  with the tilings tried, at least {plan['tiling_bound_bytes']:,} bytes move beyond the compulsory",
        f"  the smallest scratchpad for this graph has {plan['minimum_bytes']:,} bytes",
    ]
    shown = sorted(plan["tiles"], key=lambda t: -t["traffic_bytes"])[:SHOWN_OPERATORS]
    width = max(len("operator"), *(len(t["operator"]) for t in shown))
    lines += ["", f"  {'operator':<{width}}         traffic    I/O bound  times  tiles, outermost loop first"]
    for t in shown:
        times = f"{t['traffic_bytes'] / t['bound_bytes']:.2f}" if t["bound_bytes"] else "-"
        tiles = ", ".join(f"{loop} {t['tiles'][loop]}" for loop in t["loops"]) or "whole loops"
        lines.append(
            f"  {t['operator']:<{width}}  {t['traffic_bytes']:>14,} {t['bound_bytes']:>12,}  {times:>5}  {tiles}"
        )
    if len(plan["tiles"]) > len(shown):
        lines.append(f"  and {len(plan['tiles']) - len(shown):,} more operators")
    return lines
