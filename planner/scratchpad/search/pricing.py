"""Prices for both directions of a piece, until one is better; then for that alone."""

from __future__ import annotations

import time
from collections.abc import Sequence

from .exact import Search
from .prices import Prices

STEPS = 8
"""between two looks at what is proved"""
TRIED_STEPS = 8
"""in each direction, before one is taken"""
DOWNSETS_PER_S = 5e4
"""whose graph is built"""
MOST_DOWNSETS = 400_000
FIRST_STEPS = 48
"""whatever they gain"""
LEAST_GAIN = 0.01
"""of the value, that makes it worth to start the search again"""


def can_price(searches: Sequence[Search], spare_s: float) -> bool:
    """Whether the graphs of both directions are built in the time [s], and small enough."""
    rows = searches[0].table.rows
    return rows < MOST_DOWNSETS and len(searches) * rows / DOWNSETS_PER_S <= spare_s


class Pricing:
    """The prices of two searches, one of them in the end."""

    def __init__(self, searches: Sequence[Search]) -> None:
        self._open = [(search, Prices(search.tables, search.table)) for search in searches]
        self._steps = 0
        self._handed_bytes = 0.0
        self.bound_bytes = 0
        """proved by prices alone"""
        self.rises = True
        """whether more time can help"""

    def improve(self, upper: int, end: float) -> None:
        """Take steps until the performance counter reads `end`, or no plan below `upper` bytes is left."""
        while self.bound_bytes < upper:
            before = max(prices.value_bytes for _, prices in self._open)
            for _, prices in self._open:
                self._run(prices, upper, end)
            self._steps += STEPS
            if time.perf_counter() > end:
                return
            if self._steps >= TRIED_STEPS and len(self._open) > 1:
                self._choose()
            best = max(prices.value_bytes for _, prices in self._open)
            if self._steps > FIRST_STEPS and best - before < LEAST_GAIN / 4 * abs(best) / STEPS:
                self.rises = False
                return

    def _run(self, prices: Prices, upper: int, end: float) -> None:
        if prices.bound_bytes < 0:
            prices.settle(upper)
        for _ in range(STEPS):
            if time.perf_counter() > end:
                break
            prices.improve()
        prices.settle(upper)
        self.bound_bytes = max(self.bound_bytes, prices.bound_bytes)

    def _choose(self) -> None:
        """Keep the direction that proves more."""
        best = max(self._open, key=lambda pair: pair[1].value_bytes)
        for search, _ in self._open:
            if search is not best[0]:
                search.drop()
        self._open = [best]

    def hand_over(self) -> None:
        """Start the search again with better prices, if they are."""
        for search, prices in self._open:
            gain = prices.value_bytes - self._handed_bytes
            if len(self._open) == 1 and gain > max(LEAST_GAIN * prices.value_bytes, 0.25 * prices.grain):
                self._handed_bytes = prices.value_bytes
                search.price(prices)
