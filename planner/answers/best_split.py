"""The best plan over all ways to split the traffic of nodes, none among them: one problem each, one proof for all."""

from __future__ import annotations

import math
from dataclasses import replace

from ..placement.search.clock import Clock
from ..placement.search.rounds import OPTIMAL_GAP
from ..posing.pose import Posed
from .answer import Answer, Ask


def best_split(posed: Posed, ask: Ask, time_limit_s: float | None) -> Answer:
    """The answer to the best of the choices; equal ones go to the fewest classes. The bound is the least of all.

    Each has its share of the time that the ones before left, half of it while there is no plan. Without a plan the
    conflict is that of the problem with all classes. Where time is over, or the user interrupts, the choices that are
    left are not tried, and nothing is proved of them.
    """
    ways = posed.split_choices
    if len(ways) == 1:
        return ask(posed, None, time_limit_s)
    clock, found = Clock(time_limit_s), list[Answer]()
    best: Answer | None = None
    for number, kept in enumerate(ways):
        parts = len(ways) - number if best is not None else min(2, len(ways) - number)
        share = Clock(None if clock.left is None else clock.left / parts)
        answer = ask(posed.at_splits(kept), math.inf if best is None else best.value, share.left)
        found.append(answer)
        if answer.result.objective is not None and (best is None or _is_better(answer.value, best.value)):
            best = answer
        if clock.over or not (answer.proved or share.over):
            break
    if best is None:
        if len(found) == len(ways) and all(answer.proved for answer in found):
            return ask(posed, None, clock.left)
        return Answer(posed, replace(found[-1].result, status="unknown"))
    others = [answer.bound for answer in found if answer is not best and not answer.proved]
    result = replace(best.result, stats=replace(best.result.stats, seconds=clock.spent))
    left = [-math.inf for _ in ways[len(found) :]]
    return _with_bound(replace(best, result=result), min([*others, *left], default=math.inf))


def _is_better(value: float, than: float) -> bool:
    return value < than - OPTIMAL_GAP * abs(than)


def _with_bound(best: Answer, others: float) -> Answer:
    """`best` with the proof that is left where other choices may have values down to `others`."""
    if others >= best.value:
        return best
    if best.served is not None:
        return replace(best, served=replace(best.served, bound=max(best.served.bound, -others)))
    bound = None if math.isinf(others) or best.result.bound is None else min(others, best.result.bound)
    result = best.result
    assert result.objective is not None
    gap = None if bound is None else (result.objective - bound) / abs(result.objective or 1.0)
    status = "optimal" if gap is not None and gap <= OPTIMAL_GAP else "feasible"
    return replace(best, result=replace(result, bound=bound, gap=gap, status=status))
