"""Element types that emitted code can hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from xdsl.dialects.builtin import IntegerType, Signedness, TensorType, bf16, f8E4M3FN, f8E5M2, f16, f32, f64
from xdsl.ir import Operation, SSAValue

from ..ir import nn
from ..ir.diagnostics import Diagnostic, InputError
from ..ir.nn import Tensor
from ..passes.locations import location_text

_FLOATS = {f32: "float32", f16: "float16", bf16: "bfloat16", f8E4M3FN: "float8_e4m3fn", f8E5M2: "float8_e5m2"}
_INTEGERS = {1: "bool", 2: "int2", 4: "int4", 8: "int8", 16: "int16", 32: "int32", 64: "int64"}
"""Width -> dtype"""


def dtype_of(type: Tensor) -> str:
    """The name of the element type in jax.numpy; InputError for f64 and for integers of odd widths."""
    element = type.element_type
    name = _FLOATS.get(element)
    if isinstance(element, IntegerType) and element.bitwidth in _INTEGERS:
        unsigned = element.signedness.data is Signedness.UNSIGNED and element.bitwidth > 1
        name = ("u" if unsigned else "") + _INTEGERS[element.bitwidth]
    if name is None:
        help = "export the network in float32, or give a JAX function examples in it" if element == f64 else None
        raise InputError([Diagnostic("element-type", f"code is not emitted for tensors of {element}", help=help)])
    return name


def require_types(network: nn.NnModule) -> None:
    """InputError where code cannot hold the elements of an input, a weight or what an operator makes of others.

    What follows of those is not told; constants are where nothing else is.
    """
    named = zip(network.input_names, nn.main_of(network.module).args, strict=True)
    wrong = [_unheld(f"input `{name}` holds", value) for name, value in named]
    constants: list[Diagnostic | None] = []
    for op in nn.body_of(network.module):
        results = [value for value in op.results if isinstance(value.type, TensorType)]
        if isinstance(op, nn.WeightOp):
            wrong.append(_unheld(f"weight `{op.weight.data}` holds", op.result, weight_dtype))
        elif not op.operands:
            constants += [_unheld(_said(op), value) for value in results]
        elif not any(isinstance(value.type, TensorType) and _unheld("", value) for value in op.operands):
            wrong += [_unheld(_said(op), value) for value in results]
    for faults in (wrong, constants):
        if found := [each for each in faults if each is not None]:
            raise InputError(found)


def _said(op: Operation) -> str:
    place = location_text(op.location)
    return f"operator `{op.name}` at `{place}` gives" if place else f"operator `{op.name}` gives"


def _unheld(said: str, value: SSAValue, held: Callable[[Tensor], str] = dtype_of) -> Diagnostic | None:
    """What `said` names, where code cannot hold it."""
    try:
        held(nn.tensor_type(value))
    except InputError as error:
        element = nn.tensor_type(value).element_type
        kind = "float64" if element == f64 else str(element)
        return replace(error.diagnostics[0], message=f"{said} {kind}, for which no code is emitted")
    return None


def is_wide(value: SSAValue) -> bool:
    """Whether `value` is a tensor of 64-bit integers, which JAX holds in 32 bits unless it is told otherwise."""
    type = value.type
    return isinstance(type, TensorType) and nn.is_integer(type.element_type) and nn.bits_of(type.element_type) == 64


def has_wide(operation: Operation) -> bool:
    """Whether `operation`, or one inside it, reads or makes 64-bit integers; inputs count where they are read."""
    return any(is_wide(value) for op in operation.walk() for value in (*op.operands, *op.results))


def weight_dtype(type: Tensor) -> str:
    """As `dtype_of`, of a weight: integers of less than a byte that have no type of their own fill one."""
    element = type.element_type
    if isinstance(element, IntegerType) and element.bitwidth < 8 and element.bitwidth not in _INTEGERS:
        return "uint8" if element.signedness.data is Signedness.UNSIGNED else "int8"
    return dtype_of(type)


def numpy_dtype(name: str) -> np.dtype:
    """numpy's dtype of that name, also where the package ml_dtypes adds it."""
    import ml_dtypes

    return np.dtype(getattr(ml_dtypes, name, name))


def stored_dtype(name: str) -> str:
    """What a safetensors file holds such elements as: integers narrower than a byte take a whole one."""
    return {"int2": "int8", "int4": "int8", "uint2": "uint8", "uint4": "uint8"}.get(name, name)
