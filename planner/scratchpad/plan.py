"""What the scratchpad planner answers: an order, buffers with addresses, moves, and the proof that goes with them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .residency import Residency

Status = Literal["optimal", "feasible", "infeasible", "unknown"]


@dataclass(frozen=True)
class Buffer:
    """A tensor at one address from the step `start` to the step `end`, both included."""

    tensor: str
    start: int
    end: int
    offset: int
    bytes: int


@dataclass(frozen=True)
class PlannedMove:
    """A spill or a reload; a reload's step is the `start` of the buffer that it fills."""

    step: int
    tensor: str
    kind: Literal["spill", "reload"]
    bytes: int


@dataclass(frozen=True)
class ScratchpadPlan:
    """A schedule with addresses and moves; `optimal` where the traffic equals the bound over all orders."""

    status: Status
    size_bytes: int
    compulsory_bytes: int
    noncompulsory_bytes: int
    lower_bound_bytes: int
    """no order and no plan moves fewer bytes beyond the compulsory"""
    order: tuple[str, ...]
    buffers: tuple[Buffer, ...]
    moves: tuple[PlannedMove, ...]
    seconds: float
    shares: tuple[tuple[str, str], ...] = ()
    """in-place operators: (output, the input whose buffer it takes over)"""
    inputs: dict[str, Any] | None = None
    """what it was made for, by `inputs.py`: with it the plan can be checked by itself"""

    def to_json(self) -> dict[str, Any]:
        """The document that `dovetail scratchpad --json` prints."""
        document = asdict(self)
        if not self.shares:
            del document["shares"]
        if self.inputs is None:
            del document["inputs"]
        return json.loads(json.dumps(document))


def assemble(residency: Residency, offsets: dict[int, int], lower_bound_bytes: int, seconds: float) -> ScratchpadPlan:
    """The plan of a residency whose stays, by their index, lie at `offsets`."""
    problem = residency.problem
    buffers = tuple(
        Buffer(problem.tensors[s.tensor].name, s.start, s.end, offsets[i], problem.tensors[s.tensor].bytes)
        for i, s in enumerate(residency.stays)
    )
    moved = residency.noncompulsory_bytes
    return ScratchpadPlan(
        status="optimal" if moved <= lower_bound_bytes else "feasible",
        size_bytes=problem.size_bytes,
        compulsory_bytes=problem.compulsory_bytes,
        noncompulsory_bytes=moved,
        lower_bound_bytes=lower_bound_bytes,
        order=tuple(problem.operators[op].name for op in residency.order),
        buffers=buffers,
        moves=tuple(PlannedMove(m.step, problem.tensors[m.tensor].name, m.kind, m.bytes) for m in residency.moves),
        seconds=seconds,
    )
