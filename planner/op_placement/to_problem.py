"""Poses the placement of a network: its ops as pieces, what passes between them, and the devices with their links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from xdsl.ir import Operation

from ...costmodel.cost import NoCostRule
from ...costmodel.rules import tensor_bytes
from ...costmodel.spmd import seconds
from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.pieces.emit import working_ops
from .places import Place, Wire
from .problem import Device, OpPlacementProblem, Pair, Piece, Route, Tensor

INPUTS, OUTPUTS = "(inputs)", "(outputs)"
"""pieces that stand for what comes from outside and goes there"""


def pose(
    network: nn.NnModule, places: Sequence[Place], wires: Mapping[Pair, Wire], ends_at: int | None = None
) -> OpPlacementProblem:
    """
    The problem of placing every op of `network` on `places`.

    With `ends_at`, inputs come from that device and outputs go to it; without, inputs are wherever they are used. An op
    holds the weights that it uses: one that several use counts for each. InputError where an op cannot be priced or
    runs nowhere.
    """
    ops = working_ops(network)
    shift = ends_at is not None
    index = {op: i + shift for i, op in enumerate(ops)}
    pieces = [Piece(_name(op, i), _times(op, places), _weights(op)) for i, op in enumerate(ops)]
    block = nn.main_of(network.module).body.block
    last = block.last_op
    tensors: list[Tensor] = []
    if ends_at is not None:
        only = tuple(0 if d == ends_at else None for d in range(len(places)))
        pieces = [Piece(INPUTS, only), *pieces, Piece(OUTPUTS, only)]
        for n, value in enumerate(block.args):
            if users := tuple(sorted({index[use.operation] for use in value.uses if use.operation in index})):
                tensors.append(Tensor(f"input {n}", 0, users, tensor_bytes(value)))
    for op in ops:
        for n, result in enumerate(op.results):
            used = {use.operation for use in result.uses}
            users = tuple(sorted(index[user] for user in used if user in index))
            if shift and last in used:
                users = (*users, len(pieces) - 1)
            name = pieces[index[op]].name + (f".{n}" if n else "")
            tensors.append(Tensor(name, index[op], users, tensor_bytes(result)))
    ports = sorted({port for wire in wires.values() for port in wire.ports})
    link = {port: k for k, port in enumerate(ports)}
    routes = {
        pair: Route(wire.bandwidth_bytes_per_s, wire.latency_ns, tuple(link[port] for port in wire.ports))
        for pair, wire in wires.items()
    }
    devices = tuple(Device(place.name, int(place.hardware.memory_bytes)) for place in places)
    return OpPlacementProblem(tuple(pieces), tuple(tensors), devices, routes, tuple(ports))


def _name(op: Operation, i: int) -> str:
    return f"{i}.{op.name.removeprefix('nn.')}"


def _weights(op: Operation) -> int:
    return sum(tensor_bytes(o) for o in dict.fromkeys(op.operands) if isinstance(o.owner, nn.WeightOp))


def _times(op: Operation, places: Sequence[Place]) -> tuple[int | None, ...]:
    """[ns] on each device; None where it has no rate for the op's numbers."""
    found: list[int | None] = []
    for place in places:
        try:
            found.append(ceil(seconds(op, place.hardware) * 1e9))
        except NoCostRule as error:
            raise InputError([Diagnostic("cost", str(error))]) from error
        except ValueError:
            found.append(None)
    if all(ns is None for ns in found):
        names = ", ".join(f"`{place.name}`" for place in places)
        raise InputError([Diagnostic("device", f"`{op.name}` can run on none of {names}")])
    return tuple(found)
