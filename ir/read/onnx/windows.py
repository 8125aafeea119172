"""Convolution, pooling and resizing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, floor
from typing import Any

import numpy as np

from ... import nn
from .node import Handler, Node, Result, Unreadable


def _image(node: Node) -> nn.Shape:
    """The axes that a window slides over."""
    shape = node.shape()
    if not 3 <= len(shape) <= 5:
        raise Unreadable(f"its input has rank {len(shape)}, only images of one to three axes are supported")
    return shape[2:]


def _pads(node: Node, size: nn.Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """The pads that `auto_pad` or `pads` ask for, those before each axis first."""
    mode = node.text("auto_pad", "NOTSET")
    if mode in ("NOTSET", ""):
        return tuple(node.attribute("pads", (0,) * (2 * len(size))))
    if mode == "VALID":
        return (0,) * (2 * len(size))
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise Unreadable(f"`auto_pad` {mode} is not known")
    if not (len(size) == len(kernel) == len(strides) == len(dilations) and min(strides) >= 1):
        raise Unreadable(f"a window {tuple(kernel)} with strides {tuple(strides)} does not slide over an image")
    before, after = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
        less, more = total // 2, total - total // 2
        before.append(more if mode == "SAME_LOWER" else less)
        after.append(less if mode == "SAME_LOWER" else more)
    return (*before, *after)


def _conv(node: Node) -> Result:
    size, kernel = _image(node), node.shape(1)[2:]
    strides, dilations = (node.attribute(name, (1,) * len(size)) for name in ("strides", "dilations"))
    return node.emit(
        nn.ConvOp,
        node.tensor(0),
        node.tensor(1),
        node.optional(2),
        strides=strides,
        pads=_pads(node, size, kernel, strides, dilations),
        dilations=dilations,
        groups=node.attribute("group", 1),
    )


def _conv_transpose(node: Node) -> Result:
    """The output's size is given, or follows from the pads."""
    size, kernel = _image(node), node.shape(1)[2:]
    ones = (1,) * len(size)
    strides, dilations = node.attribute("strides", ones), node.attribute("dilations", ones)
    extra = list(node.attribute("output_padding", (0,) * len(size)))
    pads, wanted = list(node.attribute("pads", (0,) * (2 * len(size)))), node.attribute("output_shape")
    mode = node.text("auto_pad", "NOTSET")
    if wanted is not None or mode.startswith("SAME"):
        wanted = [n * s for n, s in zip(size, strides, strict=True)] if wanted is None else wanted[-len(size) :]
        for i, (n, k, s, d) in enumerate(zip(size, kernel, strides, dilations, strict=True)):
            total = s * (n - 1) + extra[i] + (k - 1) * d + 1 - wanted[i]
            extra[i] += 0 if mode.startswith("SAME") else max(-total, 0)  # SAME never makes the result longer
            total = max(total, 0)
            first = total // 2 if mode == "SAME_UPPER" else total - total // 2
            pads[i], pads[i + len(size)] = first, total - first
    return node.emit(
        nn.ConvTransposeOp,
        node.tensor(0),
        node.tensor(1),
        node.optional(2),
        strides=strides,
        pads=tuple(pads),
        dilations=dilations,
        output_pads=tuple(extra),
        groups=node.attribute("group", 1),
    )


def _pool(op: type[nn.PoolOp]) -> Handler:
    def read(node: Node) -> Result:
        size, kernel = _image(node), node.attribute("kernel_shape")
        strides, dilations = (node.attribute(name, (1,) * len(size)) for name in ("strides", "dilations"))
        if node.outputs > 1 and node.proto.output[1]:
            raise Unreadable("the places of the largest elements are not supported")
        pads = list(_pads(node, size, kernel, strides, dilations))
        given: dict[str, Any] = {"kernel": kernel, "strides": strides, "dilations": dilations}
        if op is nn.AveragePoolOp:
            given["count_pads"] = node.attribute("count_include_pad", 0)
        if node.attribute("ceil_mode", 0):
            _round_up(size, kernel, strides, dilations, pads)
            if given.get("count_pads"):
                raise Unreadable("`ceil_mode` together with `count_include_pad` is not supported")
        return node.emit(op, node.tensor(0), pads=tuple(pads), **given)

    return read


