"""Networks of the nn dialect as scratchpad problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...ir.diagnostics import Diagnostic, InputError
from .problem import Operator, ScratchpadProblem, Tensor

if TYPE_CHECKING:
    from xdsl.dialects.builtin import ModuleOp
    from xdsl.ir import Operation, SSAValue

    from ...ir.nn import NnModule

KIND_OF_DEVICE = "npu"
"""Scratchpads are filled by the compiler on such devices: their passes say what is folded."""


def read_network(path: Path, parameters: bool) -> ScratchpadProblem:
    """The network in the file at `path` after the passes for such devices, its scratchpad of 0 bytes."""
    network = lowered_network(path)
    return problem_of_module(network.module, path.stem, parameters, network.input_names, network.output_names)


def lowered_network(path: Path) -> NnModule:
    """The network in the file at `path` after the passes for such devices; InputError where it cannot be read."""
    from ...ir.read import networks
    from ...passes import TARGET_PIPELINE, run_pipeline

    network = networks.read_network(path)
    run_pipeline(network.module, TARGET_PIPELINE[KIND_OF_DEVICE])
    return network


def problem_of_module(
    module: ModuleOp, name: str, parameters: bool, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
) -> ScratchpadProblem:
    """
    The ops of `main` as operators, their values as tensors of the bytes of their types.

    What depends on weights alone is worked out before the run and counts as a parameter; a reshape is no operator, and
    its result is the tensor that it reshapes. `inputs` and `outputs` name the ends. InputError without a `main`.
    """
    return read_module(module, name, parameters, inputs, outputs)[0]


def read_module(
    module: ModuleOp, name: str, parameters: bool, inputs: Sequence[str] = (), outputs: Sequence[str] = ()
) -> tuple[ScratchpadProblem, ModuleReader]:
    """`problem_of_module`, and beside it which op and which value each operator and each tensor is."""
    from xdsl.dialects.func import ReturnOp

    from ...ir import nn

    try:
        block = nn.main_of(module).body.block
    except ValueError as error:
        raise InputError([Diagnostic("network", f"`{name}`: {error}")]) from None
    reader = ModuleReader(parameters)
    for index, argument in enumerate(block.args):
        reader.add_tensor(argument, inputs[index] if index < len(inputs) else f"input{index}", "input")
    returned: list[SSAValue] = []
    for op in block.ops:
        if isinstance(op, ReturnOp):
            returned = [reader.root(value) for value in op.operands]
        else:
            reader.add(op)
    for index, value in enumerate(returned):
        reader.mark_output(value, outputs[index] if index < len(outputs) else None)
    return ScratchpadProblem(name, tuple(reader.tensors), tuple(reader.operators), 0), reader


class ModuleReader:
    """Operators and tensors of a module, and what they were there."""

    def __init__(self, parameters: bool) -> None:
        self.with_parameters = parameters
        self.tensors: list[Tensor] = []
        self.operators: list[Operator] = []
        self.ops: list[Operation] = []
        """the op of each operator"""
        self.index: dict[SSAValue, int] = {}
        """the tensor of each value that is one"""
        self.roots: dict[SSAValue, SSAValue] = {}
        self.constant: dict[SSAValue, str] = {}
        """values known before the run, with their names"""
        self.operator_names: set[str] = set()
        self.tensor_names: set[str] = set()

    def add(self, op: Operation) -> None:
        from ...ir import nn

        if isinstance(op, nn.WeightOp):
            self.constant[op.result] = op.weight.data
        elif isinstance(op, nn.ReshapeOp):
            self.roots[op.result] = self.root(op.x)
        elif all(self.root(operand) in self.constant for operand in op.operands):
            self.constant.update(dict.fromkeys(op.results, _name(op)))
        else:
            self._add_operator(op)

    def _add_operator(self, op: Operation) -> None:
        read = list(dict.fromkeys(self.root(operand) for operand in op.operands))
        for value in read:
            if value in self.constant and value not in self.index and self.with_parameters:
                self.add_tensor(value, self.constant[value], "parameter")
        inputs = tuple(self.index[value] for value in read if value in self.index)
        name = _unique(_name(op), self.operator_names)
        for result in op.results:
            self.add_tensor(result, name, "intermediate")
        made = tuple(self.index[result] for result in op.results)
        self.operators.append(Operator(name, inputs, made, op.name.removeprefix("nn.")))
        self.ops.append(op)

    def root(self, value: SSAValue) -> SSAValue:
        """The value whose memory `value` is."""
        return self.roots.get(value, value)

    def add_tensor(self, value: SSAValue, name: str, kind: str) -> None:
        from ...costmodel.rules import tensor_bytes

        self.index[value] = len(self.tensors)
        self.tensors.append(Tensor(_unique(name, self.tensor_names), tensor_bytes(value), kind))

    def mark_output(self, value: SSAValue, name: str | None) -> None:
        """A result that an operator makes is an output; an input or a weight that is returned stays what it is."""
        index = self.index.get(value)
        if index is None or self.tensors[index].kind != "intermediate":
            return
        old = self.tensors[index]
        shown = old.name if name is None or name == old.name else _unique(name, self.tensor_names)
        self.tensors[index] = Tensor(shown, old.bytes, "output")


def _unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def _name(op: Operation) -> str:
    """What the file calls the op, or the op's kind where it calls it nothing."""
    from xdsl.dialects.builtin import FusedLoc, NameLoc

    location = op.location
    if isinstance(location, FusedLoc):
        parts: Any = location.locations
        named = [each for each in parts if isinstance(each, NameLoc)]
        location = named[0] if named else location
    if isinstance(location, NameLoc):
        return location.desc.data
    return op.results[0].name_hint or op.name.removeprefix("nn.")
