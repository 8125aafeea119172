"""What is known before a program runs: weights, and what depends on weights alone."""

from __future__ import annotations

import numpy as np
from xdsl.ir import OpResult, SSAValue

from ...ir import nn
from ...ir.diagnostics import Diagnostic, InputError
from ...ir.interpret import evaluate
from ...planner.scratchpad.read_network import ModuleReader
from ..dtypes import dtype_of, numpy_dtype


class Constants:
    """Collects the constants that a program uses, and hands out the names that it knows them by."""

    def __init__(self, network: nn.NnModule, reader: ModuleReader) -> None:
        self._network, self._reader = network, reader
        self._names: dict[SSAValue, str] = {}
        self.streamed: dict[str, np.ndarray] = {}
        """read from outside by operators, by a name of their own"""
        self.loaded: dict[str, np.ndarray] = {}
        """in the memory outside from the start, by tensor"""

    def stream(self, value: SSAValue) -> str:
        """The name of `value`, which an operator reads from outside."""
        if value not in self._names:
            name = self._free_name(value)
            self._names[value], self.streamed[name] = name, self._stored(value)
        return self._names[value]

    def load(self, value: SSAValue, tensor: str) -> None:
        """Let `value` be outside as `tensor`."""
        if tensor not in self.loaded:
            self.loaded[tensor] = self._stored(value)

    def returned(self, value: SSAValue) -> str:
        """The name of `value`, which no operator reads, but the network returns."""
        name = self._free_name(value)
        self.load(value, name)
        return name

    def _free_name(self, value: SSAValue) -> str:
        wanted = name = self._reader.constant[value]
        taken = {*self.streamed, *self.loaded, *self._reader.tensor_names}
        number = 1
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _stored(self, value: SSAValue) -> np.ndarray:
        owner = value.owner
        if isinstance(owner, nn.WeightOp):
            if owner.weight.data not in self._network.weights:
                raise InputError([Diagnostic("weight", f"weight `{owner.weight.data}` has no values")])
            array = self._network.weights[owner.weight.data]
        else:
            array = self._evaluated(value)
        return np.ascontiguousarray(array, numpy_dtype(memory_dtype(value))).reshape(nn.shape_of(value))

    def _evaluated(self, value: SSAValue) -> np.ndarray:
        """By the reference meaning, in float64."""
        assert isinstance(value, OpResult)
        op = value.op
        operands = [self._evaluated(operand) for operand in op.operands]
        try:
            results = evaluate(op, operands, self._network.weights)
        except NotImplementedError:
            raise InputError([Diagnostic("scratchpad-op", f"there is no code for operator `{op.name}`")]) from None
        except ValueError as error:
            raise InputError([Diagnostic("weight", str(error))]) from None
        return results[value.index]


def memory_dtype(value: SSAValue) -> str:
    """The dtype of the elements of `value` in memory, as wide as its type says, truth values apart, which are packed.

    InputError for other elements of less than a byte.
    """
    type = nn.tensor_type(value)
    name, bits = dtype_of(type), nn.bits_of(type.element_type)
    if bits < 8 and name != "bool":
        message = f"scratchpad programs do not hold tensors of {type.element_type}"
        raise InputError([Diagnostic("element-type", message)])
    return name
