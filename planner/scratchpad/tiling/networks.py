"""Loop nests of the operators of networks in the nn dialect."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from ..problem import ScratchpadProblem
from . import shapes
from .nest import Nest, Operand

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.ir import Operation


def nests_of_module(module: ModuleOp, problem: ScratchpadProblem, parameters: bool) -> dict[str, Nest]:
    """
    The nests, by operator name, of the operators of `problem`, which `problem_of_module` made of `module` with the same
    `parameters`. Operators that cannot be tiled are not among them.
    """
    from ..read_network import read_module

    found: dict[str, Nest] = {}
    _, reader = read_module(module, problem.name, parameters)  # numbers operators and tensors as for the problem
    for operator, op in zip(problem.operators, reader.ops, strict=True):
        inputs = [reader.index.get(reader.root(value)) for value in op.operands]
        names = [f"\0{i}" if t is None else problem.tensors[t].name for i, t in enumerate(inputs)]
        nest = nest_of_op(op, names, problem.tensors[reader.index[op.results[0]]].name)
        if nest is not None:
            found[operator.name] = nest.without(name for name in names if name.startswith("\0"))
    return found


def nest_of_op(op: Operation, inputs: list[str], out: str) -> Nest | None:
    """The nest of an op of the nn dialect, whose tensors have these names; None where it cannot be tiled."""
    from ....ir import nn

    makers: list[tuple[type[Operation] | tuple[type[Operation], ...], Callable[..., Nest | None]]] = [
        (nn.ConvOp, _convolution),
        ((nn.MaxPoolOp, nn.AveragePoolOp), _pool),
        (nn.MatmulOp, _matmul),
        (nn.GemmOp, _gemm),
        (nn.SoftmaxOp, _softmax),
        ((nn.ElementwiseOp, nn.FusedElementwiseOp), _elementwise),
        (nn.BatchNormOp, _batch_norm),
        (nn.ReduceOp, _reduce),
    ]
    maker = next((make for kind, make in makers if isinstance(op, kind)), None)
    return None if maker is None else maker(op, inputs, out)


def _width(value: Any) -> int:
    """Bytes of an element."""
    from ....costmodel.rules import tensor_bytes
    from ....ir import nn

    return tensor_bytes(value) // prod(nn.shape_of(value))


def _slides(op: Any, kernel: tuple[int, ...]) -> tuple[shapes.Slide, shapes.Slide] | None:
    """How the window slides down and across; over one dimension, across a single row. None over three."""
    size, strides, dilations, pads = op.window(kernel)
    slides = [
        shapes.Slide(size[i], kernel[i], strides[i], pads[i], pads[i + len(size)], dilations[i])
        for i in range(len(size))
    ]
    if len(slides) == 3:
        return None
    down = slides[-2] if len(slides) == 2 else shapes.Slide(1, 1)
    return down, slides[-1]


def _convolution(op: Any, inputs: list[str], out: str) -> Nest | None:
    from ....ir import nn

    batch, channels = nn.shape_of(op.x)[:2]
    filters, _, *kernel = nn.shape_of(op.w)
    slides = _slides(op, tuple(kernel))
    if slides is None:
        return None
    bias = inputs[2] if len(inputs) == 3 else None
    return shapes.convolution(
        inputs[0], inputs[1], out, batch, channels, filters, *slides, nn.integer(op.groups), bias, _width(op.x)
    )  # fmt: skip


def _pool(op: Any, inputs: list[str], out: str) -> Nest | None:
    from ....ir import nn

    batch, channels = nn.shape_of(op.x)[:2]
    slides = _slides(op, nn.ints(op.kernel))
    return None if slides is None else shapes.pool(inputs[0], out, batch, channels, *slides, _width(op.x))


def _matmul(op: Any, inputs: list[str], out: str) -> Nest | None:
    from ....ir import nn

    a, b = nn.shape_of(op.a), nn.shape_of(op.b)
    batch, shared = prod(a[:-2]), prod(b[:-2]) == 1
    if not shared and a[:-2] != b[:-2]:
        return None
    return shapes.matmul(inputs[0], inputs[1], out, a[-2], b[-1], a[-1], batch, shared, _width(op.a))


def _gemm(op: Any, inputs: list[str], out: str) -> Nest:
    from ....ir import nn

    (m, n), element = nn.shape_of(op.result), _width(op.a)
    k = prod(nn.shape_of(op.a)) // m
    nest = shapes.matmul(inputs[0], inputs[1], out, m, n, k, element=element)
    if op.bias is None:
        return nest
    axes = _aligned(nn.shape_of(op.bias), {"m": m, "n": n})
    return Nest(nest.kind, nest.loops, (*nest.operands, Operand(inputs[2], axes, element)))


def _softmax(op: Any, inputs: list[str], out: str) -> Nest | None:
    from ....ir import nn

    *count, width = nn.shape_of(op.x)
    if nn.integer(op.axis) != len(count):
        return None
    return shapes.rows(inputs[:1], [out], prod(count), width, _width(op.x))


def _elementwise(op: Any, inputs: list[str], out: str) -> Nest:
    from ....ir import nn

    given = [nn.shape_of(value) for value in op.operands]
    return _pointwise(given, inputs, out, nn.shape_of(op.result), _width(op.result))


def _batch_norm(op: Any, inputs: list[str], out: str) -> Nest:
    from ....ir import nn

    shape = nn.shape_of(op.x)
    channel = (shape[1], *(1 for _ in shape[2:]))
    return _pointwise([shape, *(channel for _ in op.operands[1:])], inputs, out, shape, _width(op.x))


def _reduce(op: Any, inputs: list[str], out: str) -> Nest:
    from ....ir import nn

    return shapes.reduction(inputs[0], out, nn.shape_of(op.x), nn.ints(op.axes), _width(op.x))


def _pointwise(given: list[tuple[int, ...]], inputs: list[str], out: str, shape: tuple[int, ...], element: int) -> Nest:
    loops = {f"d{axis}": size for axis, size in enumerate(shape)}
    operands: dict[str, Operand] = {}
    for name, sizes in zip(inputs, given, strict=True):
        operands.setdefault(name, Operand(name, _aligned(sizes, loops), element))
    made = Operand(out, tuple(loops), element, "output")
    return Nest("elementwise", tuple(loops.items()), (*operands.values(), made))


def _aligned(sizes: tuple[int, ...], loops: dict[str, int]) -> tuple[str, ...]:
    """The loops that a tensor that broadcasts to them depends on."""
    return tuple(loop for loop, size in zip(list(loops)[len(loops) - len(sizes) :], sizes, strict=True) if size > 1)
