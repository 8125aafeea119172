"""Prices for both directions of a piece, until one is better; then for that alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .exact import Search
from .ladder import Ladder

STEPS = 16
"""between two looks at what is proved"""
WINDOW = 48
"""between two looks at what steps gain; one in each direction, before one is taken"""
DOWNSETS_PER_S = 5e4
"""whose graph is built"""
MOST_DOWNSETS = 300_000
CLIMB_GAIN = 0.02
"""of the value in a window, below which the next rung gains more"""
LEAST_GAIN = 0.01
"""of the value, that makes it worth to start the search again"""


def can_price(searches: Sequence[Search], spare_s: float) -> bool:
    """Whether the graphs of both directions are built in the time [s], and small enough."""
    rows = searches[0].table.rows
    return rows < MOST_DOWNSETS and len(searches) * rows / DOWNSETS_PER_S <= spare_s


class Pricing:
    """The prices of two searches, one of them in the end."""

    def __init__(self, searches: Sequence[Search]) -> None:
        self._open = [(search, Ladder(search.piece, search.table, MOST_DOWNSETS)) for search in searches]
        self._steps = 0
        """in this window"""
        self._before = 0.0
        """value at its start [bytes]"""
        self._handed_bytes = 0.0
        self.bound_bytes = 0
        """proved by prices alone"""
        self.rises = True
        """whether more time can help"""

    def improve(self, upper: int, end: float) -> None:
        """Take steps until the performance counter reads `end`, or no plan below `upper` bytes is left."""
        while self.bound_bytes < upper and self.rises and time.perf_counter() < end:
            for _, ladder in self._open:
                self._run(ladder, upper, end)
            self._steps += STEPS
            if self._steps < WINDOW or time.perf_counter() > end:
                continue
            if len(self._open) > 1:
                self._choose()
            else:
                self._look()
            self._steps, self._before = 0, self._open[0][1].prices.value_bytes

    def _run(self, ladder: Ladder, upper: int, end: float) -> None:
        if ladder.prices.bound_bytes < 0:
            ladder.settle(upper)
        for _ in range(STEPS):
            if time.perf_counter() > end:
                break
            ladder.prices.improve()
        ladder.settle(upper)
        self.bound_bytes = max(self.bound_bytes, ladder.bound_bytes)

    def _choose(self) -> None:
        """Keep the direction that proves more."""
        best = max(self._open, key=lambda pair: pair[1].prices.value_bytes)
        for search, _ in self._open:
            if search is not best[0]:
                search.drop()
        self._open = [best]

    def _look(self) -> None:
        """Go to the next rung when more steps on this gain too little; end on the last one."""
        ladder = self._open[0][1]
        gain = ladder.prices.value_bytes - self._before
        if gain <= CLIMB_GAIN * abs(ladder.prices.value_bytes):
            self.rises = ladder.climb()

    def hand_over(self) -> None:
        """Start the search again with better prices, if they are those of the whole piece."""
        for search, ladder in self._open:
            prices = ladder.prices
            gain = prices.value_bytes - self._handed_bytes
            is_better = gain > max(LEAST_GAIN * prices.value_bytes, 0.25 * prices.grain)
            if len(self._open) == 1 and ladder.is_whole and is_better:
                self._handed_bytes = prices.value_bytes
                search.price(prices)
