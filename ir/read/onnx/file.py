"""From a file to a checked ONNX model."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

from ...diagnostics import Diagnostic, InputError, Label
from ...source import SourceFile, Span

LARGE = 4096
"""[bytes] of an initialiser from which on the checker does not see its values"""
PACKED = ("int4", "uint4", "int2", "uint2", "float4", "float6", "object")
"""element types of which several share a byte, or which have no size"""


def load_model(path: str | Path) -> Any:
    """The checked `onnx.ModelProto` at `path`, its local functions inlined; InputError where there is none."""
    span = Span(SourceFile(str(path), ""), 1, 1)
    try:
        import onnx
    except ImportError:
        raise InputError(
            [Diagnostic("onnx", f"reading `{path}` needs the onnx package", help="pip install dovetail[onnx]")]
        ) from None
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(without_large_weights(model))
    except OSError as error:
        raise InputError([Diagnostic("onnx", f"cannot read `{path}`: {error.strerror or error}")]) from None
    except (DecodeError, onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError([Diagnostic("onnx", f"`{path}` is no valid ONNX model: {reason}", (Label(span),))]) from None
    return _inlined(model)


def without_large_weights(model: Any) -> Any:
    """
    `model` with its large initialisers as inputs: the checker writes what it checks out, which takes seconds for these.

    ValueError for one whose bytes do not fit its shape.
    """
    from onnx import ModelProto, TensorProto, helper

    slim = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    slim.functions.extend(model.functions)
    for field, value in model.graph.ListFields():
        if field.name in ("name", "doc_string"):
            setattr(slim.graph, field.name, value)
        elif field.name != "initializer":
            getattr(slim.graph, field.name).extend(value)
    inputs = {given.name for given in model.graph.input}
    for tensor in model.graph.initializer:
        if not 0 < tensor.data_type < len(TensorProto.DataType.values()):
            raise ValueError(f"initialiser `{tensor.name}` has no element type")
        size, kind = len(tensor.raw_data), helper.tensor_dtype_to_np_dtype(tensor.data_type)
        whole_bytes = size > 0 and not kind.name.startswith(PACKED)
        if size != prod(tensor.dims) * kind.itemsize and whole_bytes:
            raise ValueError(f"initialiser `{tensor.name}` has {size} bytes of data, which do not fit its shape")
        if size < LARGE or not whole_bytes:
            slim.graph.initializer.append(tensor)
        elif tensor.name not in inputs:
            slim.graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return slim


def _inlined(model: Any) -> Any:
    if not model.functions:
        return model
    from onnx.inliner import inline_local_functions

    return inline_local_functions(model)
