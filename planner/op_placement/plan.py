"""The placement of a network's ops: the plan as plain data, with what other ways would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir import nn
from ...ir.diagnostics import Diagnostic, Infeasible
from ...passes.pieces.emit import Pieces, emit_pieces
from .check import pipeline_bytes, pipeline_loads_ns, schedule_peaks
from .lists import heft, retimed
from .problem import Answer, OpPlacementProblem, Pipeline, Schedule
from .record import pipeline_record, problem_record, schedule_record
from .solve import pipelined_on
from .to_problem import INPUTS, OUTPUTS

NAME = "op-placement"
"""what plan.json calls such a plan"""
Json = dict[str, Any]


def placement_document(p: OpPlacementProblem, pipelined: bool, answer: Answer, asked: Json) -> Json:
    """
    plan.json of an answer; `asked` says which devices and sizes were asked for.

    Infeasible where there is no placement, or none was found in the time given.
    """
    if answer.best is None:
        message = "no placement of the network fits these devices"
        if answer.status == "unknown":
            message = "no placement was found in the time given"
        help = "take more devices, or such with more memory; ops also need a device that computes in their numbers"
        raise Infeasible([Diagnostic("memory", message, help=help)], ["memory"], {"status": answer.status})
    best = answer.best
    record = schedule_record(p, best) if isinstance(best, Schedule) else pipeline_record(p, best)
    return {
        "format": 1,
        "plan": NAME,
        "objective": "throughput" if pipelined else "makespan",
        "status": answer.status,
        "value_ns": answer.value_ns,
        "bound_ns": answer.bound_ns,
        "gap": answer.gap,
        "found_by": answer.way,
        **({"latency_ns": _latency_ns(best)} if isinstance(best, Pipeline) else {}),
        "others_ns": _others(p, pipelined),
        "devices": _devices(p, best),
        "links": _links(p, best),
        **record,
        "inputs": {**asked, "problem": problem_record(p)},
        "solve": {"seconds": answer.seconds},
    }


def _latency_ns(s: Pipeline) -> int:
    """[ns] of one run: as many periods as it has stages. Equation (8)."""
    return s.period_ns * (max(s.stage, default=0) + 1)


def _others(p: OpPlacementProblem, pipelined: bool) -> Json:
    """[ns] of HEFT, and of all on one device; null where it cannot be."""
    found = {"HEFT": heft(p)}
    for d, device in enumerate(p.devices):
        places = [d if d in allowed else allowed[0] for allowed in p.allowed]
        pinned = {q.name for q in p.pieces} & {INPUTS, OUTPUTS}
        elsewhere = sum(place != d for place in places)
        alone = retimed(p, places, range(len(p.pieces))) if elsewhere <= len(pinned) else None
        found[f"all on {device.name}"] = alone
    values = {}
    for name, s in found.items():
        fits = s is not None and all(
            device.memory_bytes is None or peak <= device.memory_bytes
            for device, peak in zip(p.devices, schedule_peaks(p, s), strict=True)
        )
        if s is None or not fits:
            values[name] = None
        else:
            values[name] = pipelined_on(p, s.device).period_ns if pipelined else s.makespan_ns
    return values


def _devices(p: OpPlacementProblem, best: Schedule | Pipeline) -> list[Json]:
    busy = pipeline_loads_ns(p, Pipeline(best.device, ()))[0]
    held = schedule_peaks(p, best) if isinstance(best, Schedule) else pipeline_bytes(p, best)
    real = [i for i, q in enumerate(p.pieces) if q.name not in (INPUTS, OUTPUTS)]
    return [
        {
            "name": device.name,
            "pieces": sum(best.device[i] == d for i in real),
            "busy_ns": busy[d],
            "bytes": held[d],
            "memory_bytes": device.memory_bytes,
        }
        for d, device in enumerate(p.devices)
    ]


def _links(p: OpPlacementProblem, best: Schedule | Pipeline) -> list[Json]:
    """How long each link is busy: in one run, or one period."""
    busy = pipeline_loads_ns(p, Pipeline(best.device, ()))[1]
    return [{"name": name, "busy_ns": ns} for name, ns in zip(p.links, busy, strict=True)]


def placed_pieces(network: nn.NnModule, p: OpPlacementProblem, best: Schedule | Pipeline) -> tuple[Pieces, list[str]]:
    """
    The network as a piece for each stretch of ops that run on one device one after another, and each piece's device.

    Stretches are cut from the order in which ops start; transfers stand between pieces.
    """
    real = [i for i, q in enumerate(p.pieces) if q.name not in (INPUTS, OUTPUTS)]
    when: Sequence[int] = best.start_ns if isinstance(best, Schedule) else best.stage
    order = sorted(real, key=lambda i: (when[i], i))
    piece_of, devices = dict[int, int](), list[str]()
    for i in order:
        name = p.devices[best.device[i]].name
        if not devices or devices[-1] != name:
            devices.append(name)
        piece_of[i] = len(devices) - 1
    return emit_pieces(network, [piece_of[i] for i in real]), devices
