"""Poses the pipeline of a network: its ops in file order, what crosses between them, and the devices there are."""

from __future__ import annotations

from collections.abc import Sequence

from ...costmodel.hardware import Device
from ...costmodel.rules import tensor_bytes
from ...costmodel.spmd import seconds
from ...ir import nn
from ...passes.pieces.emit import Pieces, emit_pieces, working_ops
from .stages import Item, Kind, Stage, StagesProblem


def pose_stages(
    network: nn.NnModule, devices: Sequence[tuple[Device, int]], bandwidth_bytes_per_s: float, latency_s: float
) -> StagesProblem:
    """
    The problem of cutting `network` into stages on so many of each device, all linked alike.

    An op holds the weights that it uses (one that several use counts for each) and, while it runs, what is made before
    its end and used from it on. NoCostRule where an op cannot be priced.
    """
    ops = working_ops(network)
    place = {op: i for i, op in enumerate(ops)}
    changes, crossing = [0] * (len(ops) + 1), [0] * (len(ops) + 1)
    block = nn.main_of(network.module).body.block
    for value in [*block.args, *(r for op in ops for r in op.results)]:
        born = place.get(value.owner, -1)  # type: ignore[arg-type]
        last = max((place.get(use.operation, len(ops)) for use in value.uses), default=born)
        size = tensor_bytes(value)
        changes[max(born, 0)] += size
        if last < len(ops):
            changes[last + 1] -= size
        if 0 <= born < last:  # inputs are given to the stage that uses them
            crossing[born] += size
            crossing[last if last < len(ops) else born] -= size
    live, between = _running(changes), _running(crossing)
    items = tuple(
        Item(
            tuple(seconds(op, device) for device, _ in devices),
            float(sum(tensor_bytes(o) for o in dict.fromkeys(op.operands) if isinstance(o.owner, nn.WeightOp))),
            float(live[i]),
        )
        for i, op in enumerate(ops)
    )
    kinds = tuple(Kind(device.id, count, device.memory_bytes) for device, count in devices)
    return StagesProblem(items, kinds, tuple(map(float, between[: len(ops) - 1])), bandwidth_bytes_per_s, latency_s)


def stage_pieces(network: nn.NnModule, stages: Sequence[Stage]) -> Pieces:
    """The network as one piece for each stage, with the transfers between them."""
    return emit_pieces(network, [i for i, stage in enumerate(stages) for _ in range(stage.first, stage.end)])


def _running(changes: Sequence[int]) -> list[int]:
    """Sums of all changes up to each place."""
    total, found = 0, []
    for change in changes:
        total += change
        found.append(total)
    return found
