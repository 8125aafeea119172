"""The reference meaning of the nn dialect in numpy float64: what passes and backends are held against."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import ReturnOp
from xdsl.ir import Operation, SSAValue

from . import nn

Array = np.ndarray
Observer = Callable[[Operation, Array], None]


def interpret(
    module: ModuleOp,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    observe: Observer | None = None,
) -> tuple[Array, ...]:
    """
    What `main` of `module` returns for `inputs`, in float64.

    `weights` gives the value of each `nn.weight` by name; `observe` is called with each op and its result. ValueError
    names an input or a weight that is absent or has another shape than the module says; NotImplementedError an op
    without a meaning.
    """
    block = nn.main_of(module).body.block
    if len(inputs) != len(block.args):
        raise ValueError(f"main takes {len(block.args)} inputs, got {len(inputs)}")
    values: dict[SSAValue, Array] = {}
    for index, (arg, given) in enumerate(zip(block.args, inputs, strict=True)):
        values[arg] = _as_declared(given, arg, f"input {index}")
    uses = Counter(operand for op in block.ops for operand in op.operands)
    for op in block.ops:
        operands = [values[o] for o in op.operands]
        if isinstance(op, ReturnOp):
            return tuple(operands)
        values[op.results[0]] = evaluate(op, operands, weights)
        if observe is not None:
            observe(op, values[op.results[0]])
        for operand in op.operands:  # large networks do not fit with every tensor kept
            uses[operand] -= 1
            if not uses[operand]:
                values.pop(operand, None)
    raise ValueError("main does not return")


def evaluate(op: Operation, operands: Sequence[Array], weights: Mapping[str, Array]) -> Array:
    """The result of the one op `op` on float64 `operands`."""
    if isinstance(op, nn.WeightOp):
        name = op.weight.data
        if name not in weights:
            raise ValueError(f"weight `{name}` has no value")
        return _as_declared(weights[name], op.result, f"weight `{name}`")
    if isinstance(op, nn.ElementwiseOp):
        return SCALAR[op.kind](*operands)
    meaning = MEANING.get(type(op))
    if meaning is None:
        raise NotImplementedError(f"{op.name} has no reference meaning")
    return meaning(op, *operands)


def _as_declared(given: Array, value: SSAValue, what: str) -> Array:
    array = np.asarray(given, dtype=np.float64)
    if array.shape != nn.shape_of(value):
        raise ValueError(f"{what} has shape {array.shape}, the module says {nn.shape_of(value)}")
    return array


SCALAR: dict[str, Callable[..., Array]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1.0 / np.sqrt(x),
    "neg": np.negative,
    "tanh": np.tanh,
    "sigmoid": lambda x: 0.5 * (1.0 + np.tanh(0.5 * x)),
    "erf": lambda x: np.vectorize(math.erf, otypes=[np.float64])(x),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}
"""Scalar function -> what it does to float64 arrays that broadcast."""


def _fused_elementwise(op: nn.FusedElementwiseOp, *operands: Array) -> Array:
    values = list(operands)
    for kind, args in op.chain:
        values.append(SCALAR[kind](*(values[a] for a in args)))
    return np.broadcast_to(values[-1], op.type.get_shape())


def _windows(x: Array, op: nn.WindowOp, kernel: nn.Shape, dilations: nn.Shape, pad_value: float) -> Iterator[Array]:
    """For each place (row by row) in the window, the elements that stand there as the window slides."""
    top, left, bottom, right = nn.ints(op.pads)
    (down, across), (rows, cols) = nn.ints(op.strides), nn.shape_of(op.results[0])[2:]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=pad_value)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            y0, x0 = i * dilations[0], j * dilations[1]
            yield padded[:, :, y0 : y0 + down * (rows - 1) + 1 : down, x0 : x0 + across * (cols - 1) + 1 : across]


def _conv2d(op: nn.Conv2dOp, x: Array, w: Array, bias: Array | None = None) -> Array:
    groups, (batch, filters, rows, cols) = nn.integer(op.groups), nn.shape_of(op.result)
    kernel = (w.shape[2], w.shape[3])
    taps = w.reshape(groups, filters // groups, w.shape[1], -1)
    out = np.zeros((batch, groups, filters // groups, rows * cols))
    for tap, window in enumerate(_windows(x, op, kernel, nn.ints(op.dilations), 0.0)):
        out += taps[..., tap] @ window.reshape(batch, groups, w.shape[1], rows * cols)
    out = out.reshape(batch, filters, rows, cols)
    return out if bias is None else out + bias[:, None, None]


def _max_pool(op: nn.MaxPoolOp, x: Array) -> Array:
    out = np.full(nn.shape_of(op.result), -np.inf)
    for window in _windows(x, op, nn.ints(op.kernel), (1, 1), -np.inf):
        np.maximum(out, window, out=out)
    return out


def _average_pool(op: nn.AveragePoolOp, x: Array) -> Array:
    kernel = nn.ints(op.kernel)
    total = sum(_windows(x, op, kernel, (1, 1), 0.0), start=np.zeros(nn.shape_of(op.result)))
    if nn.integer(op.count_pads):
        return total / math.prod(kernel)
    ones = np.ones((1, 1, *x.shape[2:]))
    count = sum(_windows(ones, op, kernel, (1, 1), 0.0), start=np.zeros((1, 1, *total.shape[2:])))
    return total / count


def _gemm(op: nn.GemmOp, a: Array, b: Array, bias: Array | None = None) -> Array:
    a = a.T if nn.integer(op.transpose_a) else a
    b = b.T if nn.integer(op.transpose_b) else b
    return a @ b if bias is None else a @ b + bias


def _batch_norm(op: nn.BatchNormOp, x: Array, *parameters: Array) -> Array:
    channels = (-1, *[1] * (x.ndim - 2))
    scale, bias, mean, variance = (p.reshape(channels) for p in parameters)
    return (x - mean) / np.sqrt(variance + nn.number(op.epsilon)) * scale + bias


def _softmax(op: nn.SoftmaxOp, x: Array) -> Array:
    axis = nn.integer(op.axis)
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def _reduce(op: nn.ReduceOp, x: Array) -> Array:
    functions = {"sum": np.sum, "mean": np.mean, "max": np.max}
    return functions[op.kind.data](x, axis=nn.ints(op.axes), keepdims=True)


def _slice(op: nn.SliceOp, x: Array) -> Array:
    return x[tuple(slice(a, b) for a, b in zip(nn.ints(op.starts), nn.ints(op.limits), strict=True))]


MEANING: dict[type[Operation], Callable[..., Array]] = {
    nn.FusedElementwiseOp: _fused_elementwise,
    nn.Conv2dOp: _conv2d,
    nn.MaxPoolOp: _max_pool,
    nn.AveragePoolOp: _average_pool,
    nn.MatmulOp: lambda op, a, b: a @ b,
    nn.GemmOp: _gemm,
    nn.BatchNormOp: _batch_norm,
    nn.SoftmaxOp: _softmax,
    nn.ReduceOp: _reduce,
    nn.FillOp: lambda op: np.full(nn.shape_of(op.result), nn.number(op.value)),
    nn.ReshapeOp: lambda op, x: x.reshape(nn.shape_of(op.result)),
    nn.BroadcastOp: lambda op, x: np.broadcast_to(x, nn.shape_of(op.result)),
    nn.TransposeOp: lambda op, x: x.transpose(nn.ints(op.permutation)),
    nn.ConcatOp: lambda op, *xs: np.concatenate(xs, axis=nn.integer(op.axis)),
    nn.SliceOp: _slice,
}
"""Op class -> its meaning, called with the op and the values of its operands."""
