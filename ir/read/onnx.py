"""Reads an ONNX file into the nn dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.dialects.builtin import NameLoc, NoneAttr, StringAttr, TensorType, f16, f32, f64, i32, i64
from xdsl.ir import Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from .. import nn
from ..diagnostics import Diagnostic, Diagnostics, InputError, Label
from ..source import SourceFile, Span

ELEMENT_TYPES = {"float32": f32, "float64": f64, "float16": f16, "int32": i32, "int64": i64}
"""numpy's name of an element type -> ours; what is not here cannot be read."""


class Unreadable(Exception):
    """What a node asks for is not supported; the text says what."""


def read_onnx(path: str | Path, sizes: Mapping[str, int] | None = None) -> nn.NnModule:
    """
    The network in the ONNX file at `path`; `sizes` gives a number to each named unknown size of its inputs.

    Every op has a NameLoc with the name of its ONNX node. Raises InputError: where the onnx package is absent, where
    the file is no valid ONNX model, and for everything in it that is not supported, all at once.
    """
    source = SourceFile(str(path), "")
    model = load_model(path)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    return _Reader(model.graph, source, sizes or {}, opset).read()


def load_model(path: str | Path) -> Any:
    """The checked `onnx.ModelProto` at `path`; InputError where there is none."""
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
        onnx.checker.check_model(model)
    except OSError as error:
        raise InputError([Diagnostic("onnx", f"cannot read `{path}`: {error.strerror or error}")]) from None
    except (DecodeError, onnx.checker.ValidationError, ValueError, UnicodeDecodeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError([Diagnostic("onnx", f"`{path}` is no valid ONNX model: {reason}", (Label(span),))]) from None
    return model


@dataclass
class Node:
    """One ONNX node while it is read: its proto, and what it may ask of the graph read so far."""

    proto: Any
    label: str
    reader: _Reader
    opset: int

    def attribute(self, name: str, default: Any = None) -> Any:
        """The attribute `name` as a Python value, or `default`."""
        from onnx import helper

        for attribute in self.proto.attribute:
            if attribute.name == name:
                return helper.get_attribute_value(attribute)
        return default

    def has(self, index: int) -> bool:
        """Whether the (optional) input `index` is given."""
        return index < len(self.proto.input) and self.proto.input[index] != ""

    def tensor(self, index: int) -> SSAValue:
        """The input `index` as an SSA value."""
        return self.reader.value(self.proto.input[index])

    def tensors(self) -> list[SSAValue]:
        """All inputs as SSA values."""
        return [self.tensor(i) for i in range(len(self.proto.input))]

    def constant(self, index: int) -> np.ndarray:
        """The input `index`, which must be known while reading."""
        name = self.proto.input[index]
        if name not in self.reader.constants:
            raise Unreadable(f"input {index} (`{name}`) must be a constant")
        return self.reader.constants[name]

    def emit(self, op: type[nn.TensorOp], *operands: SSAValue | None, **given: Any) -> SSAValue:
        """The result of a new `op` on `operands`, with this node's location."""
        return self.reader.emit(self.label, op, *operands, **given)


@dataclass
class _Reader:
    graph: Any
    source: SourceFile
    sizes: Mapping[str, int]
    opset: int
    block: Block = field(default_factory=Block)
    values: dict[str, SSAValue] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    faults: Diagnostics = field(default_factory=Diagnostics)

    def read(self) -> nn.NnModule:
        from onnx import numpy_helper

        for tensor in self.graph.initializer:
            self.constants[tensor.name] = numpy_helper.to_array(tensor)
        names = self._read_inputs()
        self._check_operators()
        self.faults.raise_if_errors()
        for index, proto in enumerate(self.graph.node):
            self._read_node(index, proto)
            self.faults.raise_if_errors()  # what follows a fault cannot be read without its result
        outputs = tuple(o.name for o in self.graph.output)
        try:
            results = [self.value(name) for name in outputs]
        except Unreadable as error:
            self.error(f"an output is no tensor that can be read: {error}")
            self.faults.raise_if_errors()
            raise
        return nn.NnModule(nn.build_main(self.block, results), self.weights, names, outputs)

    def error(self, message: str, help: str | None = None) -> None:
        self.faults.error("onnx", message, Span(self.source, 1, 1), help=help)

    def _read_inputs(self) -> tuple[str, ...]:
        from onnx import helper

        names = []
        for given in self.graph.input:
            if given.name in self.constants:
                continue
            tensor = given.type.tensor_type
            if not given.type.HasField("tensor_type"):
                self.error(f"input `{given.name}` is no tensor")
                continue
            shape = [d.dim_value or self.sizes.get(d.dim_param, 0) for d in tensor.shape.dim]
            if any(size < 1 for size in shape):
                unknown = [d.dim_param or "?" for d, size in zip(tensor.shape.dim, shape, strict=True) if size < 1]
                self.error(f"input `{given.name}` has sizes that are not known: {', '.join(unknown)}")
                continue
            element = ELEMENT_TYPES.get(str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))
            if element is None:
                self.error(f"input `{given.name}` has an element type that is not supported")
                continue
            arg = self.block.insert_arg(TensorType(element, shape), len(self.block.args), name_loc(given.name))
            self.values[given.name] = arg
            names.append(given.name)
        return tuple(names)

    def _check_operators(self) -> None:
        from .onnx_operators import OPERATORS

        unknown: dict[str, list[str]] = {}
        for index, proto in enumerate(self.graph.node):
            kind = f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
            if kind not in OPERATORS:
                unknown.setdefault(kind, []).append(f"`{node_label(index, proto)}`")
        for kind, nodes in sorted(unknown.items()):
            more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
            self.error(f"operator `{kind}` is not supported: {', '.join(nodes[:5])}{more}")

    def _read_node(self, index: int, proto: Any) -> None:
        from .onnx_operators import OPERATORS

        label = node_label(index, proto)
        try:
            result = OPERATORS[proto.op_type](Node(proto, label, self, self.opset))
        except (Unreadable, VerifyException) as error:
            self.error(f"node `{label}` ({proto.op_type}): {error}")
            return
        extra = [name for name in proto.output[1:] if name]
        if extra and proto.op_type != "Dropout":
            self.error(f"node `{label}` ({proto.op_type}): outputs after the first are not supported")
        if isinstance(result, np.ndarray):
            self.constants[proto.output[0]] = result
        else:
            self.values[proto.output[0]] = result

    def value(self, name: str) -> SSAValue:
        """The SSA value of the ONNX tensor `name`; a constant becomes a weight at its first use."""
        if name not in self.values:
            if name not in self.constants:
                raise Unreadable(f"`{name}` is an output that is not read")
            array = self.constants[name]
            element = ELEMENT_TYPES.get(str(array.dtype))
            if element is None:
                raise Unreadable(f"constant `{name}` has the element type {array.dtype}, which is not supported")
            self.weights[name] = array
            tensor = TensorType(element, array.shape)
            self.values[name] = self.emit(name, nn.WeightOp, type=tensor, weight=name)
        return self.values[name]

    def emit(self, label: str, op: type[nn.TensorOp], *operands: SSAValue | None, **given: Any) -> SSAValue:
        made = op.make(*operands, **given)
        made.location = name_loc(label)
        self.block.add_op(made)
        return made.results[0]


def name_loc(name: str) -> NameLoc:
    """The location that says `name` and nothing more: an ONNX file has no lines."""
    return NameLoc(StringAttr(name), NoneAttr())


def node_label(index: int, proto: Any) -> str:
    """The node's name, or its operator and position where it has none."""
    return proto.name or f"{proto.op_type}_{index}"
