"""The plan that holds at every corner of the box and costs least where it costs most, by constraint generation.

`docs/math/placement.md`, "Ranges": solve at the worst corner, hold the plan against the others, cut off what breaks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from ..placement.problem import PlacementProblem
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock
from ..placement.search.rounds import OPTIMAL_GAP
from ..sensitivity.same_plan import Outcome, hardware

MOST_CUTS = 300
"""Plans cut off at most: after so many the search ends without a proof."""

Hold = Callable[[int, PlacementResult], Outcome]
"""What a plan of the worst corner's problem comes to at the corner of that number."""
Best = Callable[[PlacementProblem, float | None], PlacementResult]
Options = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Robust:
    """What the search found."""

    problem: PlacementProblem
    """that of the worst corner, with what was cut off"""
    result: PlacementResult
    """of `problem`; without a placement where no plan holds everywhere, or none was found"""
    worst: float | None = None
    """the greatest objective at any corner"""
    broken: tuple[str, ...] = ()
    """what plans that were cut off broke"""


def best_everywhere(base: PlacementProblem, corners: int, hold: Hold, best: Best, clock: Clock) -> Robust:
    """The plan of `base` that holds at corners 1 to `corners` too, of the least of the greatest objectives.

    `base` is the problem at corner 0. Each round's optimum is a bound: no plan's greatest objective is under that at
    corner 0. The rounds end, for each takes a plan away.
    """
    cuts: list[Options] = []
    broken: dict[str, None] = {}
    found, first = Robust(base, PlacementResult("unknown")), 1
    while True:
        p = replace(base, one_of=(*base.one_of, *cuts))
        result = best(p, clock.left)
        if result.objective is None or (found.worst is not None and result.objective >= found.worst):
            over = result.status in ("optimal", "infeasible")
            return _ended(found, result if over else replace(result, status="unknown"), p, tuple(broken))
        worst, names, corner = _held(result, corners, first, hold)
        if names:
            first = corner
            broken |= dict.fromkeys(names)
            cuts += _cuts(p, result, names)
        elif found.worst is None or worst < found.worst:
            found = Robust(p, result, worst, tuple(broken))
        if not names:
            if worst <= result.objective * (1 + OPTIMAL_GAP):
                return replace(found, broken=tuple(broken))
            cuts.append(_others(p, result))
        if len(cuts) > MOST_CUTS or clock.over:
            left = replace(result, status="unknown", objective=None)
            return _ended(found, left, p, tuple(broken))


def _held(result: PlacementResult, corners: int, first: int, hold: Hold) -> tuple[float, tuple[str, ...], int]:
    """(54) The greatest objective at any corner; or what breaks at one, and which: what broke last comes first."""
    assert result.objective is not None
    worst = result.objective
    for corner in sorted(range(1, corners + 1), key=lambda number: number != first):
        outcome = hold(corner, result)
        if outcome.broken:
            return math.inf, outcome.broken, corner
        worst = max(worst, outcome.value if outcome.value is not None else worst)
    return worst, (), 0


def _ended(found: Robust, last: PlacementResult, p: PlacementProblem, broken: tuple[str, ...]) -> Robust:
    """The best plan so far, proved where nothing better is left; or that there is none, and why."""
    if found.worst is None:
        conflict = tuple(sorted({*last.conflict, *broken})) if last.status == "infeasible" else ()
        return Robust(p, replace(last, conflict=conflict), None, broken)
    assert found.result.objective is not None
    bound = found.result.bound if last.status == "unknown" else max(found.result.bound or -math.inf, found.worst)
    proved = bound is not None and bound >= found.worst * (1 - OPTIMAL_GAP)
    return replace(found, result=replace(found.result, status="optimal" if proved else "feasible"), broken=broken)


def _cuts(p: PlacementProblem, result: PlacementResult, names: tuple[str, ...]) -> Iterator[Options]:
    """(55) What a plan has to take one of, so as not to break the same again."""
    kept = [_other_gaps(p, result, name[len("slo.tbt[") : -1]) for name in names if name.startswith("slo.tbt[")]
    yield from kept or [_others(p, result)]


def _other_gaps(p: PlacementProblem, result: PlacementResult, node: str) -> Options:
    """Options with which a node's gap between tokens is another.

    It depends on the hardware of what decodes, and on where the tokens before came from: on no number of replicas.
    """
    pools = {pool.id: pool for pool in p.pools}
    pieces = {piece.id: piece for piece in p.pieces if piece.node == node}
    taken = {id: pools[result.placements[id]] for id in pieces}
    found = set[tuple[str, str]]()
    for option in p.options:
        if option.piece in pieces:
            pool, own = pools[option.pool], taken[option.piece]
            same = hardware(pool) == hardware(own) if option.tbt_s else pool.location == own.location
            found |= set() if same else {(option.piece, option.pool)}
    return frozenset(found)


def _others(p: PlacementProblem, result: PlacementResult) -> Options:
    """Every option that the plan does not take."""
    return frozenset((o.piece, o.pool) for o in p.options if result.placements[o.piece] != o.pool)
