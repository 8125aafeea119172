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
    try:
        import onnx
    except ImportError:
        raise InputError(
            [Diagnostic("onnx", f"reading `{path}` needs the onnx package", help="pip install dovetail[onnx]")]
        ) from None
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
        _require_locations(model, path)
        onnx.load_external_data_for_model(model, str(Path(path).parent))
        onnx.checker.check_model(without_large_weights(model))
    except OSError as error:
        raise InputError([Diagnostic("onnx", f"cannot read `{path}`: {error.strerror or error}")]) from None
    except (DecodeError, onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0]
        label = Label(Span(SourceFile(str(path), ""), 1, 1))
        raise InputError([Diagnostic("onnx", f"`{path}` is no valid ONNX model: {reason}", (label,))]) from None
    _require_names(model, path)
    return _inlined(model)


OPSETS = range(9, 29)
"""versions of the operators of ONNX that are read: 28 is the newest of onnx 1.23, whose own cases are tests of ours"""


def opset_of(model: Any, path: str | Path) -> int:
    """The version of ONNX's own operators in `model`; InputError where it is not among OPSETS."""
    said = sorted({each.version for each in model.opset_import if each.domain in ("", "ai.onnx")})
    wrong = [version for version in said if version not in OPSETS]
    if len(said) > 1:
        raise _refused(path, f"it is of several opsets: {', '.join(map(str, said))}")
    if wrong:
        help = "`onnx.version_converter.convert_version(model, 21)` writes it in another one"
        raise _refused(path, f"it is of opset {wrong[0]}, and opsets {OPSETS[0]} to {OPSETS[-1]} are read", help)
    return said[0] if said else OPSETS[-1]


def _require_locations(model: Any, path: str | Path) -> None:
    """InputError for weights in files that cannot have such a name: onnx reads it up to the NUL."""
    for tensor in model.graph.initializer:
        where = next((each.value for each in tensor.external_data if each.key == "location"), "")
        if "\0" in where:
            shown = where.replace("\0", "\\0")
            raise _refused(path, f"the weights of `{tensor.name}` are in `{shown}`: a name holds the character NUL")


def _require_names(model: Any, path: str | Path) -> None:
    """InputError for names that no file can be called by, and no text shows."""
    graph = model.graph
    named = [graph, *graph.node, *graph.input, *graph.output, *graph.initializer]
    names = [*(each.name for each in named), *(name for node in graph.node for name in (*node.input, *node.output))]
    wrong = sorted({name for name in names if "\0" in name})
    if wrong:
        shown = ", ".join(f"`{name}`".replace("\0", "\\0") for name in wrong[:5])
        raise _refused(path, f"names hold the character NUL: {shown}")


def _refused(path: str | Path, message: str, help: str | None = None) -> InputError:
    label = Label(Span(SourceFile(str(path), ""), 1, 1))
    return InputError([Diagnostic("onnx", f"`{path}` cannot be read: {message}", (label,), help)])


def without_large_weights(model: Any) -> Any:
    """
    `model` with its large initialisers as inputs: the checker writes what it checks out, which takes seconds for these.
    Ends without a shape, which onnxruntime takes and the checker does not, are scalars there.

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
    for end in (*slim.graph.input, *slim.graph.output):
        if end.name and not end.type.WhichOneof("value"):
            end.type.tensor_type.elem_type = TensorProto.FLOAT
        if end.type.HasField("tensor_type") and not end.type.tensor_type.HasField("shape"):
            end.type.tensor_type.shape.SetInParent()
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
