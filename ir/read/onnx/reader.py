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
from ...wording import named
from ..elements import element_type
from .file import load_model, opset_of
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
    return Reader(model.graph, source, sizes or {}, opset_of(model, path), keep_open).read()


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
    declared: dict[str, Any] = field(default_factory=dict)
    """what the file says of values on the way, by their names"""
    faults: Diagnostics = field(default_factory=Diagnostics)

    def read(self) -> nn.NnModule:
        """The whole graph; InputError with all its faults."""
        from onnx import numpy_helper

        for tensor in self.graph.initializer:
            self.constants[tensor.name] = numpy_helper.to_array(tensor)
        self.declared = {each.name: each for each in self.graph.value_info if each.type.HasField("tensor_type")}
        names = self._read_inputs()
        self._check_operators()
        self.faults.raise_if_errors()
        for index, proto in enumerate(self.graph.node):
            self._read_node(index, proto)
            self.faults.raise_if_errors()  # what follows a fault cannot be read without its result
        results = self._read_outputs()
        self.faults.raise_if_errors()
        outputs = tuple(o.name for o in self.graph.output)
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
        names, sizes = list[str](), set[str]()
        for given in self.graph.input:
            if given.name in self.constants:
                continue
            sizes |= {d.dim_param for d in given.type.tensor_type.shape.dim}
            try:
                type = self._type_of(given)
            except Unreadable as error:
                self.error(f"input `{given.name}` {error}", _sizes_help(given, self.sizes))
                continue
            self.values[given.name] = self.block.insert_arg(type, len(self.block.args), name_loc(given.name))
            names.append(given.name)
        for name in self.sizes.keys() - sizes:
            self.error(f"no input has a size `{name}`", did_you_mean(name, sizes - {""}))
        return tuple(names)

    def _read_outputs(self) -> list[SSAValue]:
        results: list[SSAValue] = []
        for output in self.graph.output:
            try:
                result = self.value(output.name)
                _require_declared(output, nn.tensor_type(result))
                results.append(result)
            except Unreadable as error:
                self.error(f"an output is no tensor that can be read: {error}")
        if not self.graph.output:
            self.error("it has no outputs, so there is nothing to compute")
        return results

    def _type_of(self, given: Any) -> nn.Tensor:
        if not given.type.HasField("tensor_type"):
            raise Unreadable("is no tensor")
        tensor = given.type.tensor_type
        if not tensor.HasField("shape"):
            raise Unreadable("has no known number of axes")
        shape, unknown = [], []
        for axis, d in enumerate(tensor.shape.dim):
            if d.dim_value < 0:
                raise Unreadable(f"has a size of {d.dim_value}")
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
            self.error(f"operator `{kind}` is not supported: {named(nodes, 5)}")

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
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # The checker does not look at numbers and lengths of lists; what they are wrong for says so by itself.
            what = f"its attributes or inputs are not what the operator takes ({type(error).__name__}: {error})"
            self.error(f"node `{label}` ({proto.op_type}): {what}")
            return
        self._keep(proto, label, result)

    def _keep(self, proto: Any, label: str, result: Result) -> None:
        results = [result] if isinstance(result, SSAValue | np.ndarray) else list(result)
        missing = [name for name in proto.output[len(results) :] if name]
        if missing:
            self.error(f"node `{label}` ({proto.op_type}): outputs after the first {len(results)} are not supported")
        for name, each in zip(proto.output, results, strict=False):
            if isinstance(each, np.ndarray):
                self.constants[name] = each
            else:
                self.values[name] = each
                if name in self.declared:
                    self._hold_declared(label, proto, name)

    def _hold_declared(self, label: str, proto: Any, name: str) -> None:
        """Note a value that is of another type than the file says; sizes that it leaves open may be any."""
        try:
            _require_declared(self.declared[name], nn.tensor_type(self.values[name]))
        except Unreadable as error:
            help = "`del model.graph.value_info[:]` leaves the types on the way to the nodes"
            self.error(f"node `{label}` ({proto.op_type}): {error}", help)


def _sizes_help(given: Any, known: Mapping[str, int]) -> str | None:
    """How the sizes that the input `given` leaves open are given."""
    unsaid = [d for d in given.type.tensor_type.shape.dim if not d.HasField("dim_value") and d.dim_param not in known]
    names = list(dict.fromkeys(d.dim_param for d in unsaid))
    if not names:
        return None
    if "" in names:
        return "a size without a name cannot be given: `onnx.tools.update_model_dims` names or fixes it in the file"
    return f"give `--sizes {','.join(f'{name}=8' for name in names)}`, or other numbers"


def _require_declared(output: Any, computed: nn.Tensor) -> None:
    """Unreadable where the file says another type of an output than its nodes give; what it leaves open is anything."""
    tensor, shape = output.type.tensor_type, computed.get_shape()
    element = element_named(tensor.elem_type) if tensor.elem_type else computed.element_type
    if element != computed.element_type:
        raise Unreadable(f"`{output.name}` is declared to hold {element}, and its node gives {computed.element_type}")
    if not tensor.HasField("shape"):
        return
    said = [d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim]
    open_or_same = len(said) == len(shape) and all(
        size is None or n < 0 or n == size for size, n in zip(said, shape, strict=True)
    )
    if not open_or_same:
        shown = ", ".join("?" if size is None else str(size) for size in said)
        raise Unreadable(f"`{output.name}` is declared with the shape ({shown}), and its node gives {tuple(shape)}")


def _open(name: str) -> nn.Size:
    """The open size called `name`, in letters that a size may have."""
    plain = "".join(c if c.isascii() and c.isalnum() else "_" for c in name)
    return nn.Size.named(plain if not plain[0].isdigit() else f"n{plain}")
