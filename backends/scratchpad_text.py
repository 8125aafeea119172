"""A scratchpad plan in plain words, for the terminal."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..ir.wording import memory
from .memory_map.occupancy import load_bytes
from .memory_map.spills import spill_lines
from .tiling_text import tiling_lines

Json = dict[str, Any]
SHOWN_TENSORS = 10
SHOWN_SPILLS = 10


def scratchpad_text(plan: Json, name: str) -> str:
    """
    `plan`, the document of `dovetail scratchpad --json`, of the graph `name`, in words.

    What is moved, how far that is proved, how full the scratchpad is, which tensors move most. Ends with a newline.
    """
    loads = load_bytes(plan)
    fullest = max(range(len(loads)), key=loads.__getitem__, default=0)
    lines = [
        f"{name}: {plan['status']}, {len(plan['order']):,} operators on a scratchpad of {memory(plan['size_bytes'])}",
        "",
        f"  compulsory traffic      {memory(plan['compulsory_bytes']):>12}   inputs, parameters and outputs, once each",
        f"  non-compulsory traffic  {memory(plan['noncompulsory_bytes']):>12}   {_moves(plan)}",
        f"  lower bound             {memory(plan['lower_bound_bytes']):>12}   {_gap(plan)}",
    ]
    if loads:
        share = 100 * loads[fullest] / plan["size_bytes"] if plan["size_bytes"] else 0.0
        text = f"{share:.1f} % at step {fullest}, `{plan['order'][fullest]}`"
        lines.append(f"  most resident at once   {memory(loads[fullest]):>12}   {text}")
    if plan.get("shares"):
        lines.append(
            f"  in place                {len(plan['shares']):>12,}   outputs that take over the buffer of an input"
        )
    lines += _most_moved(plan) + _why(plan) + tiling_lines(plan)
    lines.append(f"\nplanned in {plan['seconds']:.2f} s")
    return "\n".join(lines) + "\n"


def _moves(plan: Json) -> str:
    kinds = Counter(move["kind"] for move in plan["moves"])
    if not kinds:
        return "nothing is spilled or reloaded"
    tensors = len({move["tensor"] for move in plan["moves"]})
    return f"{_count(kinds['spill'], 'spill')}, {_count(kinds['reload'], 'reload')}, {_count(tensors, 'tensor')}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _gap(plan: Json) -> str:
    moved, bound = plan["noncompulsory_bytes"], plan["lower_bound_bytes"]
    if moved <= bound:
        return "proved: no order and no plan moves less"
    return f"over all orders; gap {memory(moved - bound)}, {100 * (moved - bound) / moved:.1f} %"


def _most_moved(plan: Json) -> list[str]:
    """A table of the tensors that move most."""
    moved: Counter[str] = Counter()
    kinds: Counter[tuple[str, str]] = Counter()
    for move in plan["moves"]:
        moved[move["tensor"]] += move["bytes"]
        kinds[move["tensor"], move["kind"]] += 1
    if not moved:
        return []
    shown = moved.most_common(SHOWN_TENSORS)
    width = max(len("tensor"), *(len(tensor) for tensor, _ in shown))
    lines = ["", f"  {'tensor':<{width}}  spills  reloads         bytes"]
    for tensor, size in shown:
        lines.append(
            f"  {tensor:<{width}}  {kinds[tensor, 'spill']:>6}  {kinds[tensor, 'reload']:>7}  {memory(size):>12}"
        )
    if len(moved) > len(shown):
        lines.append(f"  and {len(moved) - len(shown):,} more tensors")
    return lines


def _why(plan: Json) -> list[str]:
    """Where tensors leave, and who needs their room."""
    lines = [f"  {line}" for line in spill_lines(plan, SHOWN_SPILLS)]
    return ["", *lines] if lines else []
