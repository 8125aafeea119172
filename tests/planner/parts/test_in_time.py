"""Plans of large graphs whose parts' cheapest plans are too slow together, and which of equally cheap ones is taken."""

from __future__ import annotations

import math

import pytest

from dovetail.planner.parts.alone.part import Part, parts_of
from dovetail.planner.parts.alone.part_search import PartSearch
from dovetail.planner.parts.prices.in_time import InTime
from dovetail.planner.parts.solve import ByParts
from dovetail.planner.placement.evaluate import Books
from dovetail.planner.placement.search.clock import NO_LIMIT, Clock
from dovetail.planner.placement.search.rounds import OPTIMAL_GAP
from dovetail.planner.placement.search.solve import best_plan, solve
from dovetail.planner.placement.times.judge import Judge
from dovetail.planner.posing.to_problem import frame

from .test_by_parts import posed


def test_what_was_looked_at_for_all_prices_has_cheaper_plans_than_any_price(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a dearer one, often a cheaper one, and never one that breaks a bound."""
    found: list[tuple[float, float]] = []
    compromise = InTime._compromise

    def compared(self: InTime) -> None:
        before = math.inf if self.best is None else self.best.value
        compromise(self)
        if self.best is not None:
            problem, plan = self.joining.problem(self.looked_at), self.best.search.plan
            assert Judge(problem, problem.options).broken(plan) is None
            assert self.best.search.objective(plan) == pytest.approx(self.best.value)
            found.append((before, self.best.value))

    monkeypatch.setattr(InTime, "_compromise", compared)
    for seed in (0, 2, 8, 12, 19):
        it = posed(seed)
        result = ByParts(it.setting, frame(it.setting, it.works, "cost"), OPTIMAL_GAP, "highs", Clock(None)).solve()
        assert result is not None
        assert result[1].objective is not None
        whole = best_plan(it.problem, 20.0).objective
        assert result[1].objective == pytest.approx(whole, rel=2e-6), seed
    assert all(after <= before for before, after in found)
    assert sum(after < before * (1 - 1e-6) for before, after in found) >= 3


def test_of_equally_cheap_plans_of_a_part_the_fastest_is_taken() -> None:
    """The rule of the whole problem, part by part; the only part of a graph has the plan of the whole."""
    faster = 0
    for seed in range(12):
        it = posed(seed)
        bare = frame(it.setting, it.works, "cost")
        for part in parts_of(it.setting, bare, NO_LIMIT):
            each = searched(part)
            if not each.plan:
                continue
            before, usd = seconds(each), each.value
            each.hasten(NO_LIMIT)
            assert seconds(each) <= before * (1 + 1e-9), seed
            assert cost(each) == pytest.approx(usd, rel=2e-6), seed
            faster += seconds(each) < before * (1 - 1e-6)
            alone = solve(part.problem(part.candidates(usd * 1.01)), with_latency=False)
            if alone.status == "optimal":
                assert alone.objective == pytest.approx(usd, rel=2e-6)
                assert seconds(each) <= seconds_of(part, usd, alone.placements) * (1 + 1e-4), seed
    assert faster >= 1


def searched(part: Part) -> PartSearch:
    """Of a part by itself, to its optimum."""
    each = PartSearch(part, "highs")
    while not each.is_over:
        each.step(NO_LIMIT, OPTIMAL_GAP)
    return each


def seconds(each: PartSearch) -> float:
    return seconds_of(each.part, each.value, each.plan)


def seconds_of(part: Part, usd: float, plan: dict[str, str]) -> float:
    """What the mean times of all visits add up to [s]."""
    options = {(o.piece, o.pool): o for o in part.problem(part.candidates(usd * 1.01)).options}
    times = (t for piece, pool in plan.items() for t in options[piece, pool].visits)
    return sum(t.wait.mean + sum(lost.mean for lost in t.lost) + t.total.mean for t in times)


def cost(each: PartSearch) -> float:
    return Books(each.part.problem(each.candidates)).account(each.plan).total
