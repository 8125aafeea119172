"""Operators as calls of kernels, with the blocks that are planned for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...planner.scratchpad.tiling.shapes import Slide
from ..dtypes import dtype_of
from ..jax.scalars import literal
from .epilogue import Epilogue, epilogue_of
from .plan import KernelPlan
from .products import plan_attention, plan_convolution, plan_matmul
from .rows import plan_norm

FLOATS = ("float32", "bfloat16")
PRODUCTS = (nn.MatmulOp, nn.GemmOp, nn.ConvOp)
HEAVY = (*PRODUCTS, nn.ConvTransposeOp, nn.GroupedMatmulOp, nn.AttentionOp, nn.PagedAttentionOp, nn.NormOp)
"""operators of which it is told why they are left to XLA"""
FILTERS_LAST = (2, 3, 1, 0)
"""axes of (k, c, r, s) as (r, s, c, k)"""


@dataclass(frozen=True)
class KernelCall:
    """One operator as a call."""

    module: str
    """of `kernels/`"""
    function: str
    plan: KernelPlan
    operands: tuple[tuple[SSAValue, tuple[int, ...]], ...]
    """each with the order of axes in which the kernel takes it; empty as it is"""
    options: Mapping[str, object] = field(default_factory=dict)
    epilogue: Epilogue | None = None


def call_of(op: Operation, vmem_bytes: float) -> KernelCall | None:
    """
    The call that computes `op`; None for an operator that has no kernel.

    InputError where it has one that does not take it, or that does not fit into `vmem_bytes`.
    """
    heavy = op.steps if isinstance(op, nn.FusionOp) else [op]
    if not any(isinstance(each, (*PRODUCTS, nn.AttentionOp, nn.LayerNormOp, nn.RmsNormOp)) for each in heavy):
        return None
    if any(0 in nn.shape_of(value) for value in (*op.operands, *op.results)):
        raise _refused("it has no elements")
    if (dtype := dtype_of(nn.tensor_type(op.results[0]))) not in FLOATS:
        raise _refused(f"kernels hold {' or '.join(FLOATS)}, not {dtype}")
    if isinstance(op, nn.FusionOp):
        return _fusion(op, dtype, vmem_bytes)
    return _CALLS[type(op)](op, dtype, vmem_bytes)


def _fusion(op: nn.FusionOp, dtype: str, vmem_bytes: float) -> KernelCall:
    """A product, and after it a bias and the rest of the fusion."""
    outside = dict(zip(op.body.block.args, op.operands, strict=True))

    def outer(value: SSAValue) -> SSAValue:
        return next((given for inside, given in outside.items() if inside is value), value)

    product = next(step for step in op.steps if isinstance(step, PRODUCTS))
    steps = [step for step in op.steps if step is not product]
    made, bias = product.results[0], getattr(product, "bias", None)
    channels = 1 if isinstance(product, nn.ConvOp) else -1
    users = [use.operation for use in made.uses]
    if bias is None and len(users) == 1 and isinstance(users[0], nn.AddOp):
        (other,) = (o for o in users[0].operands if o is not made)
        if other in outside and _is_vector(other, made, channels):
            bias, made, steps = other, users[0].results[0], [step for step in steps if step is not users[0]]
    epilogue = epilogue_of(made, steps, outer)
    for value in epilogue.beside if epilogue else ():
        if nn.shape_of(value) != nn.shape_of(made) and not _is_vector(value, made, channels):
            raise _refused(f"what is beside the product has the shape {nn.shape_of(value)}")
    return _CALLS[type(product)](product, dtype, vmem_bytes, outer, bias, epilogue)


def _is_vector(value: SSAValue, of: SSAValue, axis: int) -> bool:
    """Whether `value` broadcasts to `of` along all axes but `axis`."""
    shape, whole = nn.shape_of(value), nn.shape_of(of)
    place = axis % len(whole) - (len(whole) - len(shape))
    return 0 <= place < len(shape) and shape[place] == whole[axis] == prod(shape)


def _same(value: SSAValue) -> SSAValue:
    return value


def _beside(epilogue: Epilogue | None, of: SSAValue) -> int:
    """How many tensors of the size of `of` the epilogue takes."""
    values = epilogue.beside if epilogue else ()
    return sum(1 for value in values if nn.shape_of(value) == nn.shape_of(of))


def _matmul(
    op: nn.MatmulOp | nn.GemmOp, dtype: str, vmem_bytes: float, outer: Callable[[SSAValue], SSAValue] = _same,
    bias: SSAValue | None = None, epilogue: Epilogue | None = None,
) -> KernelCall:  # fmt: skip
    if len(nn.shape_of(op.b)) > 2:
        raise _refused(f"its right factor {nn.shape_of(op.b)} is a batch of matrices")
    turns = [isinstance(op, nn.GemmOp) and nn.integer(turn) for turn in _turns(op)]
    own = getattr(op, "bias", None)
    bias = own if bias is None else bias
    if bias is not None and not _is_vector(bias, op.results[0], -1):
        raise _refused(f"its bias has the shape {nn.shape_of(bias)}")
    (*rows, n), inner = nn.shape_of(op.results[0]), nn.shape_of(op.a)[0 if turns[0] else -1]
    beside = _beside(epilogue, op.results[0])
    plan = plan_matmul(prod(rows), n, inner, dtype, vmem_bytes, bias is not None, beside)
    factors = [(outer(each), (1, 0) if turn else ()) for each, turn in zip((op.a, op.b), turns, strict=True)]
    return KernelCall("matmul", "matmul", plan, (*factors, *_vector(bias, outer)), epilogue=epilogue)


def _turns(op: nn.MatmulOp | nn.GemmOp) -> Sequence[Any]:
    return (op.transpose_a, op.transpose_b) if isinstance(op, nn.GemmOp) else (0, 0)


def _vector(bias: SSAValue | None, outer: Callable[[SSAValue], SSAValue]) -> list[tuple[SSAValue, tuple[int, ...]]]:
    """The bias as an operand; the kernel gives it its shape."""
    if bias is None:
        return []
    found = outer(bias)
    again = isinstance(found.owner, nn.ReshapeOp) and isinstance(found.owner.x.owner, nn.WeightOp)
    return [(found.owner.x if again else found, ())]  # pyright: ignore[reportAttributeAccessIssue]


def _convolution(
    op: nn.ConvOp, dtype: str, vmem_bytes: float, outer: Callable[[SSAValue], SSAValue] = _same,
    bias: SSAValue | None = None, epilogue: Epilogue | None = None,
) -> KernelCall:  # fmt: skip
    if len(nn.shape_of(op.x)) != 4:
        raise _refused(f"it slides along {len(nn.shape_of(op.x)) - 2} axes, and the kernel along two")
    if nn.integer(op.groups) > 1:
        raise _refused(f"it has {nn.integer(op.groups)} groups, and the kernel one")
    (n, c, *sizes), (filters, _, *kernel) = nn.shape_of(op.x), nn.shape_of(op.w)
    strides, pads, dilations = (nn.ints(each) for each in (op.strides, op.pads, op.dilations))
    rows, columns = (
        Slide(sizes[a], kernel[a], strides[a], pads[a], pads[a + 2], dilations[a]) for a in (0, 1)
    )  # fmt: skip
    beside = _beside(epilogue, op.results[0])
    plan = plan_convolution(n, c, filters, rows, columns, dtype, vmem_bytes, beside)
    own = op.bias if bias is None else bias
    usual = {"strides": {1}, "pads": {0}, "dilations": {1}}
    given = {"strides": strides, "pads": pads, "dilations": dilations}
    options = {name: tuple(value) for name, value in given.items() if set(value) != usual[name]}
    operands = ((outer(op.x), ()), (outer(op.w), FILTERS_LAST), *_vector(own, outer))
    return KernelCall("convolution", "convolution_nchw", plan, operands, options, epilogue)


def _attention(op: nn.AttentionOp, dtype: str, vmem_bytes: float) -> KernelCall:
    (b, heads, m, d), (_, kv_heads, n, e) = nn.shape_of(op.q), nn.shape_of(op.v)
    plan = plan_attention(b * heads, b * kv_heads, m, n, max(d, e), dtype, vmem_bytes, op.mask is not None)
    options: dict[str, object] = {"scale": nn.number(op.scale)}
    options |= {"causal": True} if nn.integer(op.causal) else {}
    options |= {"window": nn.integer(op.window)} if nn.integer(op.window) else {}
    options |= {"softcap": nn.number(op.softcap)} if nn.number(op.softcap) else {}
    return KernelCall("attention", "flash_attention", plan, tuple((each, ()) for each in op.operands), options)


def _norm(op: nn.LayerNormOp | nn.RmsNormOp, dtype: str, vmem_bytes: float) -> KernelCall:
    shape, axis = nn.shape_of(op.x), nn.integer(op.axis)
    rows, width, vectors = prod(shape[:axis]), prod(shape[axis:]), len(op.operands) - 1
    plan = plan_norm(rows, width, dtype, vmem_bytes, vectors)
    options: dict[str, object] = {
        "epsilon": literal(nn.number(op.epsilon), op.type).text,
        "centred": isinstance(op, nn.LayerNormOp),
    }
    options |= {"axes": len(shape) - axis} if len(shape) - axis > 1 else {}
    return KernelCall("norm", "norm", plan, tuple((each, ()) for each in op.operands), options)


_CALLS: Mapping[type[Operation], Callable[..., KernelCall]] = {
    nn.MatmulOp: _matmul,
    nn.GemmOp: _matmul,
    nn.ConvOp: _convolution,
    nn.AttentionOp: _attention,
    nn.LayerNormOp: _norm,
    nn.RmsNormOp: _norm,
}


def _refused(why: str) -> InputError:
    return InputError([Diagnostic("pallas-op", why)])
