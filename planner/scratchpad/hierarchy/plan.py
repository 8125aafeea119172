"""What the hierarchy planner answers: who lies where from when to when, every transfer with its time, and bounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .level import NEAREST, Level
from .tasks import Tasks
from .traffic import SCRATCHPAD, Kind

Objective = Literal["bytes", "makespan"]


@dataclass(frozen=True)
class TimedHold:
    """A tensor at one address of a level, from the moment something begins to fill it to the end of its last use."""

    level: str
    tensor: str
    offset: int
    bytes: int
    from_s: float
    to_s: float


@dataclass(frozen=True)
class TimedTransfer:
    """A transfer; from the outermost level it may fill the scratchpad and leave a copy in the level between."""

    kind: Kind
    tensor: str
    source: str
    targets: tuple[str, ...]
    bytes: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class TimedOperator:
    """An operator while it runs."""

    operator: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Border:
    """The traffic between a level and the next nearer one [bytes]."""

    level: str
    compulsory_bytes: int
    noncompulsory_bytes: int
    lower_bound_bytes: int
    """no order and no plan moves fewer beyond the compulsory across this border"""


@dataclass(frozen=True)
class HierarchyPlan:
    """A timed plan over the scratchpad and the levels beyond it."""

    status: Literal["optimal", "feasible"]
    """`optimal` where the objective equals its bound over all orders and plans: every border's bytes, or the makespan
    to 1e-6"""
    objective: Objective
    borders: tuple[Border, ...]
    makespan_s: float
    makespan_bound_s: float
    """no order and no plan is faster"""
    schedule_bound_s: float
    """no schedule with this plan's order, transfers and addresses is faster"""
    order: tuple[str, ...]
    operators: tuple[TimedOperator, ...]
    transfers: tuple[TimedTransfer, ...]
    holds: tuple[TimedHold, ...]
    seconds: float
    inputs: dict[str, Any] | None = None
    """what it was made for, by `inputs.py`: with it the plan can be checked by itself"""

    def to_json(self) -> dict[str, Any]:
        """The plan as a JSON document."""
        document = asdict(self)
        if self.inputs is None:
            del document["inputs"]
        return json.loads(json.dumps(document))


def timed(
    tasks: Tasks, starts: Sequence[int], offsets: dict[int, int], levels: Sequence[Level]
) -> tuple[tuple[TimedOperator, ...], tuple[TimedTransfer, ...], tuple[TimedHold, ...]]:
    """Operators, transfers (by start) and holds of a schedule in seconds."""
    traffic, n = tasks.traffic, tasks.steps
    problem, holds = traffic.problem, traffic.holds
    names = (NEAREST, *(level.name for level in levels))
    ends = [s + d for s, d in zip(starts, tasks.ticks, strict=True)]
    spans = [(starts[h.first], ends[h.last]) if h.level == SCRATCHPAD else None for h in holds]
    for task, x in enumerate(traffic.transfers, n):
        for i in x.targets if x.source is None else (*x.targets, x.source):
            low, high = spans[i] or (starts[task], ends[task])
            spans[i] = (min(low, starts[task]), max(high, ends[task]))
    operators = tuple(
        TimedOperator(problem.operators[op].name, starts[i] * tasks.tick_s, ends[i] * tasks.tick_s)
        for i, op in enumerate(traffic.order)
    )
    transfers = tuple(
        TimedTransfer(
            x.kind,
            problem.tensors[x.tensor].name,
            names[-1] if x.source is None else names[holds[x.source].level],
            tuple(names[holds[i].level] for i in x.targets) or (names[-1],),
            problem.tensors[x.tensor].bytes,
            starts[task] * tasks.tick_s,
            ends[task] * tasks.tick_s,
        )
        for task, x in sorted(enumerate(traffic.transfers, n), key=lambda item: starts[item[0]])
    )
    shown = tuple(
        TimedHold(
            names[h.level],
            problem.tensors[h.tensor].name,
            offsets[i],
            problem.tensors[h.tensor].bytes,
            span[0] * tasks.tick_s,
            span[1] * tasks.tick_s,
        )
        for i, (h, span) in enumerate(zip(holds, spans, strict=True))
        if span is not None
    )
    return operators, transfers, shown
