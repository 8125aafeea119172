"""Runs an SPMD program by the reference meaning: all ranks in lockstep, op by op."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import prod

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from . import nn
from .interpret import declared, evaluate
from .meaning import Array
from .meaning.collectives import ACROSS

Mesh = Mapping[str, int]
"""Axis -> its size, outermost first; rank r has the coordinates of place r in row-major order."""


def interpret_spmd(
    module: ModuleOp,
    mesh: Mesh,
    inputs: Sequence[Sequence[Array]],
    weights: Sequence[Mapping[str, Array]],
) -> list[tuple[Array, ...]]:
    """
    What `main` of `module` returns on each rank of `mesh`, in float64.

    `inputs` and `weights` are given for each rank. ValueError names what is absent or of another shape than the
    module says, a collective over no axis of the mesh, or one whose size differs; NotImplementedError an op without a
    meaning.
    """
    ranks = prod(mesh.values())
    block = nn.main_of(module).body.block
    if len(inputs) != ranks or len(weights) != ranks or any(len(given) != len(block.args) for given in inputs):
        raise ValueError(f"{len(block.args)} inputs and the weights are needed for each of {ranks} ranks")
    values: list[dict[SSAValue, Array]] = [
        {arg: declared(x, arg, f"input {i}") for i, (arg, x) in enumerate(zip(block.args, given, strict=True))}
        for given in inputs
    ]
    uses = Counter(operand for op in block.ops for operand in op.operands)
    for op in block.ops:
        if isinstance(op, ReturnOp):
            return [tuple(held[o] for o in op.operands) for held in values]
        if isinstance(op, nn.CollectiveOp):
            _together(op, mesh, values)
        else:
            for held, own in zip(values, weights, strict=True):
                held.update(zip(op.results, evaluate(op, [held[o] for o in op.operands], own), strict=True))
        for operand in op.operands:  # large networks do not fit with every tensor kept
            uses[operand] -= 1
            if not uses[operand]:
                for held in values:
                    held.pop(operand, None)
    raise ValueError("main does not return")


def groups(mesh: Mesh, axis: str) -> Iterator[tuple[int, ...]]:
    """The groups of ranks that differ along `axis` alone, each in the order of that axis."""
    grid = np.arange(prod(mesh.values())).reshape(tuple(mesh.values()))
    for group in np.moveaxis(grid, list(mesh).index(axis), -1).reshape(-1, mesh[axis]):
        yield tuple(int(rank) for rank in group)


def _together(op: nn.CollectiveOp, mesh: Mesh, values: Sequence[dict[SSAValue, Array]]) -> None:
    axis = op.mesh.data
    if mesh.get(axis) != op.group:
        raise ValueError(f"{op.name} joins {op.group} ranks along `{axis}`, and the mesh is {dict(mesh)}")
    for group in groups(mesh, axis):
        held = [values[rank][op.operands[0]] for rank in group] if op.operands else []
        for rank, result in zip(group, _across(op, held), strict=True):
            values[rank][op.results[0]] = result


def _across(op: Operation, held: Sequence[Array]) -> list[Array]:
    meaning = ACROSS.get(type(op))
    if meaning is None:
        raise NotImplementedError(f"{op.name} has no meaning across ranks")
    return meaning(op, held)
