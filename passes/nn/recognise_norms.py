"""`recognise-norms`: layer and RMS normalisation, spelled out in reductions and arithmetic, become one op each."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, location_of, sweep
from .match import constant, either, only_for
from .nn_pass import NnPass


@dataclass(frozen=True)
class Root:
    """rsqrt(v + epsilon), where v is of the shape of a reduction, and the ops that compute it from v."""

    variance: SSAValue
    epsilon: float
    ops: tuple[Operation, ...]


def normalised(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %m = mean(x);  %c = x - %m;  %v = mean(%c * %c);  %y = %c * rsqrt(%v + e)
    after:  %y = "nn.layer_norm"(%x) {axis, epsilon = e}

    before: %v = mean(x * x);  %y = x * rsqrt(%v + e)
    after:  %y = "nn.rms_norm"(%x) {axis, epsilon = e}

    The variance may be mean(x * x) - m * m too, and the root may be multiplied with the scale first.

    (L1) All means are over the same axes, the last ones. (L2) Epsilon is added under the root. (L3) Nothing else uses
    what is in between.
    """
    for c, r in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        found = _root(r)
        if found is not None:
            norm = _what_is_normalised(c, found)
            if norm is not None:
                kind, x, ops = norm
                return _replace(op, draft, kind, x, found, ops)
    return None


def _what_is_normalised(c: SSAValue, root: Root) -> tuple[type[nn.NormOp], SSAValue, list[Operation]] | None:
    """The norm that c * root is, of what, and all ops but the last."""
    sub, squares = c.owner, _mean_square(root.variance)
    mean = _mean(sub.rhs) if isinstance(sub, nn.SubOp) else None
    if isinstance(sub, nn.SubOp) and mean is not None and mean.x is sub.lhs:
        if squares is not None:
            same = squares.of is c and squares.mean.axes == mean.axes
            return (nn.LayerNormOp, sub.lhs, [mean, sub, *squares.ops, *root.ops]) if same else None
        ops = _fast_variance(root.variance, mean)
        return (nn.LayerNormOp, sub.lhs, [mean, *ops, sub, *root.ops]) if ops else None
    if squares is not None and squares.of is c:
        return nn.RmsNormOp, c, [*squares.ops, *root.ops]
    return None


@dataclass(frozen=True)
class MeanSquare:
    """mean(of * of), and the ops that compute it."""

    of: SSAValue
    mean: nn.ReduceOp
    ops: tuple[Operation, ...]


def _mean(value: SSAValue) -> nn.ReduceOp | None:
    op = value.owner
    return op if isinstance(op, nn.ReduceOp) and op.kind.data == "mean" else None


def _mean_square(value: SSAValue) -> MeanSquare | None:
    mean = _mean(value)
    square = mean.x.owner if mean is not None else None
    if mean is None or not isinstance(square, nn.MulOp) or square.lhs is not square.rhs:
        return None
    return MeanSquare(square.lhs, mean, (square, mean))


def _fast_variance(value: SSAValue, mean: nn.ReduceOp) -> list[Operation] | None:
    """The ops of mean(x * x) - mean * mean, which may be cut off below 0, for the `mean` of x."""
    ops: list[Operation] = []
    if isinstance(value.owner, nn.ReluOp):
        ops, value = [value.owner], value.owner.x
    sub = value.owner
    squares = _mean_square(sub.lhs) if isinstance(sub, nn.SubOp) else None
    square = sub.rhs.owner if isinstance(sub, nn.SubOp) else None
    if squares is None or not isinstance(square, nn.MulOp) or not square.lhs is square.rhs is mean.result:
        return None
    if squares.of is not mean.x or squares.mean.axes != mean.axes:
        return None
    return [*squares.ops, square, sub, *ops]  # type: ignore[list-item]


def _root(value: SSAValue) -> Root | None:
    root = value.owner
    if not isinstance(root, nn.RsqrtOp) or not isinstance(root.x.owner, nn.AddOp):
        return None
    add = root.x.owner
    for variance, number in ((add.lhs, add.rhs), (add.rhs, add.lhs)):
        epsilon = constant(number)
        if epsilon is not None and epsilon >= 0 and variance.type == value.type:
            return Root(variance, epsilon, (add, root))
    return None


def _replace(
    op: nn.BinaryOp, draft: Draft, kind: type[nn.NormOp], x: SSAValue, root: Root, ops: list[Operation]
) -> Replacement:
    axis = _axis(ops)
    if axis is None or x.type != op.result.type or not can_replace(op, ops):
        return None
    made = kind.make(x, axis=axis, epsilon=root.epsilon)
    if not should_replace(draft, [*ops, op], made, axis):
        made.drop_all_references()
        return None
    draft.put(op, made)
    made.location = location_of([*ops, op])
    return [made.results[0]]


