"""How a network lies on several devices, as JAX says it: a mesh of one axis, and a PartitionSpec for each tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xdsl.ir import Operation

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...passes.shard.apply import SpmdNetwork
from ...passes.shard.states import State
from ..python_text import Expression, call, quoted

REDUCTIONS = {"sum": "lax.psum", "max": "lax.pmax", "min": "lax.pmin"}


@dataclass(frozen=True)
class Sharding:
    """What the source of an SPMD network says beside its ops; specs are text, such as `P(None, "tp")`."""

    axis: str
    devices: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, str]
    """name -> spec"""


def sharding_of(program: SpmdNetwork) -> Sharding:
    """The mesh and the specs of `program`; InputError for an end that is no sharding: partial sums, exchanged rows."""
    mesh = program.mesh
    inputs, outputs = (tuple(spec_of(s, mesh.axis) for s in states) for states in (program.inputs, program.outputs))
    weights = {name: spec_of(state, mesh.axis) for name, state in program.weights.items()}
    return Sharding(mesh.axis, mesh.ranks, inputs, outputs, weights)


def spec_of(state: State, axis: str) -> str:
    """`P()` for B, and `P(None, "tp")` for S(1); axes behind the last that is named are whole."""
    if state.kind == "B":
        return "P()"
    if state.kind == "S":
        return f"P({', '.join([*['None'] * state.axis, quoted(axis)])})"
    raise InputError([Diagnostic("jax-sharding", f"no array of JAX lies on its devices as {state}")])


def _all_reduce(op: nn.AllReduceOp, operands: Sequence[str]) -> Expression:
    return call(REDUCTIONS[op.kind.data], *operands, quoted(op.mesh.data))


def _all_gather(op: nn.AllGatherOp, operands: Sequence[str]) -> Expression:
    return call("lax.all_gather", *operands, quoted(op.mesh.data), axis=nn.integer(op.axis), tiled=True)


def _reduce_scatter(op: nn.ReduceScatterOp, operands: Sequence[str]) -> Expression:
    axis = nn.integer(op.axis)
    return call("lax.psum_scatter", *operands, quoted(op.mesh.data), scatter_dimension=axis, tiled=True)


def _all_to_all(op: nn.AllToAllOp, operands: Sequence[str]) -> Expression:
    axes = {"split_axis": nn.integer(op.split_axis), "concat_axis": nn.integer(op.concat_axis)}
    return call("lax.all_to_all", *operands, quoted(op.mesh.data), **axes, tiled=True)


def _permute(op: nn.PermuteOp, operands: Sequence[str]) -> Expression:
    pairs = list(zip(nn.ints(op.sources), nn.ints(op.targets), strict=True))
    return call("lax.ppermute", *operands, quoted(op.mesh.data), str(pairs))


def _shard(op: nn.ShardOp, operands: Sequence[str]) -> Expression:
    """This device's part, from `rank` parts on."""
    axis = nn.integer(op.axis)
    size = nn.shape_of(op.result)[axis]
    first = f"lax.axis_index({quoted(op.mesh.data)}) * {size}"
    return call("lax.dynamic_slice_in_dim", *operands, first, str(size), axis=axis)


def _rank(op: nn.RankOp, operands: Sequence[str]) -> Expression:
    return call("lax.axis_index", quoted(op.mesh.data))


COLLECTIVES: dict[type[Operation], Callable[[Any, Sequence[str]], Expression]] = {
    nn.AllReduceOp: _all_reduce,
    nn.AllGatherOp: _all_gather,
    nn.ReduceScatterOp: _reduce_scatter,
    nn.AllToAllOp: _all_to_all,
    nn.PermuteOp: _permute,
    nn.ShardOp: _shard,
    nn.RankOp: _rank,
}
"""Collective -> its expression inside `jax.shard_map`."""
