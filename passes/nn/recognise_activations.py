"""`recognise-activations`: GELU, SiLU and their like, spelled out in arithmetic, become one op each."""

from __future__ import annotations

from dataclasses import dataclass
from math import isclose, pi, sqrt
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, location_of, sweep
from .match import Product, constant, is_constant, only_for, product, scaled
from .nn_pass import NnPass

GELU_CUBE = 0.044715
"""factor of the cube in the tanh form of GELU (Hendrycks and Gimpel 2016, arXiv:1606.08415, section 2)"""


def relu(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.max"(%x, 0)
    after:  %y = "nn.relu"(%x)
    """
    if constant(op.rhs) != 0.0 or op.lhs.type != op.result.type:
        return None
    return [draft.emit(op, nn.ReluOp, op.lhs)]


def sigmoid(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %e = "nn.exp"("nn.neg"(%x));  %y = 1 / (1 + %e)          or x / (1 + exp(-x))
    after:  %y = "nn.sigmoid"(%x)                                    "nn.silu"(%x)
    """
    found = _one_plus(op.rhs)
    if found is None or not isinstance(found[0].owner, nn.ExpOp):
        return None
    exp, plus = found[0].owner, found[1]
    power = scaled(exp.x)
    x = power.sole()
    if x is None or power.factor != -1.0 or x.type != op.result.type:
        return None
    inside = [plus, exp, *power.ops]
    if not only_for(op, inside):
        return None
    if is_constant(op.lhs, 1.0):
        return _one(op, draft, nn.SigmoidOp, x, inside)
    return _one(op, draft, nn.SiluOp, x, inside) if op.lhs is x else None


def gated(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %s = "nn.sigmoid"(%x);  %y = %x * %s                     x * sigmoid(x)
            x / 2 * (1 + erf(x / sqrt(2)))                           in any order of the factors
            x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))
            x * tanh(softplus(x));  x * hard_sigmoid(x)
    after:  "nn.silu"(%x), "nn.gelu"(%x), "nn.gelu_tanh"(%x), "nn.mish"(%x), "nn.hard_swish"(%x)

    (L1) There are two factors beside a number: a value, and a function of that same value, each once. (L2) Only the
    product uses what is in between.
    """
    whole = product(op.result)
    if len(whole.values) != 2 or whole.values.total() != 2:
        return None
    one, other = whole.values
    for x, gate in ((one, other), (other, one)):
        found = _gate(whole.factor, x, gate)
        if found is not None and x.type == op.result.type:
            kind, ops = found
            inside = [*whole.ops, *ops]
            return _one(op, draft, kind, x, inside) if only_for(op, inside) else None
    return None


def _gate(factor: float, x: SSAValue, gate: SSAValue) -> tuple[type[nn.UnaryOp], list[Operation]] | None:
    """The function that factor * x * gate is of x, and the ops that compute the gate."""
    owner = gate.owner
    if factor == 1.0:
        if isinstance(owner, nn.SigmoidOp) and owner.x is x:
            return nn.SiluOp, [owner]
        if isinstance(owner, nn.HardSigmoidOp) and owner.x is x:
            return nn.HardSwishOp, [owner]
        soft = owner.x.owner if isinstance(owner, nn.TanhOp) else None
        if isinstance(soft, nn.SoftplusOp) and soft.x is x:
            return nn.MishOp, [owner, soft]
        return None
    if not isclose(factor, 0.5, rel_tol=1e-6):
        return None
    return _gelu(x, gate)


def _gelu(x: SSAValue, gate: SSAValue) -> tuple[type[nn.UnaryOp], list[Operation]] | None:
    found, sign = _one_plus(gate), 1.0
    if found is None and isinstance(gate.owner, nn.SubOp) and is_constant(gate.owner.lhs, 1.0):
        found, sign = (gate.owner.rhs, gate.owner), -1.0  # 1 - erf(-x) is 1 + erf(x): both functions are odd
    if found is None:
        return None
    curve, plus = found
    if isinstance(curve.owner, nn.ErfOp):
        inner = scaled(curve.owner.x)
        if inner.sole() is x and isclose(sign * inner.factor, sqrt(0.5), rel_tol=1e-6):
            return nn.GeluOp, [plus, curve.owner, *inner.ops]
    if isinstance(curve.owner, nn.TanhOp):
        ops = _tanh_argument(x, product(curve.owner.x), sign)
        if ops is not None:
            return nn.GeluTanhOp, [plus, curve.owner, *ops]
    return None


def _tanh_argument(x: SSAValue, inner: Product, sign: float) -> list[Operation] | None:
    """The ops of sqrt(2 / pi) * (x + 0.044715 x^3), or of the same as sqrt(2 / pi) * x * (1 + 0.044715 x^2)."""
    if not isclose(sign * inner.factor, sqrt(2 / pi), rel_tol=1e-6):
        return None
    sums = [v for v in inner.values if isinstance(v.owner, nn.AddOp) and v is not x]
    if len(sums) != 1 or inner.values.total() not in (1, 2):
        return None
    outside = inner.values[x]  # 1 where x stands before the sum
    if inner.values.total() != 1 + outside:
        return None
    add = sums[0].owner
    assert isinstance(add, nn.AddOp)
    for first, second in ((add.lhs, add.rhs), (add.rhs, add.lhs)):
        starts = is_constant(first, 1.0) if outside else first is x
        cube = product(second)
        powers = cube.values == {x: 3 - outside}
        if starts and powers and isclose(cube.factor, GELU_CUBE, rel_tol=1e-5):
            return [*inner.ops, add, *cube.ops]
    return None


def softplus(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %e = "nn.exp"(%x);  %y = "nn.log1p"(%e)        or log(1 + e)
    after:  %y = "nn.softplus"(%x)
    """
    inner, ops = op.x, []
    if isinstance(op, nn.LogOp):
        found = _one_plus(op.x)
        if found is None:
            return None
        inner, ops = found[0], [found[1]]
    exp = inner.owner
    if not isinstance(exp, nn.ExpOp) or exp.x.type != op.result.type or not only_for(op, [*ops, exp]):
        return None
    return _one(op, draft, nn.SoftplusOp, exp.x, [*ops, exp])


