"""A problem with those pools alone that plans of so much money may take: few, where its best plan is known."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Protocol

from ..problem import PlacementProblem
from .cutoff import Rises
from .presolve import with_options, without_hopeless


class Shortlist(Protocol):
    """The problems of a question, cut to what plans of some cost may take."""

    @property
    def frame(self) -> PlacementProblem:
        """The problem, with whatever pools."""
        ...

    def least_usd(self, on: str = "") -> float:
        """No plan, or none with something on that device, costs less [USD/h, or USD/request without a rate].

        Infinite where none can be.
        """
        ...

    def within(self, most_usd: float, on: str = "") -> PlacementProblem:
        """With every pool that a plan may take that costs no more, and has something on that device; all if infinite.

        Others may be there.
        """
        ...

    def with_all_on(self, device: str, most_usd: float) -> PlacementProblem:
        """With every pool on a device beside those that a plan may take that costs no more."""
        ...


class Written:
    """Cut from a problem that is written down with all of its pools."""

    def __init__(self, problem: PlacementProblem) -> None:
        self.frame = problem
        self._known: dict[float, PlacementProblem] = {}

    @cached_property
    def _rises(self) -> Rises:
        return Rises(without_hopeless(self.frame))

    def least_usd(self, on: str = "") -> float:
        """`Shortlist.least_usd`"""
        rises = self._rises
        if not on:
            return rises.least.whole
        own = (o for o in rises.least.p.options if rises.least.pools[o.pool].device == on)
        return rises.least.whole + min(map(rises.of, own), default=math.inf)

    def within(self, most_usd: float, on: str = "") -> PlacementProblem:
        """`Shortlist.within`; what is on which device is left to who asks for it."""
        if math.isinf(most_usd) or self.frame.objective != "cost":
            return self.frame
        if most_usd not in self._known:
            rises, slack = self._rises, most_usd - self._rises.least.whole
            self._known[most_usd] = with_options(
                rises.least.p, [o for o in rises.least.p.options if rises.of(o) <= slack]
            )
        return self._known[most_usd]

    def with_all_on(self, device: str, most_usd: float) -> PlacementProblem:
        """`Shortlist.with_all_on`"""
        return self.frame
