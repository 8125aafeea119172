"""Functions of single elements; attributes mean what the ONNX operator pages say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.ir import SSAValue

from ... import nn
from ..spelt_out import hyperbolic, tangent
from .node import Handler, Node, Result, Unreadable, element_named


def _same(op: type[nn.TensorOp]) -> Handler:
    return lambda node: node.emit(op, *node.tensors())


def _chain(op: type[nn.TensorOp]) -> Handler:
    """Sum, Max and Min take any number of inputs; ours take two."""

    def read(node: Node) -> SSAValue:
        result, *rest = node.tensors()
        for value in rest:
            result = node.emit(op, result, value)
        return result

    return read


def _mean(node: Node) -> Result:
    total = _chain(nn.AddOp)(node)
    assert isinstance(total, SSAValue)
    return node.emit(nn.DivOp, total, node.fill(total, len(node.proto.input)))


def _swapped(op: type[nn.TensorOp]) -> Handler:
    return lambda node: node.emit(op, node.tensor(1), node.tensor(0))


def _clip(node: Node) -> Result:
    result = node.tensor(0)
    for index, name, op in ((1, "min", nn.MaxOp), (2, "max", nn.MinOp)):
        bound = node.attribute(name)
        if node.has(index):
            result = node.emit(op, result, node.tensor(index))
        elif bound is not None:
            result = node.emit(op, result, node.fill(result, bound))
    return result


def _where_positive(node: Node, x: SSAValue, negative: SSAValue) -> SSAValue:
    """x where it is above 0, else `negative`."""
    return node.emit(nn.WhereOp, node.emit(nn.LessOp, node.fill(x, 0.0), x), x, negative)


def _leaky_relu(node: Node) -> Result:
    x, slope = node.tensor(0), node.attribute("alpha", 0.01)
    steep = node.emit(nn.MulOp, x, node.fill(x, slope))
    return node.emit(nn.MaxOp, x, steep) if 0 <= slope <= 1 else _where_positive(node, x, steep)


def _prelu(node: Node) -> Result:
    x = node.tensor(0)
    return _where_positive(node, x, node.emit(nn.MulOp, x, node.tensor(1)))


def _exponential(node: Node, x: SSAValue, alpha: float, inside: float = 1.0) -> SSAValue:
    """x where it is above 0, else alpha (exp(inside x) - 1)."""
    low = node.emit(nn.MinOp, x, node.fill(x, 0.0))  # nothing overflows
    scaled = low if inside == 1.0 else node.emit(nn.MulOp, low, node.fill(x, inside))
    return _where_positive(node, x, node.emit(nn.MulOp, node.emit(nn.Expm1Op, scaled), node.fill(x, alpha)))


def _elu(node: Node) -> Result:
    return _exponential(node, node.tensor(0), node.attribute("alpha", 1.0))


def _celu(node: Node) -> Result:
    alpha = node.attribute("alpha", 1.0)
    return _exponential(node, node.tensor(0), alpha, 1.0 / alpha)


def _selu(node: Node) -> Result:
    x = node.tensor(0)
    alpha, gamma = node.attribute("alpha", 1.6732632423543772), node.attribute("gamma", 1.0507009873554805)
    return node.emit(nn.MulOp, _exponential(node, x, alpha), node.fill(x, gamma))


def _thresholded_relu(node: Node) -> Result:
    x = node.tensor(0)
    above = node.emit(nn.LessOp, node.fill(x, node.attribute("alpha", 1.0)), x)
    return node.emit(nn.WhereOp, above, x, node.fill(x, 0.0))


def _hard_sigmoid(node: Node) -> Result:
    x = node.tensor(0)
    line = node.emit(nn.MulOp, x, node.fill(x, node.attribute("alpha", 0.2)))
    line = node.emit(nn.AddOp, line, node.fill(x, node.attribute("beta", 0.5)))
    return node.emit(nn.MinOp, node.emit(nn.MaxOp, line, node.fill(x, 0.0)), node.fill(x, 1.0))


def _softsign(node: Node) -> Result:
    x = node.tensor(0)
    return node.emit(nn.DivOp, x, node.emit(nn.AddOp, node.emit(nn.AbsOp, x), node.fill(x, 1.0)))


def _swish(node: Node) -> Result:
    x, alpha = node.tensor(0), node.attribute("alpha", 1.0)
    if alpha == 1.0:
        return node.emit(nn.SiluOp, x)
    return node.emit(nn.MulOp, x, node.emit(nn.SigmoidOp, node.emit(nn.MulOp, x, node.fill(x, alpha))))


def _gelu(node: Node) -> Result:
    tanh = node.text("approximate", "none") == "tanh"
    return node.emit(nn.GeluTanhOp if tanh else nn.GeluOp, node.tensor(0))


def _reciprocal(node: Node) -> Result:
    x = node.tensor(0)
    return node.emit(nn.DivOp, node.fill(x, 1.0), x)


def _mod(node: Node) -> Result:
    return node.emit(nn.RemOp if node.attribute("fmod", 0) else nn.ModOp, *node.tensors())


def _pow(node: Node) -> Result:
    """The exponent may have another type; the result has that of the base."""
    base, exponent = node.tensors()
    known = node.known(1)
    if known is not None and known.size == 1 and float(known.ravel()[0]) == 2.0:
        squared = node.emit(nn.MulOp, base, base)
        return node.reshaped(squared, nn.broadcast([nn.shape_of(base), known.shape]))
    element = nn.tensor_type(base).element_type
    whole = nn.is_integer(nn.tensor_type(exponent).element_type)
    whole = whole or (known is not None and bool((known == np.rint(known)).all()))
    if nn.is_integer(element) and not whole:
        raise Unreadable("integers to a power that is no integer")
    return node.emit(nn.PowOp, base, node.cast(exponent, element))


def _cast(node: Node) -> Result:
    return node.cast(node.tensor(0), element_named(node.attribute("to")))


def _cast_like(node: Node) -> Result:
    return node.cast(node.tensor(0), nn.tensor_type(node.tensor(1)).element_type)


def _is_nan(node: Node) -> Result:
    x = node.tensor(0)
    return node.emit(nn.NotOp, node.emit(nn.EqualOp, x, x))


def _is_inf(node: Node) -> Result:
    x = node.tensor(0)
    up = node.emit(nn.EqualOp, x, node.fill(x, np.inf)) if node.attribute("detect_positive", 1) else None
    down = node.emit(nn.EqualOp, x, node.fill(x, -np.inf)) if node.attribute("detect_negative", 1) else None
    if up is not None and down is not None:
        return node.emit(nn.OrOp, up, down)
    if up is None and down is None:
        raise Unreadable("it looks for neither infinity")
    return up if up is not None else down  # type: ignore[return-value]


def _shrink(node: Node) -> Result:
    """x + bias below -lambd, x - bias above lambd, 0 between."""
    x, bias, edge = node.tensor(0), node.attribute("bias", 0.0), node.attribute("lambd", 0.5)
    below = node.emit(nn.LessOp, x, node.fill(x, -edge))
    above = node.emit(nn.LessOp, node.fill(x, edge), x)
    high = node.emit(nn.WhereOp, above, node.emit(nn.SubOp, x, node.fill(x, bias)), node.fill(x, 0.0))
    return node.emit(nn.WhereOp, below, node.emit(nn.AddOp, x, node.fill(x, bias)), high)


def _tan(node: Node) -> Result:
    return tangent(node.emit, node.tensor(0))


def _hyperbolic(both: type[nn.TensorOp]) -> Handler:
    return lambda node: hyperbolic(node.emit, node.tensor(0), both)


PLAIN: Mapping[str, type[nn.TensorOp]] = {
    "Abs": nn.AbsOp, "Add": nn.AddOp, "And": nn.AndOp, "Ceil": nn.CeilOp, "Cos": nn.CosOp, "Div": nn.DivOp,
    "Equal": nn.EqualOp, "Erf": nn.ErfOp, "Exp": nn.ExpOp, "Floor": nn.FloorOp, "HardSwish": nn.HardSwishOp,
    "Less": nn.LessOp, "LessOrEqual": nn.LessEqualOp, "Log": nn.LogOp, "Mish": nn.MishOp, "Mul": nn.MulOp,
    "Neg": nn.NegOp, "Not": nn.NotOp, "Or": nn.OrOp, "Relu": nn.ReluOp, "Round": nn.RoundOp, "Sigmoid": nn.SigmoidOp,
    "Sign": nn.SignOp, "Sin": nn.SinOp, "Softplus": nn.SoftplusOp, "Sqrt": nn.SqrtOp, "Sub": nn.SubOp,
    "Tanh": nn.TanhOp, "Where": nn.WhereOp, "Xor": nn.XorOp,
}  # fmt: skip
"""ONNX operator -> the op that means the same on the same inputs"""

OPERATORS: Mapping[str, Handler] = {
    **{name: _same(op) for name, op in PLAIN.items()},
    "Cast": _cast,
    "CastLike": _cast_like,
    "Celu": _celu,
    "Clip": _clip,
    "Cosh": _hyperbolic(nn.AddOp),
    "Elu": _elu,
    "Gelu": _gelu,
    "Greater": _swapped(nn.LessOp),
    "GreaterOrEqual": _swapped(nn.LessEqualOp),
    "HardSigmoid": _hard_sigmoid,
    "IsInf": _is_inf,
    "IsNaN": _is_nan,
    "LeakyRelu": _leaky_relu,
    "Max": _chain(nn.MaxOp),
    "Mean": _mean,
    "Min": _chain(nn.MinOp),
    "Mod": _mod,
    "PRelu": _prelu,
    "Pow": _pow,
    "Reciprocal": _reciprocal,
    "Selu": _selu,
    "Shrink": _shrink,
    "Sinh": _hyperbolic(nn.SubOp),
    "Softsign": _softsign,
    "Sum": _chain(nn.AddOp),
    "Swish": _swish,
    "Tan": _tan,
    "ThresholdedRelu": _thresholded_relu,
}
