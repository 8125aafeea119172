"""The walk over an ONNX graph: what is known while reading, and the ops that have been made so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from xdsl.ir import Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from ... import nn
from ...collector import collector_paused
from ...diagnostics import Diagnostics, did_you_mean
from ...source import SourceFile, Span
from ..elements import element_type
from .file import load_model
from .node import Node, Result, Unreadable, element_named, name_loc, node_label
from .operators import OPERATORS
from .shapes import SHAPE_OPERATORS, worked_out


@collector_paused()
def read_onnx(path: str | Path, sizes: Mapping[str, int] | None = None, keep_open: bool = False) -> nn.NnModule:
    """
    The network in the ONNX file at `path`; `sizes` gives numbers to named sizes of its inputs.

    With `keep_open` the other sizes stay open; otherwise they are faults of the file.

    Every op has a NameLoc with the name of its ONNX node. Raises InputError: where the onnx package is absent, where
    the file is no valid ONNX model, and for everything in it that is not supported, all at once.
    """
    source = SourceFile(str(path), "")
    model = load_model(path)
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    return Reader(model.graph, source, sizes or {}, opset, keep_open).read()


@dataclass
class Reader:
    """One network in the making."""

    graph: Any
    source: SourceFile
    sizes: Mapping[str, int]
    opset: int
    keep_open: bool
    block: Block = field(default_factory=Block)
    values: dict[str, SSAValue] = field(default_factory=dict)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    weights: dict[str, np.ndarray] = field(default_factory=dict)
    faults: Diagnostics = field(default_factory=Diagnostics)

    def read(self) -> nn.NnModule:
        """The whole graph; InputError with all its faults."""
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
        results: list[SSAValue] = []
        for name in outputs:
            try:
                results.append(self.value(name))
            except Unreadable as error:
                self.error(f"an output is no tensor that can be read: {error}")
        self.faults.raise_if_errors()
        return nn.NnModule(nn.build_main(self.block, results), self.weights, names, outputs)

    def error(self, message: str, help: str | None = None) -> None:
        """Note a fault of the file."""
        self.faults.error("onnx", message, Span(self.source, 1, 1), help=help)

    def value(self, name: str) -> SSAValue:
        """The SSA value of the ONNX tensor `name`; a constant becomes a weight at its first use."""
        if name not in self.values:
            if name not in self.constants:
                raise Unreadable(f"`{name}` is an output that is not read")
            array = self.constants[name]
            if array.dtype == object:
                raise Unreadable(f"`{name}` is computed from open sizes")
            element = element_type(array.dtype)
            if element is None:
                raise Unreadable(f"constant `{name}` has the element type {array.dtype}, which is not supported")
            self.weights[name] = array
            made = self.emit(name, nn.WeightOp, type=nn.tensor(element, array.shape), weight=name)
            self.values[name] = made[0]
        return self.values[name]

    def emit(
        self, label: str, op: type[nn.TensorOp], /, *operands: SSAValue | None, **given: Any
    ) -> Sequence[SSAValue]:
        """The results of a new op at the end of the block."""
        made = op.make(*operands, **given)
        made.location = name_loc(label)
        self.block.add_op(made)
        return made.results

    def _read_inputs(self) -> tuple[str, ...]:
        names, sizes = [], set[str]()
        for given in self.graph.input:
            if given.name in self.constants:
                continue
            sizes |= {d.dim_param for d in given.type.tensor_type.shape.dim}
            try:
                type = self._type_of(given)
            except Unreadable as error:
                self.error(f"input `{given.name}` {error}")
                continue
            self.values[given.name] = self.block.insert_arg(type, len(self.block.args), name_loc(given.name))
            names.append(given.name)
        for name in self.sizes.keys() - sizes:
            self.error(f"no input has a size `{name}`", did_you_mean(name, sizes - {""}))
        return tuple(names)

    def _type_of(self, given: Any) -> nn.Tensor:
        if not given.type.HasField("tensor_type"):
            raise Unreadable("is no tensor")
        tensor = given.type.tensor_type
        if not tensor.HasField("shape"):
            raise Unreadable("has no known number of axes")
        shape, unknown = [], []
        for axis, d in enumerate(tensor.shape.dim):
            known = d.dim_value if d.HasField("dim_value") else self.sizes.get(d.dim_param, 0)
            if known < 1 and not d.HasField("dim_value"):
                unknown.append(d.dim_param or "?")
            shape.append(known if d.HasField("dim_value") or known else _open(d.dim_param or f"{given.name}_{axis}"))
        if unknown and not self.keep_open:
            raise Unreadable(f"has sizes that are not known: {', '.join(unknown)}")
        try:
            return nn.tensor(element_named(tensor.elem_type), shape)
        except Unreadable as error:
            raise Unreadable(f"has an element type that is not supported: {error}") from error

    def _check_operators(self) -> None:
        unknown: dict[str, list[str]] = {}
        for index, proto in enumerate(self.graph.node):
            kind = f"{proto.domain}.{proto.op_type}" if proto.domain not in ("", "ai.onnx") else proto.op_type
            if kind not in OPERATORS and kind not in SHAPE_OPERATORS:
                unknown.setdefault(kind, []).append(f"`{node_label(index, proto)}`")
        for kind, nodes in sorted(unknown.items()):
            more = f" and {len(nodes) - 5} more" if len(nodes) > 5 else ""
            self.error(f"operator `{kind}` is not supported: {', '.join(nodes[:5])}{more}")

    def _read_node(self, index: int, proto: Any) -> None:
        label = node_label(index, proto)
        node = Node(proto, label, self, self.opset)
        try:
            result = worked_out(node)
            if result is None:
                handler = OPERATORS.get(proto.op_type)
                if handler is None:
                    raise Unreadable("its inputs must be known while reading")
                result = handler(node)
        except (Unreadable, VerifyException) as error:
            self.error(f"node `{label}` ({proto.op_type}): {error}")
            return
        self._keep(proto, label, result)

    def _keep(self, proto: Any, label: str, result: Result) -> None:
        results = [result] if isinstance(result, SSAValue | np.ndarray) else list(result)
        missing = [name for name in proto.output[len(results) :] if name]
        if missing and proto.op_type != "Dropout":
            self.error(f"node `{label}` ({proto.op_type}): outputs after the first {len(results)} are not supported")
        for name, each in zip(proto.output, results, strict=False):
            if isinstance(each, np.ndarray):
                self.constants[name] = each
            else:
                self.values[name] = each


def _open(name: str) -> nn.Size:
    """The open size called `name`, in letters that a size may have."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    return nn.Size.named(plain if not plain[0].isdigit() else f"n{plain}")
