"""Why a large graph can have no plan: shown before any is sought, of all parts together, where relaxations show it.

A bound on whole requests, where they take longer even if nothing waits and each piece is where it is fastest. Counts
and the rate, where whole devices are too few even if nodes are parted among them. `docs/math/placement.md`, "Large
graphs", says why both are proofs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ...candidates.setting import Setting, unpin
from ...placement.problem import Bound, PlacementProblem
from ...placement.search.clock import Clock, TimeUp
from ...placement.search.conflict import irreducible
from ...placement.times.judge import WHOLE
from ..alone.part import Part, parts_of
from .at_best import at_best
from .too_few import TooFew

ROUNDING = 1e-9
TIME_S = 10.0
"""Time that making a conflict irreducible may take [s]."""


@dataclass(frozen=True)
class Impossible:
    """Constraints that exclude each other."""

    conflict: tuple[str, ...]
    needed: Mapping[str, float]
    """Of those that have a size: what ends the conflict, if anything does, is no less; of the rate, no more."""


def impossible(
    setting: Setting, parts: Sequence[Part], whole: PlacementProblem, solver: str, clock: Clock
) -> Impossible | None:
    """What a relaxation shows to exclude every plan; None where none does, or in the time."""
    options = [o for part in parts for o in part.fastest()]
    if {q.id for q in whole.pieces} - {o.piece for o in options if not o.excluded_by}:
        return None  # what has no place at all is told by itself
    pins = sorted({o.excluded_by for o in options if o.excluded_by})
    try:
        for b in whole.bounds:
            if b.kind in WHOLE and (found := _too_slow(parts, whole, b, pins, clock)) is not None:
                return found
        return _too_few(setting, parts, whole, pins, solver, clock)
    except TimeUp:
        return None


def _too_slow(
    parts: Sequence[Part], whole: PlacementProblem, b: Bound, pins: Sequence[str], clock: Clock
) -> Impossible | None:
    """A bound on whole requests that the fastest ways break, with the pins that they break it by."""
    least_s = at_best(parts, whole, frozenset(), clock).least_s(b)
    if least_s <= b.limit_s * (1 + ROUNDING):
        return None
    soon = clock.at_most(TIME_S)

    def keeps(gone: Collection[str]) -> bool | None:
        try:
            return at_best(parts, whole, gone, soon).least_s(b) <= b.limit_s * (1 + ROUNDING)
        except TimeUp:
            return None

    kept = irreducible(pins, keeps)
    return Impossible((b.name, *kept), {b.name: least_s})


def _too_few(
    setting: Setting, parts: Sequence[Part], whole: PlacementProblem, pins: Sequence[str], solver: str, clock: Clock
) -> Impossible | None:
    """Counts that whole devices break at this rate, with all pins where they break none without."""
    pinned = TooFew(parts, whole, solver, clock)
    if pinned.serves(()) is not False:
        return None
    if pins:
        free = replace(setting, graph=setting.graph.clone())
        for name in pins:
            unpin(free.graph, name.removeprefix("place[").removesuffix("]"))
        anywhere = TooFew(parts_of(free, whole), whole, solver, clock)
        if anywhere.serves(()) is False:
            return _shrunk(anywhere, ())
    return _shrunk(pinned, pins)


def _shrunk(few: TooFew, pins: Sequence[str]) -> Impossible:
    """The conflict of devices that are not enough, and what is needed."""
    conflict = replace(few, clock=few.clock.at_most(TIME_S)).conflict()
    needed = replace(few, clock=few.clock.at_most(TIME_S)).needed(conflict)
    return Impossible((*pins, *conflict), needed)