def hard_sigmoid(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.min"("nn.max"(%x / 6 + 0.5, 0), 1)       or min(max(x + 3, 0), 6) / 6
    after:  %y = "nn.hard_sigmoid"(%x)
    """
    if isinstance(op, nn.MinOp):
        return _clipped(op, op, 1.0, 1 / 6, 0.5, draft, [])
    whole = scaled(op.result)
    clip = whole.sole()
    if clip is None or not isclose(whole.factor, 1 / 6, rel_tol=1e-6) or not isinstance(clip.owner, nn.MinOp):
        return None
    return _clipped(op, clip.owner, 6.0, 1.0, 3.0, draft, whole.ops)


def _clipped(
    root: nn.BinaryOp, low: nn.BinaryOp, top: float, factor: float, shift: float, draft: Draft, ops: list[Operation]
) -> Replacement:
    """min(max(factor * x + shift, 0), top), which `root` uses, as the hard sigmoid of x."""
    high = low.lhs.owner
    if not is_constant(low.rhs, top) or not isinstance(high, nn.ReluOp | nn.MaxOp):
        return None
    if isinstance(high, nn.MaxOp) and constant(high.rhs) != 0.0:
        return None
    add = high.operands[0].owner
    if not isinstance(add, nn.AddOp) or not is_constant(add.rhs, shift):
        return None
    line = scaled(add.lhs)
    x = line.sole()
    inside = [*ops, low, high, add, *line.ops]
    fits = x is not None and x.type == root.result.type and isclose(line.factor, factor, rel_tol=1e-6)
    return _one(root, draft, nn.HardSigmoidOp, x, inside) if x is not None and fits and only_for(root, inside) else None


def _one_plus(value: SSAValue) -> tuple[SSAValue, Operation] | None:
    """(v, the addition) where `value` is 1 + v."""
    add = value.owner
    if isinstance(add, nn.AddOp):
        for one, other in ((add.lhs, add.rhs), (add.rhs, add.lhs)):
            if is_constant(one, 1.0):
                return other, add
    return None


def _one(root: Operation, draft: Draft, kind: type[nn.UnaryOp], x: SSAValue, inside: list[Operation]) -> Replacement:
    made = kind.make(x)
    if not should_replace(draft, [*dict.fromkeys([*inside, root])], made):
        made.drop_all_references()
        return None
    return [draft.put(root, made).results[0]] if not inside else [_placed(root, draft, made, inside)]


def _placed(root: Operation, draft: Draft, made: Operation, inside: list[Operation]) -> SSAValue:
    draft.put(root, made)
    made.location = location_of([*reversed(list(dict.fromkeys(inside))), root])
    return made.results[0]


def should_replace(draft: Draft, before: list[Operation], made: Operation) -> bool:
    """Whether one op takes less time than `before`: it reads its input once and writes nothing in between."""
    return draft.target.pays(before, [made])


PATTERNS: Patterns = {
    nn.MaxOp: [("relu", relu)],
    nn.DivOp: [("sigmoid", sigmoid), ("hard-sigmoid", hard_sigmoid)],
    nn.MulOp: [("gated-activation", gated), ("hard-sigmoid", hard_sigmoid)],
    nn.LogOp: [("softplus", softplus)],
    nn.Log1pOp: [("softplus", softplus)],
    nn.MinOp: [("hard-sigmoid", hard_sigmoid)],
}


@dataclass(frozen=True)
class RecogniseActivationsPass(NnPass):
    """
    Finds activation functions in arithmetic and puts one op in their place; run `canonicalise` first.

    Promise: `main` computes the same but for rounding. A chain of which anything else uses a part stays as it is. The
    op has the locations of the whole chain.
    """

    name: ClassVar[str] = "recognise-activations"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
