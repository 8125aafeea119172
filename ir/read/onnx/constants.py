"""Operators that make tensors, or pass them on."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from xdsl.dialects.builtin import i1

from ... import nn
from ..elements import element_type
from .node import Handler, Node, Result, Unreadable

LARGEST_CONSTANT = 2**28
"""elements of a constant that is made while reading"""


def _constant(node: Node) -> Result:
    from onnx import numpy_helper

    tensor = node.attribute("value")
    if tensor is not None:
        return numpy_helper.to_array(tensor)
    kinds = {"value_float": np.float32, "value_floats": np.float32, "value_int": np.int64, "value_ints": np.int64}
    for name, kind in kinds.items():
        if (value := node.attribute(name)) is not None:
            return np.asarray(value, dtype=kind)
    raise Unreadable("only constants that are tensors, floats or integers are supported")


def _constant_of_shape(node: Node) -> Result:
    from onnx import numpy_helper

    tensor = node.attribute("value")
    value = np.zeros(1, np.float32) if tensor is None else numpy_helper.to_array(tensor)
    sizes = node.constant(0).ravel().tolist()
    if any(isinstance(n, nn.Size) for n in sizes):
        element = element_type(value.dtype)
        if element is None:
            raise Unreadable(f"elements of type {value.dtype} are not supported")
        number = nn.filling(element, value.ravel()[0])
        if number is None:
            raise Unreadable(f"{value.ravel()[0]} in an open size is not supported")
        fill = node.emit(nn.FillOp, type=nn.tensor(element, ()), value=number)
        return node.emit(nn.BroadcastOp, fill, type=nn.with_shape(fill, sizes))
    if any(n < 0 for n in sizes) or prod(sizes) > LARGEST_CONSTANT:
        raise Unreadable(f"a constant of shape {tuple(sizes)} cannot be made")
    return np.full(sizes, value.ravel()[0], value.dtype)


def _eye_like(node: Node) -> Result:
    from onnx import helper

    rows, columns = node.shape()
    if isinstance(rows, nn.Size) or isinstance(columns, nn.Size):
        raise Unreadable("the matrix is of open size")
    number, eye = node.attribute("dtype"), np.eye(rows, columns, node.attribute("k", 0), np.float32)
    if number is not None:
        return eye.astype(helper.tensor_dtype_to_np_dtype(number))
    name = f"{node.label}.eye"
    node.reader.constants[name] = eye
    return node.cast(node.reader.value(name), nn.tensor_type(node.tensor(0)).element_type)


def _dropout(node: Node) -> Result:
    if node.has(2) and bool(node.constant(2).any()):
        raise Unreadable("`training_mode` is not supported")
    x = node.tensor(0)
    if not any(node.proto.output[1:]):
        return x
    element = i1 if node.opset >= 10 else nn.tensor_type(x).element_type  # before it, the mask is as the elements are
    one = node.emit(nn.FillOp, type=nn.tensor(element, ()), value=1.0)
    return x, node.emit(nn.BroadcastOp, one, type=nn.with_shape(one, nn.shape_of(x)))  # nothing is dropped


def _if(node: Node) -> Result:
    raise Unreadable("which branch is taken depends on the input" if node.known(0) is None else "it has sub-graphs")


OPERATORS: Mapping[str, Handler] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "EyeLike": _eye_like,
    "Identity": lambda node: node.tensor(0),
    "If": _if,
}
