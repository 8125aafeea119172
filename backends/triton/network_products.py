"""Chains of scalar functions, and products that take them as their epilogue, as launches of an emitted network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import dtype_of
from ..jax.names import Names
from ..python_text import SUM, Scalar, sequence, tuple_of
from .emit import FUNCTIONS, OF_INTEGERS, chain_lines, constant_scalar
from .launches import Tile
from .network import Emitter
from .network_quantised import few_bits_of, quantised_launch
from .tiles import Work
from .views import View

FLOATS = ("float32", "float16", "bfloat16")
BLOCKS = {"block": 1024, "num_warps": 4}
"""elements of one program of a kernel that reads and writes each once, and its warps"""
DEPTHWISE = {"block": 256, "num_warps": 4}
"""elements of one program of a convolution in which every filter sees one channel, and its warps"""
SCALARS = (nn.ElementwiseOp, nn.FusedElementwiseOp)
LOADED = (*FLOATS, "bool", "int8", "uint8", "int16", "int32", "int64")
"""types that kernels turn into float32 as they load them"""
PRODUCTS = (nn.MatmulOp, nn.GemmOp, nn.ConvOp)


def float_dtype(op: Operation) -> str:
    dtype = dtype_of(nn.tensor_type(op.results[0]))
    if dtype not in FLOATS:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel computes `{op.name}` of {dtype}")])
    return dtype


def _steps(op: nn.ElementwiseOp | nn.FusedElementwiseOp) -> Sequence[tuple[str, Sequence[int]]]:
    return op.chain if isinstance(op, nn.FusedElementwiseOp) else [(op.kind, range(len(op.operands)))]


class Chain:
    """Elementwise ops put together: tensors become parameters of a jitted function, scalar fills constants in it."""

    def __init__(self, first: Sequence[SSAValue] = (), floats: bool = True) -> None:
        self.floats = floats
        self.parameters: list[str] = []
        self.tensors: list[SSAValue] = []
        self.values: list[Scalar] = []
        self.steps: list[tuple[str, Sequence[int]]] = []
        self._operands: dict[SSAValue, int] = {}
        self._results: dict[SSAValue, int] = {}
        self.scalars: dict[SSAValue, Scalar] = {}
        for value in first:
            self._parameter(value)

    def _parameter(self, value: SSAValue) -> int:
        self.parameters.append(f"x{len(self.parameters) + 1}")
        self.tensors.append(value)
        self.values.append(Scalar(self.parameters[-1]))
        self._operands[value] = len(self.values) - 1
        return self._operands[value]

    def add(self, op: Operation, constant: Callable[[SSAValue], Scalar | None]) -> None:
        """`op`, a chain or a cast between floats, after those before it: a cast changes nothing inside a kernel."""
        given = [self._place(operand, constant) for operand in op.operands]
        if isinstance(op, nn.CastOp):
            (place,) = given
            known, index = (self._results, ~place) if place < 0 else (self._operands, place)
            known[op.result] = index
            return
        assert isinstance(op, SCALARS)
        before = len(self.steps)
        for kind, arguments in _steps(op):
            places = [given[a] if a < len(given) else ~(before + a - len(given)) for a in arguments]
            self.steps.append((kind, places))
        self._results[op.results[0]] = len(self.steps) - 1

    def _place(self, operand: SSAValue, constant: Callable[[SSAValue], Scalar | None]) -> int:
        """Where the value of `operand` is: index of a value, or ~index of a step."""
        if operand in self._results:
            return ~self._results[operand]
        if operand in self._operands:
            return self._operands[operand]
        if (scalar := constant(operand)) is None:
            return self._parameter(operand)
        self.values.append(scalar)
        self._operands[operand] = len(self.values) - 1
        return self._operands[operand]

    def name(self, e: Emitter, kind: str) -> str:
        """The jitted function for all that was added."""
        steps = [(kind_, [a if a >= 0 else len(self.values) + ~a for a in places]) for kind_, places in self.steps]
        functions = FUNCTIONS if self.floats else OF_INTEGERS
        lines = chain_lines(steps, list(self.values), Names(self.parameters), functions)
        return e.function(kind, self.parameters, lines)


def write_chain(
    e: Emitter, ops: Sequence[Operation], constant: Callable[[SSAValue], Scalar | None] = constant_scalar
) -> None:
    """One launch for the scalar functions `ops`, of which the last gives the result."""
    last = ops[-1].results[0]
    floats = nn.is_float(nn.tensor_type(last).element_type)
    chain = Chain(floats=floats)
    for op in ops:
        chain.add(op, constant)
    if not chain.tensors:
        chain = Chain([ops[0].operands[0]], floats)
        for op in ops:
            chain.add(op, constant)
    function = chain.name(e, "chain")
    kind = "fused" if len(ops) > 1 else getattr(ops[0], "kind", "fused")
    write_pointwise(e, e.result(last, kind), [e.view(value) for value in chain.tensors], function, floats)


def write_pointwise(e: Emitter, out: View, operands: Sequence[View], function: str, floats: bool) -> None:
    """`out` from the elements of `operands`, in float32 or in their own types."""
    given = tuple_of(list(map(str, operands)))
    options = {} if floats else {"floats": False}
    e.launch("pointwise", "pointwise", given, out, function, **options, **BLOCKS, comment=f"{out.sizes}")


def write_fusion(e: Emitter, op: nn.FusionOp, write_op: Callable[[Emitter, Operation], None]) -> None:
    """A chain is one launch, a product takes the scalar functions around it as its epilogue; else all op by op."""
    for arg, operand in zip(op.body.block.args, op.operands, strict=True):
        e.share(arg, operand)
    constants: dict[SSAValue, SSAValue] = dict(zip(op.body.block.args, op.operands, strict=True))

    def constant(value: SSAValue) -> Scalar | None:
        return constant_scalar(constants.get(value, value))

    steps = op.steps
    product = next((step for step in steps if isinstance(step, PRODUCTS)), None)
    around = [step for step in steps if step is not product]
    shape = nn.shape_of((product or steps[-1]).results[0])
    if all(_is_scalar(step) and (product is None or nn.shape_of(step.results[0]) == shape) for step in around):
        if product is None:
            write_chain(e, steps, constant)
        else:
            write_product(e, product, around, constant)
    else:
        _write_apart(e, steps, constant, write_op)
    for result, value in zip(op.results, steps[-1].results, strict=True):
        e.bind(result, e.view(value))


def _is_scalar(op: Operation) -> bool:
    """Whether `op` is a function of floats, or a cast to them, which a kernel does in float32 on the way."""
    kinds = [dtype_of(nn.tensor_type(value)) for value in (*op.operands, *op.results)]
    if isinstance(op, nn.CastOp):
        return kinds[0] in LOADED and kinds[1] in FLOATS
    return isinstance(op, SCALARS) and all(kind in FLOATS for kind in kinds)


def _write_apart(
    e: Emitter,
    steps: Sequence[Operation],
    constant: Callable[[SSAValue], Scalar | None],
    write_op: Callable[[Emitter, Operation], None],
) -> None:
    """A launch for each step, but for those right behind a product."""
    at = next((i for i, step in enumerate(steps) if isinstance(step, PRODUCTS)), None)
    for step in steps[:at]:
        write_op(e, step)
    if at is None:
        return
    shape = nn.shape_of(steps[at].results[0])
    behind = at + 1
    while behind < len(steps) and _is_scalar(steps[behind]) and nn.shape_of(steps[behind].results[0]) == shape:
        behind += 1
    write_product(e, steps[at], steps[at + 1 : behind], constant)
    for step in steps[behind:]:
        write_op(e, step)


def write_product(
    e: Emitter, op: Operation, epilogue: Sequence[Any] = (), constant: Callable[[SSAValue], Any] = constant_scalar
) -> None:
    """A product, the bias that it has itself, and what follows it, in one launch."""
    dtype = float_dtype(op)
    chain = Chain([op.results[0]])
    for step in epilogue:
        chain.add(step, constant)
    bias = getattr(op, "bias", None)
    if bias is not None:
        # The bias comes first: every use of the product becomes one of the sum.
        chain.parameters.insert(1, "bias")
        chain.tensors.insert(1, bias)
        chain.values[0] = Scalar("x1 + bias", SUM)
    out_value = epilogue[-1].results[0] if epilogue else op.results[0]
    function = chain.name(e, "epilogue") if chain.steps or bias is not None else None
    operands = [e.view(value) for value in chain.tensors[1:]]
    out = e.result(out_value, "conv" if isinstance(op, nn.ConvOp) else "matmul")
    if isinstance(op, nn.ConvOp):
        _launch_conv(e, op, out, operands, function, dtype, bias is not None)
    else:
        _launch_matmul(e, op, out, operands, function, dtype)


def _launch_matmul(
    e: Emitter, op: Operation, out: View, operands: list[View], function: str | None, dtype: str
) -> None:
    a = e.view(op.operands[0])
    if (weights := few_bits_of(e, op)) is not None:
        a = a.transposed((1, 0)) if isinstance(op, nn.GemmOp) and nn.integer(op.transpose_a) else a
        arguments, options, tiles, sizes = quantised_launch(e, op, a, weights, out, dtype)
        operands = [e.reshaped(each.broadcast(out.sizes), sizes) if len(out.sizes) > 2 else each for each in operands]
        options |= {"operands": f"[{', '.join(map(str, operands))}]"} if operands else {}
        text = f"{a.sizes} {(a.sizes[-1], sizes[1])} of {weights.bits} bits -> {sizes}"
        _launch_tiled(e, "quantised_matmul", arguments, tiles, text, function, options)
        return
    b = e.view(op.operands[1])
    if isinstance(op, nn.GemmOp):
        a = a.transposed((1, 0)) if nn.integer(op.transpose_a) else a
        b = b.transposed((1, 0)) if nn.integer(op.transpose_b) else b
    (m, k), n = a.sizes[-2:], b.sizes[-1]
    shape = out.sizes
    if len(shape) > 2 and prod(b.sizes[:-2]) == 1:
        # One matrix for the whole batch: its rows are those of one product.
        batch, m, sizes = 1, prod(shape[:-1]), (prod(shape[:-1]), n)
        a, b = e.reshaped(a, (m, k)), e.reshaped(b, (k, n))
    elif len(shape) > 2:
        batch = prod(shape[:-2])
        a, b = (_batched(e, each, shape[:-2]) for each in (a, b))
        sizes = (batch, m, n)
    else:
        batch, sizes = 1, (m, n)
    operands = [e.reshaped(each.broadcast(shape), sizes) if len(shape) > 2 else each for each in operands]
    out = replace(out, sizes=sizes, strides=View.whole("", sizes, dtype).strides)
    tiles = e.product_tiles(Work(m, n, k, batch, dtype))
    extra = {"operands": sequence([str(each) for each in operands])} if operands else {}
    _launch_tiled(e, "matmul", (a, b, out), tiles, f"{a.sizes} {b.sizes} -> {sizes}", function, extra)


def _batched(e: Emitter, view: View, batch: Sequence[int]) -> View:
    """A matrix for each of the batch, with one axis for the batch; copied where it broadcasts over some axes only."""
    count = prod(view.sizes[:-2])
    if count == 1:
        return e.reshaped(view, (1, *view.sizes[-2:]))
    full = view.broadcast((*batch, *view.sizes[-2:]))
    return e.reshaped(full, (prod(batch), *view.sizes[-2:]))


def _launch_tiled(
    e: Emitter, kernel: str, arguments: Sequence[View], tiles: Sequence[Tile], comment: str, function: str | None,
    options: Mapping[str, object],
) -> None:  # fmt: skip
    extra = dict(options)
    behind = () if function is None else (extra.pop("operands", "()"), function)
    e.launch_tiled(tiles, kernel, kernel, *arguments, *behind, comment=comment, **extra)


def _launch_conv(
    e: Emitter, op: nn.ConvOp, out: View, operands: list[View], function: str | None, dtype: str, has_bias: bool
) -> None:
    x, w = e.contiguous(e.view(op.x)), e.contiguous(e.view(op.w))
    if has_bias:
        operands[0] = e.reshaped(operands[0], (out.sizes[1], *[1] * (len(x.sizes) - 2)))
    window = {"strides": nn.ints(op.strides), "pads": nn.ints(op.pads), "dilations": nn.ints(op.dilations)}
    launch_conv(e, x, w, out, operands, function, dtype, window)


def launch_conv(
    e: Emitter, x: View, w: View, out: View, operands: Sequence[View], function: str | None, dtype: str,
    window: Mapping[str, tuple[int, ...]],
) -> None:  # fmt: skip
    """x (batch, channels, ...) with w (filters, channels / groups, ...): a product of matrices, if there is one."""
    text = f"{x.sizes} {w.sizes} -> {out.sizes}"
    extra: dict[str, object] = {"operands": sequence([str(each) for each in operands])} if operands else {}
    extra |= window
    if w.sizes[1] == 1:
        _launch_tiled(e, "depthwise", (x, w, out), [DEPTHWISE], text, function, extra)
        return
    groups = x.sizes[1] // w.sizes[1]
    work = Work(
        out.sizes[0] * prod(out.sizes[2:]), w.sizes[0] // groups, prod(w.sizes[1:]), groups, dtype, gathered=True
    )
    extra |= {"groups": groups}
    _launch_tiled(e, "conv", (x, w, out), e.product_tiles(work), text, function, extra)
