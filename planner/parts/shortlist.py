"""What plans of so much money may take of a large graph: told by arrays, and the rest is never written down."""

from __future__ import annotations

import math
from functools import cached_property

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..candidates.survey import ROUNDING
from ..placement.problem import PlacementProblem
from ..placement.search.clock import Clock
from .part import Part, joined, paid_anyway, parts_of


class ByWays:
    """`placement.search.shortlist.Shortlist` of a graph whose parts share no pools."""

    def __init__(self, setting: Setting, frame: PlacementProblem, clock: Clock) -> None:
        """`frame` is the problem without pools; TimeUp where the clock is over before all ways are known."""
        self.setting, self.frame = setting, frame
        self.parts = parts_of(setting, frame, clock)

    @cached_property
    def _anyway(self) -> float:
        return paid_anyway(self.frame.devices)

    def least_usd(self, on: str = "") -> float:
        """`Shortlist.least_usd`: the parts at their least, one of them with something on the device."""
        least = self._anyway + sum(part.bound for part in self.parts)
        if not on or math.isinf(least):
            return least
        return least + min(part.least_with(on) - part.bound for part in self.parts)

    def within(self, most_usd: float, on: str = "") -> PlacementProblem:
        """`Shortlist.within`"""
        return joined(self.setting, self.frame, (self._candidates(part, most_usd, on) for part in self.parts))

    def with_all_on(self, device: str, most_usd: float) -> PlacementProblem:
        """`Shortlist.with_all_on`"""
        left = ((part, self._left_for(part, most_usd)) for part in self.parts)
        return joined(self.setting, self.frame, (part.candidates(usd, 0.0, {device: math.inf}) for part, usd in left))

    def _candidates(self, part: Part, most_usd: float, on: str) -> Candidates:
        usd = self._left_for(part, most_usd)
        if not on:
            return part.candidates(usd)
        # Pools elsewhere are beside one on the device, of this part or of another one.
        rises = (other.least_with(on) - other.bound for other in self.parts if other is not part)
        return part.candidates(usd - min([part.rise_beside(on), *rises]), usd, {on: usd})

    def _left_for(self, part: Part, most_usd: float) -> float:
        """What a plan of so much money leaves for one part, the others at their least."""
        others = sum(other.bound for other in self.parts if other is not part)
        return (most_usd - self._anyway - others) * (1 + ROUNDING)
