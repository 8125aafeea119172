"""A network on several equal devices: the plan, and what else could have been done, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import inf
from typing import Any

from ...costmodel.hardware import Device
from ...costmodel.rules import tensor_bytes
from ...costmodel.spmd import link_s
from ...ir import nn
from ...ir.diagnostics import Diagnostic, Infeasible
from ...passes.shard.apply import SpmdNetwork, apply_decision
from ...passes.shard.signatures import Mesh
from .check import Taken, taken
from .problem import PartitionProblem, Step
from .solve import least_memory, solve
from .stages import check_stages, solve_stages
from .to_problem import free_ends, pose
from .to_stages import pose_stages

AXIS = "tp"
"""name of the mesh axis in programs"""
LEAST_MEMORY_S = 10
"""[s] for finding how much memory would be enough, where too little is there"""


def plan_partition(
    network: nn.NnModule, devices: int, device: Device, memory_bytes: float | None = None
) -> tuple[dict[str, Any], SpmdNetwork]:
    """
    The fastest way to share `network` among so many `device`, each with `memory_bytes`: as plain data, and its program.

    Infeasible, saying what a device would need, where no way fits.
    """
    posed = pose(network, Mesh(AXIS, devices), device, memory_bytes, free_ends(network, devices))
    p = posed.problem
    found = solve(p)
    if found.status == "infeasible":
        need = least_memory(p, LEAST_MEMORY_S)
        message = f"the network does not fit {devices} x `{device.id}`: {_gb(need)} of memory on each are enough"
        fault = Diagnostic("memory", f"{message}, {_gb(p.memory_bytes)} are there", help="take more devices")
        raise Infeasible([fault], ["memory"], {"status": "infeasible", "memory_bytes": need})
    program = apply_decision(network, posed.decision(found.ways))
    whole = taken(p, [0] * len(p.steps))
    document = {
        "status": found.status,
        "device": device.id,
        "devices": devices,
        "memory_bytes": p.memory_bytes,
        "plan": _taken(taken(p, found.ways)),
        "replicated": _taken(whole) | {"fits": whole.peak_bytes <= p.memory_bytes},
        "each_op_alone": _taken(alone := _each_op_alone(p)) | {"fits": alone.peak_bytes <= p.memory_bytes},
        "weights": _weights(program),
        "collectives": _collectives(program, device),
        "decision": posed.decision(found.ways).record(),
    }
    return document, program


def plan_pipeline(
    network: nn.NnModule, devices: int, device: Device, memory_bytes: float | None = None
) -> dict[str, Any]:
    """The stages of `network` on at most so many `device` with the least period, as plain data; Infeasible for none."""
    kind = device if memory_bytes is None else replace(device, memory_bytes=memory_bytes)
    p = pose_stages(network, [(kind, devices)], device.link_bandwidth_bytes_per_s or inf, device.link_latency_s)
    found = solve_stages(p)
    if not found.stages:
        message = f"no pipeline of {devices} x `{device.id}` holds the network"
        fault = Diagnostic("memory", message, help="take more devices")
        raise Infeasible([fault], ["memory"], {"status": "infeasible"})
    check_stages(p, found.stages, found.period_s)
    stages = [
        {
            "first": s.first,
            "end": s.end,
            "seconds": p.stage_s(s.first, s.end, s.kind),
            "received_bytes": p.crossing_bytes[s.first - 1] if s.first else 0.0,
            "bytes": p.stage_bytes(s.first, s.end),
        }
        for s in found.stages
    ]
    return {
        "status": "optimal",
        "device": device.id,
        "devices": devices,
        "period_s": found.period_s,
        "first_s": sum(s["seconds"] for s in stages),
        "stages": stages,
    }


def _taken(found: Taken) -> dict[str, Any]:
    return {"seconds": found.seconds, "moves_s": found.moves_s, "peak_bytes": found.peak_bytes}


def _each_op_alone(p: PartitionProblem) -> Taken:
    """What comes of it if each op takes the way that is fastest for itself, and weights lie as their user wants."""
    ways = [_fastest(step) for step in p.steps]
    for tensor in p.tensors:
        step, result = tensor.producer
        user, operand = tensor.users[0] if tensor.users else (step, 0)
        if p.steps[step].name.startswith("weight ") and tensor.users:
            wanted = p.steps[user].ways[ways[user]].operands[operand]
            fitting = [w for w, way in enumerate(p.steps[step].ways) if way.results[result] == wanted]
            ways[step] = fitting[0] if fitting else 0
    for tensor in p.tensors:  # what cannot be had so is made whole
        made = p.steps[tensor.producer[0]].ways[ways[tensor.producer[0]]].results[tensor.producer[1]]
        for user, operand in tensor.users:
            if (made, p.steps[user].ways[ways[user]].operands[operand]) not in tensor.moves:
                ways[user] = 0
    return taken(p, ways)


def _fastest(step: Step) -> int:
    """The way that is fastest for the step alone; rows are exchanged by several steps together or by none."""
    free = [w for w, way in enumerate(step.ways) if "X" not in (*way.operands, *way.results)]
    return min(free, key=lambda w: step.ways[w].seconds)


def _weights(program: SpmdNetwork) -> list[dict[str, Any]]:
    """Name, state and bytes on a rank of each weight."""
    ops = (op for op in nn.body_of(program.module) if isinstance(op, nn.WeightOp))
    return [
        {"name": op.weight.data, "state": str(program.weights[op.weight.data]), "bytes": tensor_bytes(op.result)}
        for op in ops
    ]


def _collectives(program: SpmdNetwork, device: Device) -> list[dict[str, Any]]:
    """What is sent, by kind: how often, the bytes that a rank gives in, and the time on the link."""
    count: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    time: dict[str, float] = {}
    for op in nn.body_of(program.module):
        if isinstance(op, nn.CollectiveOp) and not isinstance(op, nn.ShardOp | nn.RankOp):
            kind = op.name.removeprefix("nn.")
            count[kind] += 1
            sent[kind] += tensor_bytes(op.operands[0])
            time[kind] = time.get(kind, 0.0) + link_s(op, device)
    return [{"kind": k, "count": count[k], "bytes": sent[k], "seconds": time[k]} for k in sorted(count)]


def _gb(size: float) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e6 else f"{size / 1e3:.3g} kB"