def _axis(ops: list[Operation]) -> int | None:
    """From where on the means are taken; None unless that is up to the last axis."""
    means = [op for op in ops if isinstance(op, nn.ReduceOp)]
    axes, rank = nn.ints(means[0].axes), len(nn.shape_of(means[0].x))
    return axes[0] if axes and axes == tuple(range(axes[0], rank)) else None


def can_replace(root: Operation, ops: list[Operation]) -> bool:
    """Whether one op may stand for `ops` and `root`: nothing else uses what is in between."""
    return only_for(root, ops)


def should_replace(draft: Draft, before: list[Operation], made: Operation, axis: int) -> bool:
    """Whether one kernel takes less time, and keeps a row in the memory on the chip: it is read twice, moved once."""
    row = prod(nn.shape_of(made.operands[0])[axis:])
    fits = draft.target.holds(row * 4)  # rows are kept in singles, whatever the tensor holds
    return fits and draft.target.pays(before, [made])


def scaled_root(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %g = rsqrt(%v + e) * %scale;  %y = %c * %g
    after:  %t = %c * rsqrt(%v + e);  %y = %t * %scale

    Only where the first product is a norm then, so that nothing is worked out twice.
    """
    for c, g in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
        inner = g.owner
        if not isinstance(inner, nn.MulOp) or not g.has_one_use() or nn.shape_of(c) != nn.shape_of(op.result):
            continue
        for r, scale in ((inner.lhs, inner.rhs), (inner.rhs, inner.lhs)):
            root = _root(r)
            if root is not None and _what_is_normalised(c, root) is not None:
                return [draft.emit(op, nn.MulOp, draft.emit(op, nn.MulOp, c, r, at=[op, inner]), scale)]
    return None


def with_scale(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %n = "nn.layer_norm"(%x);  %y = %n * %scale          or rms_norm
    after:  %y = "nn.layer_norm"(%x, %scale)

    (L1) The norm has no scale yet, and nothing else uses it. (L2) The scale has the shape of the axes that are
    normalised, but for axes of size 1 before them.
    """
    for kind in (nn.LayerNormOp, nn.RmsNormOp):
        found = either(op, kind)
        if found is not None and len(found[0].operands) == 1:
            return _with(op, draft, found[0], found[1])
    return None


def with_bias(op: nn.BinaryOp, draft: Draft) -> Replacement:
    """
    before: %n = "nn.layer_norm"(%x, %scale);  %y = %n + %bias
    after:  %y = "nn.layer_norm"(%x, %scale, %bias)

    (L1) and (L2) as for the scale.
    """
    found = either(op, nn.LayerNormOp)
    return _with(op, draft, found[0], found[1]) if found is not None and len(found[0].operands) == 2 else None


def _with(op: nn.BinaryOp, draft: Draft, norm: Operation, extra: SSAValue) -> Replacement:
    assert isinstance(norm, nn.LayerNormOp | nn.RmsNormOp)
    axis = nn.integer(norm.axis)
    wanted, given = nn.shape_of(norm.x)[axis:], nn.shape_of(extra)
    added = len(given) - len(wanted)
    fits = added >= 0 and given[added:] == wanted and all(size == 1 for size in given[:added])
    if not fits or not norm.result.has_one_use() or norm.result.type != op.result.type:
        return None
    if added:
        extra = draft.emit(op, nn.ReshapeOp, extra, type=nn.with_shape(extra, wanted))
    operands = [*norm.operands, extra]
    return [draft.emit(op, type(norm), *operands, axis=axis, epsilon=nn.number(norm.epsilon), at=[norm, op])]


PATTERNS: Patterns = {
    nn.MulOp: [("norm", normalised), ("norm-scaled-root", scaled_root), ("norm-scale", with_scale)],
    nn.AddOp: [("norm-bias", with_bias)],
}


@dataclass(frozen=True)
class RecogniseNormsPass(NnPass):
    """
    Finds layer and RMS norms in reductions and arithmetic and puts one op in their place; run `canonicalise` first.

    Promise: `main` computes the same but for rounding. What differs in the axes of a mean, in where epsilon stands, or
    in that anything else uses a part, stays as it is. The op has the locations of all that it stands for.
    """

    name: ClassVar[str] = "recognise-norms"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
