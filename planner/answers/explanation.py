"""Why a plan is as it is, found by solving again: what binds, the next-best plan, devices that are not used.

`docs/math/placement.md`, "Explaining a plan", says what each figure is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

from ...ir.diagnostics import DovetailError
from ...ir.split import without_class
from ..conflicts.relaxations import ways_out
from ..placement.problem import Option, PlacementProblem, Pool
from ..placement.result import PlacementResult
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.conflict import constraint_names, irreducible_conflict, without
from ..placement.search.presolve import without_hopeless
from ..placement.search.rounds import Search
from ..placement.search.shortlist import Shortlist
from ..placement.search.solve import best_plan
from ..posing.goals import MINIMISED
from ..record.plan import rounded
from ..sensitivity.question import Question, question_of
from ..sensitivity.same_plan import Held, held, held_by, outcome

LOOSER = 1.1
"""Bounds and limits are moved by a tenth."""
NEAR = (1, 2, 4, 16, 64, 256, 1024)
"""Before all plans are looked at, those that cost so many times as much over the least as the plan does."""
SOON = 2.0
"""Where a plan is known that costs up to so many times what is looked at next, all that are no dearer are."""
FIRST = 0.05
"""The plan is taken to cost this share of its cost over the least, or more."""
CONFLICT_S = 60.0
"""Time for ways out of a conflict, where the user sets no limit [s]."""
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
        self.found: Json = {**_stated(plan), "missing": []}

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

    @cached_property
    def shortlist(self) -> Shortlist:
        """The problem; TimeUp where the clock is over before it is known."""
        return self.question.shortlist(self.clock)

    @cached_property
    def problem(self) -> PlacementProblem:
        """With all of its pools."""
        return self.shortlist.within(math.inf)

    @cached_property
    def chosen(self) -> tuple[Held, ...]:
        """The plan."""
        return held_by(self.plan, self._affordable)

    @cached_property
    def value(self) -> float:
        """What the plan comes to, as plans are compared."""
        latency = self.shortlist.frame.objective == "latency"  # a mean stands with the waits that it is planned with
        value = self.found["value"] if latency else outcome(self._affordable, self.chosen).value
        assert value is not None
        self.found["value"] = value
        return value

    @cached_property
    def _affordable(self) -> PlacementProblem:
        """With what plans may take that cost no more than this one."""
        usd = self.plan["cost"]["usd_per_hour"]
        return self.shortlist.within(math.inf if usd is None else usd * (1 + EQUAL))

    def _best(self, problem: PlacementProblem, below: float = math.inf, likely: float | None = None) -> PlacementResult:
        """The best plan of another problem of an objective under `below`; TimeUp where time is over first."""
        self.left.check()
        result = best_plan(problem, self.left.left, self.solver, below, likely)
        if result.status not in ("optimal", "infeasible"):
            raise TimeUp
        return result

    def _best_forced(self, forced: Forced, on: str = "") -> tuple[PlacementProblem, PlacementResult] | None:
        """The best plan with a constraint more, such as something on a device, and a problem with its pools."""
        known = math.inf
        for cost in self._costs(on):
            most = known if known <= SOON * cost else cost
            self.left.check()
            problem = forced(self.shortlist.within(most, on))
            result = None if problem is None else self._best(problem, likely=None if math.isinf(most) else most)
            if problem is not None and result is not None and result.objective is not None:
                if result.objective <= most:
                    return problem, result
                known = result.objective * (1 + EQUAL)
        return None

    def _costs(self, on: str) -> Iterator[float]:
        """Costs up to which plans are looked for, one after the other; none where no plan can be."""
        if self.shortlist.frame.objective == "cost" and self.value > 0:
            least, with_it = self.shortlist.least_usd(), self.shortlist.least_usd(on)
            if math.isinf(with_it):
                return
            # What the plan costs over what no plan costs less than is what one with the constraint may well cost.
            over = max(self.value - least, FIRST * self.value)
            yield from ((with_it + times * over) * (1 + EQUAL) for times in NEAR)
        yield math.inf

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
            return f"{more} more", _with_device(self.question, moved).problem(self.left)
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

        found = self._best_forced(differing)
        if found is not None and found[1].objective is not None:
            plan = held(*found)
            extra = max(0.0, found[1].objective - self.value)
            yield {"extra": extra, "pools": [_pool(each) for each in plan]}

    def _unused(self) -> Iterator[Json]:
        """(24) For each device that the plan does not take: the best plan that does, or what stands against it."""
        used = {entry["device"] for entry in self.plan["pools"]}
        for spec in self.question.fleet.devices:
            if spec.name in used:
                continue
            on = partial(_with_one_of, chosen=lambda o, g, name=spec.name: g.device == name)
            found = self._best_forced(on, spec.name)
            if found is None or found[1].objective is None:
                yield {"device": spec.name, "extra": None, "against": self._against(on, spec.name), "pieces": []}
                continue
            pools = {pool.id: pool for pool in found[0].pools}
            placed = found[1].placements.items()
            pieces = sorted({without_class(q) for q, g in placed if pools[g].device == spec.name})
            extra = max(0.0, found[1].objective - self.value)
            yield {"device": spec.name, "extra": extra, "against": [], "pieces": pieces}

    def _against(self, on: Forced, device: str) -> list[str]:
        """The constraints that no plan on the device keeps together; none where nothing can be on it at all."""

        def feasible(other: PlacementProblem) -> bool | None:
            return Search(other, self.solver, self.left).any_plan()

        near = on(self.shortlist.with_all_on(device, self.value))
        if near is None:
            return []
        conflict = irreducible_conflict(near, feasible)
        others = set(constraint_names(near)) - set(conflict)
        rest = without_hopeless(without(near, others))
        if any((o.piece, o.pool) in near.one_of[-1] for o in rest.options):  # other pools may help
            whole = on(self.problem)
            return [] if whole is None else list(irreducible_conflict(whole, feasible))
        return list(conflict)


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


def _stated(plan: Json) -> Json:
    """What the plan says that it comes to, and the unit of what is minimised."""
    if MINIMISED[plan["objective"]["name"]] != "cost":
        return {"value": plan["objective"]["value"], "unit": plan["objective"]["unit"]}
    per_hour = plan["cost"]["usd_per_hour"]
    if per_hour is None:
        return {"value": plan["cost"]["usd_per_request"], "unit": "USD/request"}
    return {"value": per_hour, "unit": "USD/h"}


def explain_conflict(plan: Json, time_limit_s: float | None = None) -> Json:
    """The conflict of a document without a plan, and what was checked to give one, the cheapest first."""
    goal = plan["inputs"]["graph"].get("objective", "cost")
    question = question_of({**plan, "objective": {"name": goal if goal != "throughput" else "cost"}})
    clock, rate = Clock(CONFLICT_S if time_limit_s is None else time_limit_s), question.rate_per_s
    found: list[tuple[str, float]] = []
    with suppress(TimeUp):
        problem = question.problem(clock)
        result = PlacementResult("infeasible", conflict=tuple(plan["conflict"]))
        found = ways_out(problem, result, question.anew(rate), clock)
    ways = [{"with": said, "value": value} for said, value in found]
    unit = {"latency": "s", "energy": "J/request", "carbon": "gCO2/request"}.get(question.objective)
    per_cost = "USD/request" if rate is None else "USD/h"
    return rounded({"conflict": list(plan["conflict"]), "unit": unit or per_cost, "ways_out": ways})
