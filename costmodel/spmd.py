"""How long an SPMD program takes on equal devices: its ops one after another, collectives over the devices' link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TypeGuard

from xdsl.ir import Operation

from ..ir import nn
from .collectives import all_gather_s, all_reduce_s, all_to_all_s, point_to_point_s, reduce_scatter_s
from .cost import Cost, cost_of
from .hardware import Device
from .overlap import Demand, overlapped_s
from .roofline import efficiency, time_s
from .rules import tensor_bytes

PRECISION: Mapping[str, str] = MappingProxyType(
    {"f64": "fp32", "f32": "fp32", "f16": "fp16", "bf16": "bf16", "f8E4M3FN": "fp8", "f8E5M2": "fp8"}
)
"""Element type -> the precision whose FLOP/s count; integers are taken as fp32."""


def seconds(op: Operation, device: Device) -> float:
    """
    [s] of one op on each of the devices that run it together; NoCostRule where it has no rule.

    A collective takes its time on the link and a launch; what it does in memory goes on meanwhile. ValueError for one
    over a device without a link.
    """
    if _uses_link(op):
        return link_s(op, device) + cost_of(op).launches * efficiency(device).launch_s
    return time_s(cost_of(op), device, precision_of(op))


def total_s(ops: Iterable[Operation], device: Device, nano_batches: int = 1) -> float:
    """[s] of ops one after another; overlapped as well as can be where their batch is cut into `nano_batches`."""
    if nano_batches == 1:
        return sum(seconds(op, device) for op in ops)
    return float(overlapped_s([demand(op, device) for op in ops], nano_batches))


def demand(op: Operation, device: Device) -> Demand:
    """How long one op keeps each resource of `device`; ValueError as for `seconds`."""
    cost, reached = cost_of(op), efficiency(device)
    launch_s = cost.launches * reached.launch_s
    if _uses_link(op):
        return Demand(network_s=link_s(op, device), launch_s=launch_s)
    weights = Cost(read_bytes=sum(tensor_bytes(o) for o in set(op.operands) if isinstance(o.owner, nn.WeightOp)))
    used = precision_of(op)
    return Demand(
        time_s(Cost(cost.flops), device, used),
        time_s(Cost(0.0, cost.read_bytes, cost.write_bytes), device, used),
        weights_s=time_s(weights, device, used),
        launch_s=launch_s,
    )


def _uses_link(op: Operation) -> TypeGuard[nn.CollectiveOp]:
    return isinstance(op, nn.CollectiveOp) and not isinstance(op, nn.ShardOp | nn.RankOp)


def link_s(op: nn.CollectiveOp, device: Device) -> float:
    """[s] that a collective takes on the link of the chassis of `device`."""
    ranks = nn.integer(op.ranks)
    if ranks == 1:
        return 0.0
    if not device.link_bandwidth_bytes_per_s:
        raise ValueError(f"`{device.id}` has no link to other devices")
    link = (device.link_bandwidth_bytes_per_s, device.link_latency_s)
    match op:
        case nn.AllReduceOp():
            return all_reduce_s(tensor_bytes(op.x), ranks, *link)
        case nn.AllGatherOp():
            return all_gather_s(tensor_bytes(op.result), ranks, *link)
        case nn.ReduceScatterOp():
            return reduce_scatter_s(tensor_bytes(op.x), ranks, *link)
        case nn.AllToAllOp():
            return all_to_all_s(tensor_bytes(op.x), ranks, *link)
        case _:
            return point_to_point_s(tensor_bytes(op.operands[0]), *link)


def precision_of(op: Operation) -> str:
    """The precision in which `op` computes: that of the first of its floats."""
    kinds = (str(nn.tensor_type(value).element_type) for value in (*op.operands, *op.results))
    return next((PRECISION[kind] for kind in kinds if kind in PRECISION), "fp32")
