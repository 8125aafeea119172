"""Why a plan is as it is, found by solving again: what binds, the next-best plan, devices that are not used.

`docs/math/placement.md`, "Explaining a plan", says what each figure is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from ...ir.diagnostics import DovetailError
from ...ir.split import without_class
from ..conflicts.relaxations import ways_out
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.conflict import irreducible_conflict, without
from ..placement.search.presolve import within
from ..placement.search.rounds import Search
from ..placement.search.solve import best_plan
from ..posing.goals import MINIMISED
from ..record.plan import rounded
from ..sensitivity.question import Question, question_of
from ..sensitivity.same_plan import Held, held, held_by, outcome

LOOSER = 1.1
"""Bounds and limits are moved by a tenth."""
NEAR = (2.0, 8.0)
"""Plans that cost up to so many times what the plan does are looked at before all are."""
EQUAL = 1e-6
"""Objectives within this share are one."""
Json = dict[str, Any]
Progress = Callable[[str], None]
Forced = Callable[[PlacementProblem], PlacementProblem | None]
"""A problem with a constraint more; None where none of its options keeps it."""


class Explanation:
    """What could be found about one plan in the time."""

    def __init__(self, plan: Json, time_limit_s: float | None = None, solver: str = "highs") -> None:
        self.plan, self.solver, self.clock = plan, solver, Clock(time_limit_s)
        self.left = self.clock
        self.question = question_of(plan)
        self.problem = self.question.problem()
        self.chosen = held_by(plan, self.problem)
        stated: float = plan["objective"]["value"]  # a mean stands with the waits that it is planned with
        value = stated if self.problem.objective == "latency" else outcome(self.problem, self.chosen).value
        assert value is not None
        self.value = value
        self._within: dict[float, PlacementProblem] = {}
        self.found: Json = {"value": value, "unit": _unit(plan, self.problem), "missing": []}

    def run(self, on_progress: Progress | None = None) -> Json:
        """`explanation` of plan.json; what there was no time for stands under `missing`.

        Each question has its share of the time that those before left, so that none takes all of it.
        """
        parts = (("binding", self._binding), ("next_best", self._next_best), ("unused", self._unused))
        for number, (name, part) in enumerate(parts):
            self.found[name] = []
            if self.clock.left is not None:
                self.left = self.clock.at_most(self.clock.left / (len(parts) - number))
            if on_progress is not None:
                on_progress(f"explaining: {name}")
            try:
                for row in part():
                    self.found[name].append(row)
            except TimeUp:
                self.found["missing"].append(name)
            except KeyboardInterrupt:
                # Who stops one question stops all that follow.
                self.clock.stop()
                self.found["missing"].append(name)
        return rounded(self.found)

    def _best(self, problem: PlacementProblem, below: float = math.inf) -> PlacementResult:
        """The best plan of another problem of an objective under `below`; TimeUp where time is over first."""
        self.left.check()
        result = best_plan(problem, self.left.left, self.solver, below)
        if result.status not in ("optimal", "infeasible"):
            raise TimeUp
        return result

    def _best_forced(self, forced: Forced) -> PlacementResult:
        """The best plan with a constraint more, of what plans of some cost may take where one of them is found."""
        for times in NEAR if self.problem.objective == "cost" and self.value > 0 else ():
            near = forced(self._near(times))
            result = None if near is None else self._best(near, times * self.value)
            if result is not None and result.objective is not None:
                return result
        whole = forced(self.problem)
        assert whole is not None
        return self._best(whole)

    def _near(self, times: float) -> PlacementProblem:
        """The problem with the options that a plan may take which costs so many times what this plan does, or less."""
        if times not in self._within:
            self.left.check()
            self._within[times] = within(self.problem, times * self.value)
        return self._within[times]

    def _binding(self) -> Iterator[Json]:
        """Each bound, count or limit that binds moved by one step, and what that saves."""
        for name in self.plan["binding"]:
            try:
                step, problem = self._moved(name)
            except DovetailError:
                continue
            whole = without(self.problem, [name])
            yield {"name": name, "step": step, "saves": self._saved(problem), "without": self._saved(whole)}

    def _saved(self, problem: PlacementProblem) -> float:
        """How much better the best plan of another problem is."""
        result = self._best(problem, self.value - EQUAL * abs(self.value))
        return 0.0 if result.objective is None else self.value - result.objective

    def _moved(self, name: str) -> tuple[str, PlacementProblem]:
        """The step in words, and the problem with it."""
        if name.startswith("count["):
            device = name[len("count[") : -1]
            spec = next(spec for spec in self.question.fleet.devices if spec.name == device)
            more = next(d.chassis for d in self.problem.devices if d.name == device)
            moved = replace(spec, max_count=(spec.max_count or spec.owned) + more)
            return f"{more} more", _with_device(self.question, moved).problem()
        for bound in self.problem.bounds:
            if bound.name == name:
                looser = replace(bound, limit_s=bound.limit_s * LOOSER)
                bounds = tuple(looser if b is bound else b for b in self.problem.bounds)
                return f"{looser.limit_s:.4g} s", replace(self.problem, bounds=bounds)
        for bound in self.problem.quality_bounds:
            if bound.name == name:
                lower = replace(bound, least=bound.least / LOOSER)
                bounds = tuple(lower if b is bound else b for b in self.problem.quality_bounds)
                return f"{lower.least:.4g}", replace(self.problem, quality_bounds=bounds)
        limits = tuple((n, x * LOOSER if f"limits.{n}" == name else x) for n, x in self.problem.limits)
        if limits != self.problem.limits:
            return f"{dict(limits)[name.removeprefix('limits.')]:.4g}", replace(self.problem, limits=limits)
        return "left out", without(self.problem, [name])

    def _next_best(self) -> Iterator[Json]:
        """(24) The best plan with a piece on another device, or split or batched another way."""
        taken = {
            (piece, each.hardware[0], *each.hardware[2:8], each.hardware[-1])
            for each in self.chosen
            for piece in each.pieces
        }

        def differing(problem: PlacementProblem) -> PlacementProblem | None:
            return _with_one_of(problem, lambda o, g: _choice(o, g) not in taken)

        if differing(self.problem) is None:
            return
        result = self._best_forced(differing)
        if result.objective is None:
            return
        plan = held(self.problem, result)
        yield {"extra": max(0.0, result.objective - self.value), "pools": [_pool(each) for each in plan]}

    def _unused(self) -> Iterator[Json]:
        """(24) For each device that the plan does not take: the best plan that does, or what stands against it."""
        used = {each.device for each in self.chosen}
        pools = {pool.id: pool for pool in self.problem.pools}
        for spec in self.question.fleet.devices:
            if spec.name in used:
                continue
            on = partial(_with_one_of, chosen=lambda o, g, name=spec.name: g.device == name)
            forced = on(self.problem)
            if forced is None:
                yield {"device": spec.name, "extra": None, "against": [], "pieces": []}
                continue
            result = self._best_forced(on)
            if result.objective is None:
                yield {"device": spec.name, "extra": None, "against": self._against(forced), "pieces": []}
                continue
            pieces = sorted({without_class(q) for q, g in result.placements.items() if pools[g].device == spec.name})
            extra = max(0.0, result.objective - self.value)
            yield {"device": spec.name, "extra": extra, "against": [], "pieces": pieces}

    def _against(self, forced: PlacementProblem) -> list[str]:
        """The constraints that no plan on the device keeps together."""

        def feasible(other: PlacementProblem) -> bool | None:
            return Search(other, self.solver, self.left).any_plan()

        return list(irreducible_conflict(forced, feasible))


def _choice(o: Option, g: Pool) -> tuple[object, ...]:
    """What makes a piece's place another one: device, splits, batch, and the model where there is a choice."""
    return (o.piece, g.device, g.devices_per_replica, g.tp, g.pp, g.ep, g.dp, g.max_batch, g.model)


