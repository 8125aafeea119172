"""Too few devices for the rate: which counts exclude every plan of all parts together, and how many would be enough.

By the relaxation (65) of `docs/math/placement.md`: what it has no plan for has none.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from ...candidates.survey import Survey
from ...placement.model.variables import Expr
from ...placement.problem import UNLIMITED, Bound, PlacementProblem
from ...placement.search.clock import Clock
from ...placement.search.conflict import irreducible
from ...placement.search.engine import Outcome, run
from ..alone.part import Part
from ..alone.whole_devices import ENOUGH, TIME_S, WholeDevices

HALVINGS = 8
"""Steps in which the largest rate is found: to half a percent."""
RATE = "rate"


@dataclass
class TooFew:
    """Whole devices for all parts, within the counts of the fleet."""

    parts: Sequence[Part]
    whole: PlacementProblem
    solver: str
    clock: Clock
    _surveys: dict[tuple[Bound, ...], list[Survey]] = field(default_factory=dict)
    _known: dict[tuple[tuple[Bound, ...], float], WholeDevices] = field(default_factory=dict)

    @property
    def bounds(self) -> list[str]:
        """Names of the bounds on single nodes."""
        return [b.name for b in self.whole.bounds if b.node]

    @property
    def sizes(self) -> list[str]:
        """Names of the counts and the rate."""
        return [*(_count(d.name) for d in self.whole.devices if d.max_count < UNLIMITED), RATE]

    def conflict(self) -> tuple[str, ...]:
        """Of devices that are not enough: constraints that exclude each other, as few as there was time to find."""
        if self.serves(self.bounds) is False:
            return irreducible(self.sizes, lambda gone: self.serves([*self.bounds, *gone]))
        return irreducible([*self.bounds, *self.sizes], self.serves)

    def serves(self, gone: Collection[str], share: float = 1.0) -> bool | None:
        """Whether devices may be enough for so much of the rate without the constraints of some names.

        None where time is up first.
        """
        out = self._least(gone, share)
        return {"optimal": True, "infeasible": False}.get(out.status)

    def needed(self, conflict: Sequence[str]) -> dict[str, float]:
        """Of the rate in a conflict the most that may end it [req/s]; of each count, the fewest devices."""
        found: dict[str, float] = {}
        gone = [name for name in (*self.bounds, *self.sizes) if name not in conflict]
        share = self._most(gone) if RATE in conflict else 1.0
        if share < 1 and self.whole.rate_per_s is not None:
            found[RATE] = self.whole.rate_per_s * share
        for d in self.whole.devices:
            if _count(d.name) in conflict:
                bound = self._least([*gone, _count(d.name)], fewest=d.name).bound
                if bound is not None and bound > d.max_count:
                    found[_count(d.name)] = math.ceil(bound * (1 - 2 * ENOUGH))
        return found

    def _most(self, gone: Collection[str]) -> float:
        """The least share of the rate that was found to be too much."""
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self.serves(gone, middle) is False else (middle, high)
        return high

    def _least(self, gone: Collection[str], share: float = 1.0, fewest: str = "") -> Outcome:
        """Whether devices are enough; with the `fewest` of one kind."""
        soon = self.clock.at_most(TIME_S)
        if soon.over:
            return Outcome("stopped")
        relaxed = self._relaxed(gone, 0.0 if RATE in gone else share)
        relaxed.allow({d.name: math.inf if _count(d.name) in gone else d.max_count for d in self.whole.devices})
        relaxed.m.setObjective(relaxed.taken(fewest) if fewest else Expr())
        out = run(relaxed.m, relaxed, self.solver, soon.left, gap=ENOUGH)
        if out.interrupted:
            self.clock.stop()
        return out

    def _relaxed(self, gone: Collection[str], share: float) -> WholeDevices:
        """At a share of the rate, without some bounds on nodes."""
        bounds = tuple(b for b in self.whole.bounds if b.node and b.name not in gone)
        if bounds not in self._surveys:
            ways = [part.ways for part in self.parts if part.ways is not None]
            all_hold = len(bounds) == len(self.bounds)
            self._surveys[bounds] = [(each if all_hold else each.bounded(bounds)).survey for each in ways]
        if (bounds, share) not in self._known:
            most = {d.name: d.max_count for d in self.whole.devices}
            self._known[bounds, share] = WholeDevices([_at(share, each) for each in self._surveys[bounds]], most)
        return self._known[bounds, share]


def _count(device: str) -> str:
    return f"count[{device}]"


def _at(share: float, survey: Survey) -> Survey:
    """A survey at so much of the rate."""
    return replace(survey, roles={role: replace(it, load=it.load * share) for role, it in survey.roles.items()})
