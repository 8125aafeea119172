"""What a tiled loop nest holds and moves, counted from the turns of its loops: the validator's own way.

Tiles follow each other as on an odometer: at a turn one loop goes on by a chunk, and the loops inside it go back to
their first. Before the first turn every operand is brought in once. At a turn an operand's tile changes if a loop that
indexes it went on or back; then it is brought in anew, less what a window that merely moved on still holds. The
positions to which one loop goes on are counted together: all of the loops outside it, all but the first of its own, the
first of those inside.

(69) volume(X) = size(X at the first position) + sum over loops l of sum over the positions to which l goes on
                 of size(X there) - kept(X there), if a loop of X went on or back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from .nest import Axis, Nest, Operand, Window

Span = tuple[int, int]


@dataclass(frozen=True)
class Recount:
    """Tiles of the loops `order`, outermost first; loops that are not in it are not cut."""

    nest: Nest
    order: Sequence[str]
    tiles: Mapping[str, int]

    def spans(self, loop: str) -> list[Span]:
        """First index and the one past the last, of each chunk."""
        extent = self.nest.extent[loop]
        size = self.tiles[loop] if loop in self.order else extent
        return [(start, min(start + size, extent)) for start in range(0, extent, size)]

    def held_bytes(self, operand: Operand, alignment: int) -> int:
        """Bytes of its largest tile, rounded up to the alignment."""
        most = prod(max(self.sizes(axis, None).values()) for axis in operand.axes)
        return -(-most * operand.held_bytes // alignment) * alignment

    def moved_bytes(self, operand: Operand) -> int:
        """Bytes of the operand in and out while the nest runs; what is read counts whole at least."""
        if operand.role == "scratch":
            return 0
        volume, whole = self.volume(operand), self.nest.whole_bytes(operand)
        if operand.role == "input":
            return max(whole, volume * operand.element_bytes)
        partial = operand.element_bytes if operand.role == "state" else operand.held_bytes
        again = 2 * (volume - whole // operand.element_bytes) * partial
        return again if operand.role == "state" else whole + again

    def volume(self, operand: Operand) -> int:
        """Elements brought in, by equation (69)."""
        start = prod(self.sizes(axis, {loop: range(1) for loop in self.order})[0, 0] for axis in operand.axes)
        return start + sum(self._turned(operand, at) for at in range(len(self.order)))

    def _turned(self, operand: Operand, at: int) -> int:
        """Elements brought in at all turns at which the loop `order[at]` goes on."""
        changed = [loop for loop in self.order[at:] if loop in operand.loops and len(self.spans(loop)) > 1]
        if not changed:
            return 0
        turning = self.order[at]
        counts = {loop: len(self.spans(loop)) for loop in self.order}
        places = {loop: range(counts[loop]) for loop in self.order[:at]} | {turning: range(1, counts[turning])}
        places |= {loop: range(1) for loop in self.order[at + 1 :]}
        times = prod(len(places[loop]) for loop in self.order[: at + 1] if loop not in operand.loops)
        for axis in operand.axes:
            moves_on = changed == [turning] and isinstance(axis, Window) and axis.outer == turning
            if moves_on and len(self.spans(axis.inner)) == 1:  # type: ignore[union-attr]
                times *= self._new(axis)  # type: ignore[arg-type]
            else:
                times *= sum(self.sizes(axis, places).values())
        return times

    def sizes(self, axis: Axis, places: Mapping[str, range] | None) -> dict[tuple[int, int], int]:
        """Elements along an axis by the chunks of its loop, or of its two loops; all of them, or those at `places`."""
        outer, inner = (axis, None) if isinstance(axis, str) else (axis.outer, axis.inner)
        found = {}
        for i, one in enumerate(self.spans(outer)):
            for j, other in enumerate(self.spans(inner) if inner is not None else [(0, 1)]):
                here = places is None or (
                    i in places.get(outer, range(1)) and (inner is None or j in places.get(inner, range(1)))
                )
                if here:
                    low, high = one if isinstance(axis, str) else _seen(axis, one, other)
                    found[i, j] = high - low
        return found

    def _new(self, window: Window) -> int:
        """Elements that its places see and the places just before did not, the first places apart."""
        whole = (0, self.nest.extent[window.inner])
        seen = [_seen(window, span, whole) for span in self.spans(window.outer)]
        both = (max(0, min(a[1], b[1]) - max(a[0], b[0])) for a, b in pairwise(seen))
        return sum(high - low for low, high in seen[1:]) - sum(both)


def _seen(window: Window, outer: Span, inner: Span) -> Span:
    """The elements inside the image that a tile's places see."""
    low = outer[0] * window.stride + inner[0] * window.dilation - window.pad
    high = (outer[1] - 1) * window.stride + (inner[1] - 1) * window.dilation - window.pad + 1
    low = min(max(low, 0), window.size)
    return low, max(low, min(high, window.size))
