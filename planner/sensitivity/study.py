"""Each input of a plan wrong by a share, both ways: what the plan then costs, and what the best plan would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import Any

from ...ir.diagnostics import DovetailError
from ..placement.problem import PlacementProblem
from ..placement.search.clock import Clock, TimeUp
from ..placement.search.solve import best_plan
from ..record.plan import rounded
from .knobs import Knob, knobs
from .question import question_of
from .same_plan import Held, Outcome, held, held_by, outcome

OFF = 0.2
"""How far inputs are taken to be off, unless said."""
EQUAL = 1e-6
"""Objectives within this share are one."""

Json = dict[str, Any]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """One input wrong one way."""

    factor: float
    same: Outcome
    """the plan as it is"""
    best: float | None
    """what the best plan comes to; None where there is none, or none was found in the time"""
    best_plan: tuple[Held, ...]

    @property
    def regret(self) -> float:
        """What keeping the plan costs over the best one; infinite where it does not hold and another one does."""
        if self.best is None:
            return 0.0
        return inf if self.same.broken or self.same.value is None else max(0.0, self.same.value - self.best)


@dataclass(frozen=True)
class Row:
    """One input wrong both ways."""

    knob: Knob
    cases: tuple[Case, Case]

    @property
    def rank(self) -> tuple[float, float]:
        """What matters most comes first: what keeping the plan costs, then how far its own cost moves."""
        values = [case.same.value for case in self.cases if case.same.value is not None]
        return max(case.regret for case in self.cases), max(values, default=inf) - min(values, default=0.0)


class Study:
    """The sensitivity of one plan, as far as it has come."""

    def __init__(self, plan: Json, off: float = OFF, time_limit_s: float | None = None, solver: str = "highs") -> None:
        if not 0 < off < 1:
            raise ValueError(f"inputs cannot be off by {off:g}: give a share between 0 and 1")
        self.plan, self.off, self.solver = plan, off, solver
        self.clock = Clock(time_limit_s)
        self.question = question_of(plan)
        # Where time is short, what the plan uses comes first.
        self.knobs = sorted(knobs(self.question), key=lambda knob: knob.device not in (None, *self._used))
        self.rows: list[Row] = []
        self.studied: set[str] = set()

    @cached_property
    def problem(self) -> PlacementProblem:
        """With the inputs as they are; TimeUp where the clock is over before it is written down."""
        return self.question.problem(self.clock)

    @cached_property
    def chosen(self) -> tuple[Held, ...]:
        """The plan."""
        return held_by(self.plan, self.problem)

    @cached_property
    def base(self) -> Outcome:
        """What the plan comes to."""
        return outcome(self.problem, self.chosen)

    def run(self, on_progress: Progress | None = None) -> Json:
        """All inputs, or those before time was up or the user interrupted; the document of what was found."""
        try:
            for knob in self.knobs:
                if self.clock.over:
                    break
                if on_progress is not None:
                    on_progress(f"{len(self.studied) + 1} of {len(self.knobs)} inputs: {knob.name}")
                row = self._row(knob)
                self.studied.add(knob.name)
                if row is not None:
                    self.rows.append(row)
        except (KeyboardInterrupt, TimeUp):
            pass  # what is half known is not told
        return self.document()

    def _row(self, knob: Knob) -> Row | None:
        """None for an input that changes nothing either way, and for one that cannot be changed by itself."""
        try:
            low, high = self._case(knob, 1 - self.off), self._case(knob, 1 + self.off)
        except DovetailError:
            return None
        unmoved = Case(1.0, self.base, self.base.value, self.chosen)
        if low is None and high is None:
            return None
        return Row(knob, (low or _at(unmoved, 1 - self.off), high or _at(unmoved, 1 + self.off)))

    def _case(self, knob: Knob, factor: float) -> Case | None:
        """None where nothing changes, by the rules of `docs/guide.md`, Sensitivity."""
        harmful = knob.harm * (factor - 1) > 0
        if harmful and knob.device is not None and knob.device not in self._used:
            return None  # what the plan does not use gets worse
        question = knob.apply(self.question, factor)
        problem = question.problem(self.clock)
        if problem == self.problem:
            return None
        same = outcome(problem, self.chosen)
        if harmful and not same.broken and _equal(same.value, self.base.value):
            return None  # all other plans get worse at best
        return self._solved(problem, factor, same)

    def _solved(self, problem: PlacementProblem, factor: float, same: Outcome) -> Case | None:
        holds = not same.broken and same.value is not None
        below = same.value if holds and same.value is not None and problem.objective == "cost" else inf
        result = best_plan(problem, self.clock.left, self.solver, below)
        if result.status == "unknown" or (result.status == "feasible" and self.clock.over):
            raise TimeUp
        if not result.placements:
            return Case(factor, same, same.value if holds else None, self.chosen if holds else ())
        plan = held(problem, result)
        best = outcome(problem, plan).value
        if holds and best is not None and same.value is not None and best >= same.value * (1 - EQUAL):
            return Case(factor, same, same.value, self.chosen)
        return Case(factor, same, best, plan)

    @property
    def _used(self) -> set[str]:
        minimum = {spec.name for spec in self.question.fleet.devices if spec.min_count}
        return minimum | {entry["device"] for entry in self.plan["pools"]}

    def document(self) -> Json:
        """`sensitivity` of plan.json."""
        ranked = sorted(filter(self._matters, self.rows), key=lambda row: (-row.rank[0], -row.rank[1]))
        return rounded(
            {
                "off": self.off,
                "unit": self.plan["objective"]["unit"],
                "value": self.base.value if "problem" in self.__dict__ else self.plan["objective"]["value"],
                "inputs": len(self.knobs),
                "studied": len(self.studied),
                "rows": [self._row_record(row) for row in ranked],
                "guesses": list(self._guesses()),
            }
        )

    def _matters(self, row: Row) -> bool:
        """Whether the plan's cost moves, it stops to hold, or another one is better."""
        return any(
            case.same.broken or case.best_plan != self.chosen or not _equal(case.same.value, self.base.value)
            for case in row.cases
        )

    def _row_record(self, row: Row) -> Json:
        low, high = (self._case_record(case) for case in row.cases)
        knob = row.knob
        return {"input": knob.name, "quality": knob.quality, "source": knob.source, "lower": low, "higher": high}

    def _case_record(self, case: Case) -> Json:
        return {
            "factor": case.factor,
            "same_plan": case.same.value,
            "broken": list(case.same.broken),
            "best": case.best,
            "regret": None if case.regret == inf else case.regret,
            "changed": case.best_plan != self.chosen,
            "choice": [_pool_record(each) for each in case.best_plan],
        }

    def _guesses(self) -> Iterator[Json]:
        """Guessed inputs of what the plan uses, and whether they move it; None where that was not reached."""
        moved = {row.knob.name for row in self.rows if self._matters(row)}
        for knob in self.knobs:
            if knob.quality == "guess" and (knob.device is None or knob.device in self._used):
                matters = knob.name in moved if knob.name in self.studied else None
                yield {"input": knob.name, "source": knob.source, "matters": matters}


def _at(case: Case, factor: float) -> Case:
    return Case(factor, case.same, case.best, case.best_plan)


def _equal(a: float | None, b: float | None) -> bool:
    return a is not None and b is not None and abs(a - b) <= EQUAL * abs(b)


def _pool_record(each: Held) -> Json:
    device, _, devices_per_replica, tp, *_ = each.hardware
    devices = each.replicas * int(str(devices_per_replica))
    return {"device": device, "devices": devices, "tp": tp, "pieces": each.shown}
