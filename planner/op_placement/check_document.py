"""A placement of ops in plan.json, derived again from it without the planner: no code of the solver is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...ir.diagnostics import Diagnostic, InputError
from .check import pipeline_faults, schedule_faults
from .problem import OpPlacementProblem
from .record import problem_record, read_pipeline, read_problem_record, read_schedule

Model = Callable[[Mapping[str, Any]], OpPlacementProblem]
"""The problem that a model poses, given what the plan was asked for."""


def check_placement(document: Mapping[str, Any], model: Model | None = None) -> list[Diagnostic]:
    """The faults of a plan; with `model`, also whether it is of that model. A bound is held against the value alone."""
    try:
        p = read_problem_record(document["inputs"]["problem"])
        pipelined = document["objective"] == "throughput"
        if pipelined:
            faults = pipeline_faults(p, read_pipeline(p, document))
        else:
            faults = schedule_faults(p, read_schedule(p, document))
        faults += _figure_faults(document)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        reason = f"it lacks {error}" if isinstance(error, KeyError) else error
        return [Diagnostic("check.plan", f"the plan cannot be understood: {reason}")]
    if model is not None:
        try:
            if problem_record(model(document["inputs"])) != problem_record(p):
                faults.append("the plan was made from another model, or other devices, than those given")
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"what the plan was asked for cannot be understood: {error}")
        except InputError as error:
            return [*(Diagnostic("check.plan", fault) for fault in faults), *error.diagnostics]
    return [Diagnostic("check.plan", fault) for fault in faults]


def _figure_faults(document: Mapping[str, Any]) -> list[str]:
    """Figures that do not go together."""
    value, bound, gap, status = (document[key] for key in ("value_ns", "bound_ns", "gap", "status"))
    faults = []
    if bound > value:
        faults.append(f"no answer is said to take less than {bound} ns, and this one takes {value} ns")
    if abs(gap - ((value - bound) / value if value else 0.0)) > 1e-9:
        faults.append(f"the gap of {value} ns over {bound} ns is not {gap}")
    if (status == "optimal") != (gap == 0):
        faults.append(f"a plan with a gap of {gap} is called {status}")
    return faults
