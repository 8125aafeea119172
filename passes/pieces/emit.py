"""Writes a network as pieces: a function for each, and a `main` that calls them with transfers between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.func import CallOp, FuncOp, ReturnOp
from xdsl.ir import Block, Operation, Region, SSAValue

from ...costmodel.hardware import Device
from ...costmodel.rules import tensor_bytes
from ...costmodel.spmd import seconds
from ...ir import nn
from .choose import join_pieces, pieces_order


@dataclass(frozen=True)
class Pieces:
    """A network in pieces."""

    module: ModuleOp
    """`main` and a function for each piece"""
    names: tuple[str, ...]
    """in the order in which they run"""
    transfers: tuple[tuple[str, str, int], ...]
    """(from, to, bytes) of each tensor that passes between two pieces"""


def cut_into_pieces(network: nn.NnModule, most: int, device: Device) -> Pieces:
    """`network` in at most `most` convex pieces, of work on `device` as equal as joining the smallest makes it."""
    ops = working_ops(network)
    piece_of = join_pieces([seconds(op, device) for op in ops], edges_between(ops), most)
    return emit_pieces(network, piece_of)


def working_ops(network: nn.NnModule) -> list[Operation]:
    """The ops that are placed: all but weights, which stand wherever they are used."""
    return [op for op in nn.body_of(network.module) if not isinstance(op, nn.WeightOp)]


def edges_between(ops: Sequence[Operation]) -> dict[tuple[int, int], float]:
    """[bytes] that each op makes for each other."""
    index = {op: i for i, op in enumerate(ops)}
    edges: dict[tuple[int, int], float] = {}
    for i, op in enumerate(ops):
        for operand in dict.fromkeys(op.operands):
            if isinstance(operand.owner, Operation) and operand.owner in index:
                edge = (index[operand.owner], i)
                edges[edge] = edges.get(edge, 0.0) + tensor_bytes(operand)
    return edges


def emit_pieces(network: nn.NnModule, piece_of: Sequence[int]) -> Pieces:
    """
    The pieces of a choice: `piece_of` says the piece of each working op, numbered in the order in which they run.

    Promise: `main` computes the same; what a piece uses of another passes through one `nn.transfer`. ValueError where
    a piece would need one that runs after it.
    """
    ops = working_ops(network)
    if len(piece_of) != len(ops) or not pieces_order(piece_of, edges_between(ops)):
        raise ValueError("the pieces cannot run in their order")
    writer = _Writer(network, dict(zip(ops, piece_of, strict=True)))
    for piece in sorted(set(piece_of)):
        writer.write(piece)
    return writer.finish()


class _Writer:
    """Writes `main` and the functions."""

    def __init__(self, network: nn.NnModule, piece_of: Mapping[Operation, int]) -> None:
        self.piece_of = piece_of
        self.source = nn.main_of(network.module).body.block
        self.main = Block(arg_types=[arg.type for arg in self.source.args])
        self.known: dict[SSAValue, SSAValue] = dict(zip(self.source.args, self.main.args, strict=True))
        self.functions: list[FuncOp] = []
        self.transfers: list[tuple[str, str, int]] = []

    def write(self, piece: int) -> None:
        """The function of a piece, its transfers and its call."""
        ops = [op for op, own in self.piece_of.items() if own == piece]
        inside = set(ops)
        used = dict.fromkeys(o for op in ops for o in op.operands)
        wanted = [v for v in used if not isinstance(v.owner, nn.WeightOp) and v.owner not in inside]
        given = [r for op in ops for r in op.results if any(use.operation not in inside for use in r.uses)]
        name = _name(piece)
        self.functions.append(_function(name, ops, wanted, given))
        call = CallOp(name, [self._brought(v, name) for v in wanted], [r.type for r in given])
        self.main.add_op(call)
        self.known.update(zip(given, call.results, strict=True))

    def _brought(self, value: SSAValue, target: str) -> SSAValue:
        """`value` where the piece `target` can use it; an input is there already."""
        if not isinstance(value.owner, Operation):
            return self.known[value]
        source = _name(self.piece_of[value.owner])
        op = nn.TransferOp.make(self.known[value], at=value.owner, source=source, target=target)
        self.main.add_op(op)
        self.transfers.append((source, target, tensor_bytes(value)))
        return op.result

    def finish(self) -> Pieces:
        """The whole module."""
        end = self.source.last_op
        assert end is not None
        for value in dict.fromkeys(end.operands):
            if isinstance(value.owner, nn.WeightOp):  # an output that is a weight as it is
                weight = value.owner.clone()
                self.main.add_op(weight)
                self.known[value] = weight.result
        module = nn.build_main(self.main, [self.known[v] for v in end.operands])
        for function in self.functions:
            module.body.block.add_op(function)
        names = tuple(f.sym_name.data for f in self.functions)
        return Pieces(module, names, tuple(self.transfers))


def _function(name: str, ops: Sequence[Operation], wanted: Sequence[SSAValue], given: Sequence[SSAValue]) -> FuncOp:
    """A function of the values `wanted` that gives the values `given`, with its own ops for weights."""
    block = Block(arg_types=[v.type for v in wanted])
    known: dict[SSAValue, SSAValue] = dict(zip(wanted, block.args, strict=True))
    for op in ops:
        for operand in op.operands:
            if operand not in known:
                assert isinstance(operand.owner, nn.WeightOp)
                block.add_op(_copy(operand.owner, known))
        block.add_op(_copy(op, known))
    block.add_op(ReturnOp(*(known[v] for v in given)))
    return FuncOp(name, ([v.type for v in wanted], [v.type for v in given]), Region(block))


def _copy(op: Operation, known: dict[SSAValue, SSAValue]) -> Operation:
    same = op.clone(known)
    same.location = op.location
    known.update(zip(op.results, same.results, strict=True))
    return same


def _name(piece: int) -> str:
    return f"p{piece}"


def piece_module(pieces: Pieces, name: str) -> ModuleOp:
    """The piece `name` alone, as a network's module; ValueError where there is none."""
    for op in pieces.module.ops:
        if isinstance(op, FuncOp) and op.sym_name.data == name:
            main = op.clone()
            main.sym_name = StringAttr("main")
            return ModuleOp([main])
    raise ValueError(f"there is no piece `{name}`")
