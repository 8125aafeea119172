"""
What can be worked out while reading: the chains of Shape, Gather, Concat and their like by which exporters compute
shapes, and every node of small constants.

Values are exact; a size that is open is a `nn.Size` in an array of objects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ... import nn
from ..elements import has_integer_zero
from .node import Known, Node, Unreadable, axes_within, axis_within

MOST_KNOWN = 2**16
"""elements of the inputs and results of a node that is worked out while reading; larger ones become ops"""
NEVER = ("Constant", "If", "Loop", "Scan")
"""operators with handlers of their own"""
MISJUDGED = (
    *("AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool", "GlobalMaxPool"),
    *("GroupNormalization", "Hardmax", "InstanceNormalization", "LayerNormalization", "LogSoftmax", "LpNormalization"),
    *("MaxPool", "RMSNormalization", "Resize", "Softmax", "Upsample"),
)
"""operators of kinds that ONNX's evaluator gets wrong at some opset; they become ops, which `fold-constants` folds"""


def worked_out(node: Node) -> Known | list[Any] | None:
    """The result where all inputs are known, or only shapes are asked for; None otherwise."""
    kind = node.proto.op_type
    if kind == "Shape":
        return _shape(node)
    if kind == "Size":
        total: Any = 1
        for size in node.shape():
            total = total * size
        return _packed(np.asarray(total, dtype=object))
    if kind in NEVER or kind in MISJUDGED:
        return None
    if kind in ("Div", "Mod"):
        require_divisor(node)
    inputs = [node.reader.constants.get(name) for name in node.proto.input if name]
    if any(each is None or each.size > MOST_KNOWN for each in inputs):
        return None
    if any(each is not None and each.dtype == object for each in inputs):
        return _with_open_sizes(node)
    return _evaluated(node) if inputs else None


def require_divisor(node: Node) -> None:
    """Unreadable where integers are divided by a constant that is 0 somewhere: ONNX does not say what that gives."""
    divisor = node.known(1)
    if divisor is not None and has_integer_zero(divisor):
        raise Unreadable("it divides integers by 0")


def _shape(node: Node) -> Known:
    name = node.proto.input[0]
    known = node.reader.constants.get(name)
    shape = known.shape if known is not None else node.shape()
    start, end = node.attribute("start", 0), node.attribute("end", len(shape))
    return _packed(np.asarray([*shape[slice(start, end)]], dtype=object))


def _packed(sizes: np.ndarray) -> Known:
    """As int64 where no size is open."""
    return sizes if any(isinstance(each, nn.Size) for each in sizes.ravel()) else sizes.astype(np.int64)


def _evaluated(node: Node) -> list[Any] | None:
    """What ONNX's reference evaluator makes of one node of constants; None where it knows no such node."""
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    names = list(dict.fromkeys(name for name in node.proto.input if name))
    given = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in names]
    outputs = list(node.proto.output)
    if "" in outputs:
        return None
    ends = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs]
    graph = helper.make_graph([node.proto], "one", given, ends)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", node.opset)])
    try:
        results = ReferenceEvaluator(model).run(None, {name: node.reader.constants[name] for name in names})
    except Exception:  # whatever the evaluator cannot do is left to the ops, or told by them
        return None
    arrays = [np.asarray(each) for each in results]  # type: ignore[arg-type]
    return arrays if sum(each.size for each in arrays) <= MOST_KNOWN else None


def _with_open_sizes(node: Node) -> Known:
    """The few operators that shapes are computed by, on arrays of sizes."""
    rule = SHAPE_ARITHMETIC.get(node.proto.op_type)
    if rule is None:
        raise Unreadable("it computes with an open size")
    return _packed(np.asarray(rule(node), dtype=object))


def _gather(node: Node) -> Any:
    data = node.constant(0)
    return np.take(data, node.constant(1).astype(np.int64), axis=axis_within(node.attribute("axis", 0), data.ndim))


def _concat(node: Node) -> Any:
    parts = [node.constant(i).astype(object) for i in range(len(node.proto.input))]
    return np.concatenate(parts, axis=node.attribute("axis"))


def _slice(node: Node) -> Any:
    x = node.constant(0)
    starts, ends, axes, steps = slice_numbers(node, x.ndim)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        x = x[(slice(None),) * axis + (slice(start, end if end > -(2**31) else None, step),)]
    return x


def slice_numbers(node: Node, rank: int) -> tuple[tuple[int, ...], ...]:
    """(starts, ends, axes, steps) of a Slice, attributes before opset 10 and inputs since."""
    starts, ends = node.given("starts", 1), node.given("ends", 2)
    if starts is None or ends is None:
        raise Unreadable("it has no starts or ends")
    axes = node.given("axes", 3) or tuple(range(len(starts)))
    steps = node.integers(4) if node.has(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        given = f"{len(starts)} starts, {len(ends)} ends, {len(axes)} axes and {len(steps)} steps"
        raise Unreadable(f"it has {given}, which must be as many")
    return starts, ends, axes_within(axes, rank), steps


def _squeeze(node: Node) -> Any:
    axes = node.given("axes", 1)
    return np.squeeze(node.constant(0), axis=None if axes is None else tuple(axes))


def _unsqueeze(node: Node) -> Any:
    return np.expand_dims(node.constant(0), tuple(node.given("axes", 1) or ()))


def _divide(node: Node) -> Any:
    return np.vectorize(lambda a, b: a // b, otypes=[object])(node.constant(0), node.constant(1))


def _equal(node: Node) -> Any:
    """Sizes are compared as what they are for all values: an open one is equal to itself alone."""
    return np.vectorize(lambda a, b: bool(a == b), otypes=[bool])(node.constant(0), node.constant(1))


SHAPE_ARITHMETIC: Mapping[str, Callable[[Node], Any]] = {
    "Gather": _gather,
    "Concat": _concat,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Identity": lambda node: node.constant(0),
    "Cast": lambda node: node.constant(0),
    "Reshape": lambda node: node.constant(0).reshape(node.integers(1)),
    "Add": lambda node: node.constant(0) + node.constant(1),
    "Sub": lambda node: node.constant(0) - node.constant(1),
    "Mul": lambda node: node.constant(0) * node.constant(1),
    "Div": _divide,
    "Equal": _equal,
    "Where": lambda node: np.where(node.constant(0).astype(bool), node.constant(1), node.constant(2)),
}
"""Operator -> what it does to arrays of sizes of which some are open."""
SHAPE_OPERATORS = ("Shape", "Size", "Range", "NonZero")
"""Operators that are read only where their result is known while reading"""
