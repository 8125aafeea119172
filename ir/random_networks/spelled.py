"""Activations, softmaxes and norms as front ends spell them out, each in its variants, and nearly so."""

from __future__ import annotations

from math import pi, sqrt

from xdsl.ir import SSAValue

from .. import nn
from .author import Author
from .scalars import moderate, positive


def nearly(a: Author, right: float, wrong: float) -> float:
    """`right`, but `wrong` now and then, so that what is spelled is not what it seems."""
    return wrong if a.chance(0.08) else right


def times(a: Author, *factors: SSAValue | float) -> SSAValue:
    """The product of all factors, in a random order and grouping."""
    left = [factors[int(i)] for i in a.rng.permutation(len(factors))]
    while len(left) > 1:
        at = int(a.rng.integers(len(left) - 1))
        x, y = left[at : at + 2]
        left[at : at + 2] = [x * y if not isinstance(x, SSAValue) and not isinstance(y, SSAValue) else _mul(a, x, y)]
    assert isinstance(left[0], SSAValue)
    return left[0]


def _mul(a: Author, x: SSAValue | float, y: SSAValue | float) -> SSAValue:
    if isinstance(y, float) and isinstance(x, SSAValue) and a.chance(0.3):
        return a("Div", x, 1 / y)
    return a.either("Mul", x, y)


def gelu(a: Author) -> SSAValue:
    """x / 2 * (1 + erf(x / sqrt(2))), also with erf of -x taken away."""
    x = a.tensor()
    other = a.tensor() if a.chance(0.05) else x
    if a.chance(0.3):
        gate = _one_less(a, other)
    else:
        gate = a.either("Add", a("Erf", times(a, other, nearly(a, sqrt(0.5), 0.7))), nearly(a, 1.0, 1.1))
    return times(a, x, gate, nearly(a, 0.5, 0.4))


def _one_less(a: Author, x: SSAValue) -> SSAValue:
    curve = a("Erf", times(a, x, -sqrt(0.5)))
    return a("Sub", a.number(1.0, curve), curve)


def gelu_tanh(a: Author) -> SSAValue:
    """x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), the cube in several ways."""
    x, factor = moderate(a, a.tensor()), nearly(a, 0.044715, 0.0447)
    if a.chance(0.3):
        inner = times(a, x, sqrt(2 / pi), a.either("Add", times(a, x, x, factor), 1.0))
    else:
        cube = a("Mul", a("Pow", x, 3.0), factor) if a.chance(0.4) else times(a, x, x, x, factor)
        inner = times(a, a.either("Add", x, cube), nearly(a, sqrt(2 / pi), 0.8))
    return times(a, x, a.either("Add", a("Tanh", inner), 1.0), 0.5)


def sigmoid(a: Author) -> SSAValue:
    """1 / (1 + exp(-x)), or x in the place of the one."""
    x = moderate(a, a.tensor())
    minus = a("Neg", x) if a.chance(0.7) else times(a, x, nearly(a, -1.0, -1.5))
    plus = a.either("Add", a("Exp", minus), nearly(a, 1.0, 0.5))
    if a.chance(0.4):
        return a("Div", x, plus)
    return a("Div", a.number(nearly(a, 1.0, 2.0), plus), plus)


def gated(a: Author) -> SSAValue:
    """SiLU, hard swish and mish, from the function that gates."""
    x = moderate(a, a.tensor(), 5.0)
    other = a.tensor() if a.chance(0.08) else x
    match a.pick(("sigmoid", "hard", "mish")):
        case "sigmoid":
            return times(a, x, a("Sigmoid", other))
        case "hard":
            return times(a, x, a("HardSigmoid", other))
        case _:
            return times(a, x, a("Tanh", a("Softplus", other)))


def hard_sigmoid(a: Author) -> SSAValue:
    """min(max(x / 6 + 1/2, 0), 1), or min(max(x + 3, 0), 6) / 6, or times x."""
    x = a.tensor()
    if a.chance(0.5):
        line = a("Add", times(a, x, 1 / 6), nearly(a, 0.5, 0.4))
        return a.either("Min", _cut_at_zero(a, line), nearly(a, 1.0, 0.9))
    clipped = a.either("Min", _cut_at_zero(a, a.either("Add", x, 3.0)), nearly(a, 6.0, 5.0))
    return times(a, clipped, 1 / 6)


def _cut_at_zero(a: Author, x: SSAValue) -> SSAValue:
    return a("Relu", x) if a.chance(0.4) else a.either("Max", x, nearly(a, 0.0, -0.1))


def softplus(a: Author) -> SSAValue:
    """log(1 + exp(x)) and log1p(exp(x))."""
    powers = a("Exp", moderate(a, a.tensor()))
    if a.chance(0.5):
        return a("Log1p", powers)
    return a("Log", a.either("Add", powers, nearly(a, 1.0, 1.2)))


