"""Runs a network of the nn dialect by the reference meaning: what passes and backends are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from . import nn
from .meaning import MEANING, Array, held
from .wording import counted

Observer = Callable[[Operation, tuple[Array, ...]], None]
Keeper = Callable[[nn.Tensor, Array], Array]
"""What becomes of a value where it is kept as a tensor of that type"""


def interpret(
    module: ModuleOp,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    observe: Observer | None = None,
    keep: Keeper | None = None,
) -> tuple[Array, ...]:
    """
    What `main` of `module` returns for `inputs`: floats in float64, integers exactly; each result as `keep` leaves it.

    `weights` gives the value of each `nn.weight` by name; open sizes are what the inputs make them; `observe` is
    called with each op and its results. ValueError names an input or a weight that is absent or has another shape than
    the module says; NotImplementedError an op without a meaning.
    """
    module = _closed(module, inputs)
    block = nn.main_of(module).body.block
    if len(inputs) != len(block.args):
        raise ValueError(f"main takes {counted(len(block.args), 'input')}, got {len(inputs)}")
    values: dict[SSAValue, Array] = {}
    for index, (arg, given) in enumerate(zip(block.args, inputs, strict=True)):
        values[arg] = declared(given, arg, f"input {index}")
    uses = Counter(operand for op in block.ops for operand in op.operands)
    for op in block.ops:
        operands = [values[o] for o in op.operands]
        if isinstance(op, ReturnOp):
            return tuple(operands)
        results = evaluate(op, operands, weights)
        if keep is not None:
            results = tuple(keep(nn.tensor_type(r), each) for r, each in zip(op.results, results, strict=True))
        values.update(zip(op.results, results, strict=True))
        if observe is not None:
            observe(op, results)
        for operand in op.operands:  # large networks do not fit with every tensor kept
            uses[operand] -= 1
            if not uses[operand]:
                values.pop(operand, None)
    raise ValueError("main does not return")


def evaluate(op: Operation, operands: Sequence[Array], weights: Mapping[str, Array]) -> tuple[Array, ...]:
    """The results of the one op `op` on `operands`; both are held as `held` says."""
    if isinstance(op, nn.WeightOp):
        name = op.weight.data
        if name not in weights:
            raise ValueError(f"weight `{name}` has no value")
        return (declared(weights[name], op.result, f"weight `{name}`"),)
    meaning = MEANING.get(type(op))
    if meaning is None:
        raise NotImplementedError(f"{op.name} has no reference meaning")
    given = [held(nn.tensor_type(o).element_type, x) for o, x in zip(op.operands, operands, strict=True)]
    with np.errstate(all="ignore"):  # infinities and NaN pass through
        result = meaning(op, *given)
    results = result if isinstance(result, tuple) else (result,)
    return tuple(held(nn.tensor_type(r).element_type, x) for r, x in zip(op.results, results, strict=True))


def _closed(module: ModuleOp, inputs: Sequence[Array]) -> ModuleOp:
    """The module with every open size known from the inputs."""
    sizes = nn.sizes_given(module, [np.shape(given) for given in inputs])
    return nn.with_sizes(module, sizes) if sizes else module


def declared(given: Array, value: SSAValue, what: str) -> Array:
    """`given` as it is held; ValueError, naming `what`, unless it has the shape of `value`."""
    array = held(nn.tensor_type(value).element_type, given)
    if array.shape != nn.shape_of(value):
        raise ValueError(f"{what} has shape {array.shape}, the module says {nn.shape_of(value)}")
    return array
