"""
How far a program is from its meaning in float64: each piece by itself, tensors along its way, and the whole.

A piece is given, in the types that it declares, what the pieces before it give in exact arithmetic, so that its errors
are its own. What it is held against is the network as it was read, before lowering, in float64 (`ir/interpret.py`).
Beside that stands what rounding alone does: the lowered network in float64, each tensor rounded to the type in which it
is kept. `docs/numerics.md` has the measures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir import nn
from ...ir.interpret import interpret
from ...passes.locations import location_text
from ..dtypes import dtype_of, numpy_dtype
from ..inputs import bind_inputs
from .drawn import random_inputs
from .errors import TOLERANCE, UNIT, Errors, errors_of, narrowest, rounded
from .executors import executor_for
from .program import PlacedProgram, Step
from .taps import exact, tapped

if TYPE_CHECKING:
    from ..triton.interpreter import Interpreter

Values = Mapping[str, np.ndarray]


def verify(program: PlacedProgram, args: Sequence[Any] = (), seed: int = 0, along: bool = True) -> dict[str, Any]:
    """
    Errors of `program` on the inputs `args`, in graph order, or on random ones of `seed`; without `along` tensors on
    the way are left out.

    `holds` says whether every piece, and the whole, is within the tolerance of its precision. InputError for inputs of
    another number, shape or kind.
    """
    given = args or random_inputs(program, seed)
    inputs = bind_inputs(program.name, program.inputs, given, {})
    values: dict[str, np.ndarray] = {**program.constants, **inputs}
    pieces = [_piece(step, values, along) for step in program.steps]
    formats = [_format(step) for step in program.steps]
    wanted = [values[value] for value in program.outputs.values()]
    found = program(*inputs.values())
    whole = _judged(narrowest(formats), dict(zip(program.outputs, zip(found, wanted, strict=True), strict=True)))
    holds = whole["holds"] and all(piece["holds"] for piece in pieces)
    origin = "given" if args else f"random, seed {seed}"
    return {"format": 1, "inputs": origin, "pieces": pieces, "whole": whole, "holds": holds}


def _piece(step: Step, values: dict[str, np.ndarray], along: bool) -> dict[str, Any]:
    """The errors of one piece; `values` gets what it gives in exact arithmetic."""
    before = [np.asarray(values[name]) for name in step.takes]
    args = nn.main_of(step.network.module).args
    given = [v.astype(numpy_dtype(dtype_of(nn.tensor_type(a)))) for v, a in zip(before, args, strict=True)]
    exactly = interpret(step.network.module, before, step.network.weights)
    values.update(zip(step.gives, exactly, strict=True))
    same = all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(before, given, strict=True))
    wanted = exactly if same else interpret(step.network.module, given, step.network.weights)
    found = step.executor.run(*given)
    names = step.network.output_names
    judged = _judged(_format(step), dict(zip(names, zip(found, wanted, strict=True), strict=True)))
    if judged["precision"] != "fp32":
        lowered = step.lowered.network
        ideal = interpret(lowered.module, given, lowered.weights, keep=rounded)
        for row, made, meant in zip(judged["outputs"], ideal, wanted, strict=True):
            row["by_rounding"] = errors_of(made, meant).document()["relative_error"]
    return {"piece": step.name, "executor": step.executor.trace, **judged, **(_along(step, given) if along else {})}


def _judged(format: str, pairs: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Each output beside its tolerance: integers must be equal."""
    rows = []
    for name, (found, wanted) in pairs.items():
        errors, whole = errors_of(found, wanted), np.asarray(found).dtype.kind in "biu"
        tolerance = 0.0 if whole else TOLERANCE[format]
        rows.append({"output": name, **errors.document(), "tolerance": tolerance, "holds": errors.within(tolerance)})
    return {"precision": format, "outputs": rows, "holds": all(row["holds"] for row in rows)}


def _format(step: Step) -> str:
    """The narrowest precision of a piece: it decides how far it may be off."""
    kinds = {
        str(nn.tensor_type(result).element_type)
        for op in nn.main_of(step.lowered.network.module).walk()
        for result in op.results
        if isinstance(op, nn.TensorOp) and not isinstance(op, nn.WeightOp)
    }
    return narrowest([*kinds, *step.lowered.stored])


def _along(step: Step, given: Sequence[np.ndarray]) -> dict[str, Any]:
    """
    Errors of a dozen tensors along the way, and the op at which they grow most.

    That is the one with the largest error beside the largest before it, or beside the unit of the precision.
    """
    network, ops = tapped(step.lowered.network)
    if len(ops) < 2:
        return {}
    reference = exact(network, step.lowered)
    wanted = interpret(reference.module, given, reference.weights)
    found = _run_tapped(step, network, given)
    if found is None:
        return {}
    rows: list[dict[str, Any]] = []
    worst, most = UNIT[_format(step)], (0.0, 0)
    for index, (op, a, b) in enumerate(zip(ops, found, wanted, strict=True)):
        errors: Errors = errors_of(a, b)
        rows.append({"op": op.name, "place": location_text(op.location), **errors.document()})
        relative = errors.relative if errors.alike else float("inf")
        most = max(most, (relative / worst, index), key=lambda pair: pair[0])
        worst = max(worst, relative)
    growth, at = most
    named = {"op": rows[at]["op"], "place": rows[at]["place"], "growth": growth if np.isfinite(growth) else None}
    return {"along": rows, "grows_most": named}


def _run_tapped(step: Step, network: nn.NnModule, given: Sequence[np.ndarray]) -> Sequence[np.ndarray] | None:
    """What the executor of the piece makes of it; None where that takes only the piece without the further outputs."""
    executor = executor_for(network, f"{step.executor.module}_along", step.target, _interpreter)
    try:
        return executor.run(*given) if executor.way == step.executor.way else None
    finally:
        close = getattr(executor.run, "close", None)
        if close is not None:
            close()


def _interpreter() -> Interpreter:
    from ..triton.interpreter import Interpreter

    return Interpreter()
