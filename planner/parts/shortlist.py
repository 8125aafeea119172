"""What plans of so much money may take of a large graph: told by arrays, and the rest is never written down."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property

from ..candidates.least_prices import Candidates
from ..candidates.setting import Setting
from ..candidates.survey import ROUNDING
from ..placement.problem import PlacementProblem
from ..placement.search.clock import Clock
from .alone.part import Part, joined, paid_anyway, parts_of

DIGITS = 6
"""Of costs."""


class ByWays:
    """`placement.search.shortlist.Shortlist` of a graph whose parts share no pools."""

    def __init__(self, setting: Setting, frame: PlacementProblem, parts: Sequence[Part]) -> None:
        """`frame` is the problem without pools."""
        self.setting, self.frame, self.parts = setting, frame, parts
        self._known: dict[tuple[int, float], Candidates] = {}

    @classmethod
    def of(cls, setting: Setting, frame: PlacementProblem, clock: Clock) -> ByWays:
        """TimeUp where the clock is over before all ways are known."""
        return cls(setting, frame, parts_of(setting, frame, clock))

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
        rise = self.least_usd(on) - self.least_usd() if on and math.isfinite(most_usd) else 0.0
        usd = _rounded_up(most_usd - rise)
        left = (self._left_for(part, usd) + self._own_rise(part, on, rise) for part in self.parts)
        sets = [self._candidates(number, usd) for number, usd in enumerate(left)]
        return joined(self.setting, self.frame, [*sets, *self._candidates_on(on, usd + rise)])

    def with_all_on(self, device: str, most_usd: float) -> PlacementProblem:
        """`Shortlist.with_all_on`"""
        left = ((part, self._left_for(part, most_usd)) for part in self.parts)
        return joined(self.setting, self.frame, (part.candidates(usd, 0.0, {device: math.inf}) for part, usd in left))

    def _candidates(self, number: int, usd: float) -> Candidates:
        """Of one part, with so much for it."""
        if (number, usd) not in self._known:
            self._known[number, usd] = self.parts[number].candidates(usd)
        return self._known[number, usd]

    def _candidates_on(self, device: str, most_usd: float) -> Iterator[Candidates]:
        """Of each part, on a device that plans of so much money have something on."""
        for part in self.parts if device else ():
            found = part.candidates(-math.inf, 0.0, {device: self._left_for(part, most_usd)})
            yield [(pool, options) for pool, options in found if pool.device == device]

    def _own_rise(self, part: Part, on: str, rise: float) -> float:
        """What is left for a part beside (74): where it has the device itself, its other pools may cost more."""
        if not rise:
            return 0.0
        others = [other.least_with(on) - other.bound for other in self.parts if other is not part]
        return max(0.0, rise - min([part.rise_beside(on), *others]))

    def _left_for(self, part: Part, most_usd: float) -> float:
        """What a plan of so much money leaves for one part, the others at their least."""
        others = sum(other.bound for other in self.parts if other is not part)
        return (most_usd - self._anyway - others) * (1 + ROUNDING)


def _rounded_up(usd: float) -> float:
    """Costs that differ in their last digits alone ask for the same pools."""
    if math.isinf(usd) or usd <= 0:
        return usd
    last = 10.0 ** (math.floor(math.log10(usd)) - DIGITS)
    return math.ceil(usd / last) * last
