"""Functions of single elements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from xdsl.ir import SSAValue

from ... import nn
from ..elements import has_integer_zero
from ..spelt_out import hyperbolic, tangent
from .reader import Reader, Rule, Unreadable, Value, type_of

SAME: Mapping[str, str] = {
    **{
        each: each
        for each in (
            "add", "sub", "mul", "div", "rem", "max", "min", "pow", "neg", "sign", "abs", "floor", "ceil", "exp", "log",
            "log1p", "expm1", "tanh", "sin", "cos", "erf", "sqrt", "rsqrt", "xor",
        )
    },
    "logistic": "sigmoid",
    "add_any": "add",
}  # fmt: skip
"""primitive -> scalar function of nn that means the same"""
TO_EVEN = 1
"""`jax.lax.RoundingMethod.TO_NEAREST_EVEN`"""
NOTHING = ("stop_gradient", "copy", "copy_p", "optimization_barrier", "pvary")
"""primitives that change no value"""


def _same(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    if eqn.primitive.name in ("div", "rem") and isinstance(operands[1], np.ndarray) and has_integer_zero(operands[1]):
        raise Unreadable("it divides integers by 0")
    return reader.add(nn.ELEMENTWISE[SAME[eqn.primitive.name]], *operands)


def _reduced(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Nothing changes where as many bits stay as there are; fewer would be a type of their own."""
    import jax.numpy as jnp

    exponent, mantissa = eqn.params["exponent_bits"], eqn.params["mantissa_bits"]
    type = jnp.finfo(eqn.outvars[0].aval.dtype)
    if exponent < type.nexp or mantissa < type.nmant:
        raise Unreadable(f"it keeps {exponent} bits of exponents and {mantissa} of mantissas: use `astype`")
    return operands[0]


def _nothing(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Sequence[Value]:
    return list(operands)


def _square(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return reader.add(nn.MulOp, operands[0], operands[0])


def _integer_pow(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    power = eqn.params["y"]
    if power == 2:
        return reader.add(nn.MulOp, operands[0], operands[0])
    if power < 0:
        one = np.asarray(1, dtype=eqn.outvars[0].aval.dtype)
        positive = reader.add(nn.PowOp, operands[0], np.asarray(-power, dtype=one.dtype))
        return reader.add(nn.DivOp, one, positive)
    return reader.add(nn.PowOp, operands[0], np.asarray(power, dtype=eqn.outvars[0].aval.dtype))


def _exp2(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return reader.add(nn.PowOp, np.asarray(2, dtype=eqn.outvars[0].aval.dtype), operands[0])


def _erfc(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    one = np.asarray(1, dtype=eqn.outvars[0].aval.dtype)
    return reader.add(nn.SubOp, one, reader.add(nn.ErfOp, operands[0]))


def _round(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    """Halves to even as nn does it, or away from zero: sign(x) floor(|x| + 1/2)."""
    x = operands[0]
    if int(eqn.params["rounding_method"]) == TO_EVEN:
        return reader.add(nn.RoundOp, x)
    half = np.asarray(0.5, dtype=eqn.outvars[0].aval.dtype)
    size = reader.add(nn.FloorOp, reader.add(nn.AddOp, reader.add(nn.AbsOp, x), half))
    return reader.add(nn.MulOp, reader.add(nn.SignOp, x), size)


def _tan(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return tangent(reader.add, reader.tensor(operands[0]))


def _hyperbolic(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    return hyperbolic(reader.add, reader.tensor(operands[0]), nn.SubOp if eqn.primitive.name == "sinh" else nn.AddOp)


def _compare(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    a, b = operands
    match eqn.primitive.name:
        case "lt":
            return reader.add(nn.LessOp, a, b)
        case "le":
            return reader.add(nn.LessEqualOp, a, b)
        case "gt":
            return reader.add(nn.LessOp, b, a)
        case "ge":
            return reader.add(nn.LessEqualOp, b, a)
        case "eq":
            return reader.add(nn.EqualOp, a, b)
        case _:
            return reader.add(nn.NotOp, reader.add(nn.EqualOp, a, b))


def _logic(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    if eqn.outvars[0].aval.dtype != np.bool_:
        raise Unreadable("it works on the bits of integers")
    kinds: Mapping[str, type[nn.TensorOp]] = {"and": nn.AndOp, "or": nn.OrOp, "xor": nn.XorOp, "not": nn.NotOp}
    return reader.add(kinds[eqn.primitive.name], *operands)


def _select_n(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    which, *cases = operands
    if len(cases) != 2 or eqn.invars[0].aval.dtype != np.bool_:
        raise Unreadable("it selects among more than two")
    return reader.add(nn.WhereOp, which, cases[1], cases[0])  # JAX lists what stands for false first


def _clamp(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    low, x, high = operands
    return reader.add(nn.MinOp, reader.add(nn.MaxOp, x, low), high)


def _cast(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    type = type_of(eqn.outvars[0].aval)
    x = reader.tensor(operands[0])
    return x if x.type == type else reader.add(nn.CastOp, x, type=type)


def _is_finite(reader: Reader, eqn: Any, operands: Sequence[Value]) -> Value:
    x = reader.tensor(operands[0])
    difference: SSAValue = reader.add(nn.SubOp, x, x)  # not a number where x is infinite or none
    return reader.add(nn.EqualOp, difference, difference)


RULES: Mapping[str, Rule] = {
    **dict.fromkeys(SAME, _same),
    **dict.fromkeys(NOTHING, _nothing),
    **dict.fromkeys(("lt", "le", "gt", "ge", "eq", "ne"), _compare),
    **dict.fromkeys(("and", "or", "xor", "not"), _logic),
    "reduce_precision": _reduced,
    "square": _square,
    "integer_pow": _integer_pow,
    "exp2": _exp2,
    "erfc": _erfc,
    "round": _round,
    "tan": _tan,
    **dict.fromkeys(("sinh", "cosh"), _hyperbolic),
    "select_n": _select_n,
    "clamp": _clamp,
    "convert_element_type": _cast,
    "is_finite": _is_finite,
}
