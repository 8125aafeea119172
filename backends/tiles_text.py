"""The tiles that were timed, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..costmodel.text_table import table

HEADS = ("piece", "kernel", "shape", "launches", "tile of the cost model", "ms", "fastest tile", "ms", "times faster")


def tiles_text(document: Mapping[str, Any] | None) -> str:
    """What `dovetail compile --autotune` prints: a row for each launch that differs, and how many got another tile."""
    if document is None:
        return "tiles: nothing to time, since no piece runs as Triton kernels\n"
    launches = [(piece["piece"], launch) for piece in document["pieces"] for launch in piece["launches"]]
    others = sum(launch["tile"] != launch["of_cost_model"] for _, launch in launches)
    said = f"{others} of {len(launches)} launches that differ got another tile than the cost model's"
    return f"{table(HEADS, [_row(name, launch) for name, launch in launches])}\n{said}\n"


def _row(piece: str, launch: Mapping[str, Any]) -> tuple[str, ...]:
    ms = {_tile(timed["tile"]): timed["ms"] for timed in launch["times"]}
    first, chosen = _tile(launch["of_cost_model"]), _tile(launch["tile"])
    faster = f"{ms[first] / ms[chosen]:.2f}" if ms[first] and ms[chosen] else "-"
    times = [("refused" if ms[tile] is None else f"{ms[tile]:.4g}") for tile in (first, chosen)]
    count = str(launch["launches"])
    return (piece, launch["kernel"], launch["shape"], count, first, times[0], chosen, times[1], faster)


def _tile(tile: Mapping[str, int]) -> str:
    """As `64 x 128 x 32, 8 warps, 3 stages`."""
    blocks = [str(size) for key, size in tile.items() if key.startswith("block")]
    others = [_counted(value, key.removeprefix("num_")) for key, value in tile.items() if not key.startswith("block")]
    return ", ".join([" x ".join(blocks), *others])


def _counted(number: int, what: str) -> str:
    return f"{number} {what.removesuffix('s') if number == 1 else what}"