def _round_up(
    size: nn.Shape, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: list[int]
) -> None:
    """Pad the end so that a last window that begins inside is whole."""
    for i, (n, k, s, d) in enumerate(zip(size, kernel, strides, dilations, strict=True)):
        room = n + pads[i] + pads[i + len(size)] - d * (k - 1) - 1
        windows = ceil(room / s)
        if windows * s < n + pads[i]:  # a window that begins in the padding at the end is left out
            pads[i + len(size)] += windows * s - room


def _global_pool(kind: str) -> Handler:
    return lambda node: node.emit(nn.ReduceOp, node.tensor(0), kind=kind, axes=range(2, len(node.shape())))


def _resize(node: Node) -> Result:
    """Scales or sizes of all axes, or of `axes` (since opset 18)."""
    shape = node.shape()
    mode, coordinates = node.text("mode", "nearest"), node.text("coordinate_transformation_mode", "half_pixel")
    if node.opset < 11 or node.proto.op_type == "Upsample":
        coordinates = "asymmetric"
    refused = {"antialias": 0, "exclude_outside": 0}
    if any(node.attribute(name, default) != default for name, default in refused.items()):
        raise Unreadable("`antialias` and `exclude_outside` are not supported")
    if coordinates == "tf_crop_and_resize":
        raise Unreadable("`tf_crop_and_resize` is not supported")
    named = node.attribute("axes")
    axes = [node.axis(a) for a in named] if named else list(range(len(shape)))
    sizes, scales = _target(node, [shape[a] for a in axes])
    moved = sorted((a, n, s) for a, n, s in zip(axes, sizes, scales, strict=True) if n != shape[a] or s != 1.0)
    if not moved:
        return node.tensor(0)
    given: dict[str, Any] = {
        "axes": [a for a, _, _ in moved],
        "sizes": [n for _, n, _ in moved],
        "scales": np.array([s for _, _, s in moved]),
        "mode": "linear" if mode == "linear" else mode,
        "coordinates": coordinates,
        "rounding": _rounding(node),
        "cubic": float(node.attribute("cubic_coeff_a", -0.75)),
    }
    return node.emit(nn.ResizeOp, node.tensor(0), **_with_scales(given))


def _rounding(node: Node) -> str:
    old = node.opset < 11 or node.proto.op_type == "Upsample"
    return "floor" if old else node.text("nearest_mode", "round_prefer_floor")


def _with_scales(given: dict[str, Any]) -> dict[str, Any]:
    from xdsl.dialects.builtin import DenseArrayBase, f64

    return {**given, "scales": DenseArrayBase.from_list(f64, [float(s) for s in given["scales"]])}


def _target(node: Node, size: Sequence[int]) -> tuple[list[int], list[float]]:
    """(sizes, scales) of the axes that are named."""
    if node.opset < 11 or node.proto.op_type == "Upsample":
        scales = node.constant(1).ravel() if node.has(1) else np.asarray(node.attribute("scales"))
    elif node.has(3):
        wanted = [int(n) for n in node.constant(3).ravel()]
        policy = node.text("keep_aspect_ratio_policy", "stretch")
        if policy == "stretch":
            return wanted, [m / n for m, n in zip(wanted, size, strict=True)]
        ratios = [m / n for m, n in zip(wanted, size, strict=True)]
        scale = min(ratios) if policy == "not_larger" else max(ratios)
        return [floor(scale * n + 0.5) for n in size], [scale] * len(size)
    else:
        scales = node.constant(2).ravel()
    return [floor(float(s) * n) for s, n in zip(scales, size, strict=True)], [float(s) for s in scales]


OPERATORS: Mapping[str, Handler] = {
    "AveragePool": _pool(nn.AveragePoolOp),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "GlobalAveragePool": _global_pool("mean"),
    "GlobalMaxPool": _global_pool("max"),
    "MaxPool": _pool(nn.MaxPoolOp),
    "Resize": _resize,
    "Upsample": _resize,
}