def _with_one_of(p: PlacementProblem, chosen: Callable[[Option, Pool], bool]) -> PlacementProblem | None:
    """(24) The problem of plans that take one of the chosen options at least; None where there is none of them."""
    pools = {pool.id: pool for pool in p.pools}
    on = frozenset((o.piece, o.pool) for o in p.options if chosen(o, pools[o.pool]))
    there = {(o.piece, o.pool) for o in p.options}
    return replace(p, one_of=(*(each & there for each in p.one_of), on)) if on else None


def _with_device(question: Question, spec: Any) -> Question:
    devices = tuple(spec if each.name == spec.name else each for each in question.fleet.devices)
    return replace(question, fleet=replace(question.fleet, devices=devices))


def _pool(each: Held) -> Json:
    return {
        "device": each.device,
        "devices": each.replicas * int(str(each.hardware[2])),
        "tp": each.hardware[3],
        "batch": each.hardware[7],
        **({"model": each.hardware[-1]} if each.hardware[-1] else {}),
        "pieces": each.shown,
    }


def _unit(plan: Json, problem: PlacementProblem) -> str:
    """The unit of what is minimised."""
    if MINIMISED[plan["objective"]["name"]] == "cost":
        return "USD/request" if problem.rate_per_s is None else "USD/h"
    return plan["objective"]["unit"]


def explain_conflict(plan: Json, time_limit_s: float | None = None) -> Json:
    """The conflict of a document without a plan, and what was checked to give one, the cheapest first."""
    goal = plan["inputs"]["graph"].get("objective", "cost")
    question = question_of({**plan, "objective": {"name": goal if goal != "throughput" else "cost"}})
    problem = question.problem()
    result = PlacementResult("infeasible", conflict=tuple(plan["conflict"]))
    left_s = math.inf if time_limit_s is None else time_limit_s
    found = ways_out(problem, result, question.anew(problem.rate_per_s), left_s)
    ways = [{"with": said, "value": value} for said, value in found]
    unit = {"latency": "s", "energy": "J/request", "carbon": "gCO2/request"}.get(problem.objective)
    per_cost = "USD/request" if problem.rate_per_s is None else "USD/h"
    return rounded({"conflict": list(plan["conflict"]), "unit": unit or per_cost, "ways_out": ways})