def relu(a: Author) -> SSAValue:
    """max(x, 0)."""
    return _cut_at_zero(a, a.tensor())


def softmax(a: Author) -> SSAValue:
    """exp(x - max) over its sum, the maximum now and then left out."""
    x = moderate(a, a.tensor(1, 4))
    rank = len(nn.shape_of(x))
    axis = a.pick((rank - 1, int(a.rng.integers(rank))))
    other = (axis + 1) % rank
    if a.chance(0.7):
        x = a("Sub", x, a("Reduce", x, kind="max", axes=[axis if a.chance(0.85) else other]))
    powers = a("Exp", x)
    return a("Div", powers, a("Reduce", powers, kind="sum", axes=[axis if a.chance(0.95) else other]))


def mean(a: Author, x: SSAValue, axes: list[int]) -> SSAValue:
    """The mean over `axes`, as one or as a sum that is divided, perhaps behind a view."""
    if a.chance(0.4):
        return a("Reduce", x, kind="mean", axes=axes)
    total, count = a("Reduce", x, kind="sum", axes=axes), 1
    for axis in axes:
        count *= nn.shape_of(x)[axis]
    count = nearly(a, float(count), count + 1.0)
    if a.chance(0.4):
        kept = tuple(n for i, n in enumerate(nn.shape_of(x)) if i not in axes)
        view = a("Reshape", total, type=nn.tensor(a.element, kept))
        by = a("Fill", type=nn.tensor(a.element, ()), value=count)
        return a("Reshape", a("Div", view, by), type=total.type)
    return a("Div", total, count) if a.chance(0.6) else a.either("Mul", total, 1 / count)


def root(a: Author, variance: SSAValue) -> SSAValue:
    """1 / sqrt(variance + epsilon) in one of its spellings."""
    moved = a.either("Add", variance, a.pick((1e-5, 1e-3, 0.25)))
    match a.pick(("rsqrt", "div", "power", "inside")):
        case "rsqrt":
            return a("Rsqrt", moved)
        case "div":
            return a("Div", a.number(1.0, moved), a("Sqrt", moved))
        case "power":
            return a("Pow", moved, -0.5)
        case _:
            return a("Sqrt", a("Div", a.number(1.0, moved), moved))


def layer_norm(a: Author) -> SSAValue:
    """Layer and RMS norms in their spellings, with a scale and a bias behind or inside."""
    x = a.tensor(2, 4, lambda v: min(nn.shape_of(v)) > 0)
    rank = len(nn.shape_of(x))
    axes = list(range(a.pick((rank - 1, rank - 1, 1)), rank))
    others = [a.pick(range(rank))] if a.chance(0.05) else axes
    if a.chance(0.35):
        centred, variance = x, mean(a, _squared(a, x), axes)
    else:
        average = mean(a, x, axes)
        centred = a("Sub", x, average)
        if a.chance(0.25):
            variance = a("Sub", mean(a, _squared(a, x), axes), _squared(a, average))
            variance = a("Relu", variance) if a.chance(0.5) else variance
        else:
            variance = mean(a, _squared(a, centred if a.chance(0.95) else x), others)
    scale = a.fresh(nn.shape_of(x)[axes[0] :] if a.chance(0.9) else nn.shape_of(x)[-1:], trained=True)
    if a.chance(0.2):
        y = a.either("Mul", centred, a.either("Mul", root(a, variance), scale))
    else:
        moved = root(a, variance)
        if a.chance(0.3):
            y = a("Div", centred, a("Sqrt", a.either("Add", variance, 1e-5)))
        else:
            y = a.either("Mul", centred, moved)
        y = a.either("Mul", y, scale) if a.chance(0.8) else y
    return a.either("Add", y, a.fresh(nn.shape_of(scale), trained=True)) if a.chance(0.7) else y


def _squared(a: Author, x: SSAValue) -> SSAValue:
    return a("Pow", x, 2.0) if a.chance(0.4) else a("Mul", x, x)


def power(a: Author) -> SSAValue:
    """Powers and roots that have plainer spellings."""
    x = positive(a, a.tensor(), 0.3)
    y = a("Pow", x, a.pick((2.0, 3.0, 0.5, -0.5, -1.0, 1.0)))
    return a("Div", a.tensor() if a.chance(0.3) else y, a("Sqrt", x)) if a.chance(0.5) else root(a, x)


MOTIFS = {
    gelu: 2, gelu_tanh: 2, sigmoid: 2, gated: 2.5, hard_sigmoid: 2, softplus: 2, relu: 1, softmax: 2, layer_norm: 4,
    power: 1,
}  # fmt: skip
