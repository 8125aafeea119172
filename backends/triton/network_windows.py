"""Launches of pools and transposed convolutions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from xdsl.ir import SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ..dtypes import dtype_of
from .network import Emitter
from .network_movement import taken
from .network_products import BLOCKS, float_dtype, launch_conv
from .views import View


def write_pool(e: Emitter, op: nn.MaxPoolOp | nn.AveragePoolOp) -> None:
    float_dtype(op)
    x = e.contiguous(e.view(op.x))
    out = e.result(op.result, "pool")
    options: dict[str, object] = {"mean": isinstance(op, nn.AveragePoolOp), "kernel": nn.ints(op.kernel)}
    options |= {"strides": nn.ints(op.strides), "pads": nn.ints(op.pads), "dilations": nn.ints(op.dilations)}
    if isinstance(op, nn.AveragePoolOp) and nn.integer(op.count_pads):
        options["count_pads"] = True
    e.launch("pool", "pool", x, out, comment=f"{x.sizes} -> {out.sizes}", **options, block=256, num_warps=4)


def write_conv_transpose(e: Emitter, op: nn.ConvTransposeOp) -> None:
    """The convolution of the input, `strides` apart among zeros, with the window turned about."""
    dtype, x = float_dtype(op), e.view(op.x)
    strides, dilations, pads = nn.ints(op.strides), nn.ints(op.dilations), nn.ints(op.pads)
    rank, groups = len(strides), nn.integer(op.groups)
    reach = [d * (size - 1) for d, size in zip(dilations, nn.shape_of(op.w)[2:], strict=True)]
    low = [r - p for r, p in zip(reach, pads[:rank], strict=True)]
    high = [r - p + more for r, p, more in zip(reach, pads[rank:], nn.ints(op.output_pads), strict=True)]
    if min(*low, *high) < 0:
        raise InputError([Diagnostic("triton-op", f"no Triton kernel cuts pads {pads} off a window that is smaller")])
    spread = _spread(e, x, strides, low, high)
    out = e.result(op.result, "conv")
    turned = _turned(e, op.w, groups)
    operands, function = [], None
    if op.bias is not None:
        function = e.function("epilogue", ["x1", "bias"], ["    return x1 + bias"])
        operands = [e.reshaped(e.view(op.bias), (out.sizes[1], *[1] * rank))]
    window = {"strides": (1,) * rank, "pads": (0,) * (2 * rank), "dilations": dilations}
    launch_conv(e, spread, turned, out, operands, function, dtype, window)


def _spread(e: Emitter, x: View, strides: tuple[int, ...], low: list[int], high: list[int]) -> View:
    """`x` with its elements `strides` apart, and zeros between and around them."""
    apart = [(size - 1) * step + 1 for size, step in zip(x.sizes[2:], strides, strict=True)]
    sizes = [before + size + after for before, size, after in zip(low, apart, high, strict=True)]
    out = e.buffer((*x.sizes[:2], *sizes), x.dtype, "spread")
    zero = e.weight(e.names.number("fill"), np.zeros((1,)), x.dtype)
    e.launch("copy", "copy", replace(zero, sizes=(), strides=()), out, **BLOCKS, comment=f"{out.sizes}")
    places = [(before, before + size, step) for before, size, step in zip(low, apart, strides, strict=True)]
    whole = [(0, size, 1) for size in x.sizes[:2]]
    e.launch("copy", "copy", x, out.sliced([*whole, *places]), **BLOCKS, comment=f"{x.sizes}")
    return out


def _turned(e: Emitter, value: SSAValue, groups: int) -> View:
    """
    Weights (c, m / groups, ...) as those (m, c / groups, ...) of a convolution that reads the window backwards.

    Weights of the network are turned here; the function turns what it is given or computes.
    """
    origin = e.origins.get(value)
    if isinstance(origin, nn.WeightOp):
        values = e.values(origin)
        channels, filters, *window = values.shape
        backwards = np.flip(values, tuple(range(2, values.ndim)))
        turned = backwards.reshape(groups, channels // groups, filters, *window).swapaxes(1, 2)
        turned = turned.reshape(groups * filters, channels // groups, *window)
        return e.weight(f"{origin.weight.data}.turned{groups}", turned, dtype_of(origin.type))
    w = e.view(value)
    for axis in range(2, len(w.sizes)):
        if w.sizes[axis] > 1:
            w = taken(e, w, axis, np.arange(w.sizes[axis])[::-1])
    channels, filters, *window = w.sizes
    parts = e.reshaped(w, (groups, channels // groups, filters, *window))
    turned = parts.transposed((0, 2, 1, *range(3, len(parts.sizes))))
    return e.contiguous(turned, (groups * filters, channels // groups, *window))
