"""`decompose-norms`: layer, RMS and group norms and softmaxes as reductions and arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from xdsl.ir import Operation, SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass


def layer_norm(op: nn.LayerNormOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.layer_norm"(%x, %scale, %bias) {axis, epsilon = e}
    after:  %m = mean(x);  %c = x - %m;  %v = mean(%c * %c);  %y = %c * rsqrt(%v + e) * scale + bias
    """
    axes = range(nn.integer(op.axis), len(nn.shape_of(op.x)))
    y = _centred(op, op.x, tuple(axes), draft)
    for kind, parameter in ((nn.MulOp, op.scale), (nn.AddOp, op.bias)):
        y = draft.emit(op, kind, y, parameter) if parameter is not None else y
    return [y]


def rms_norm(op: nn.RmsNormOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.rms_norm"(%x, %scale) {axis, epsilon = e}
    after:  %v = mean(x * x);  %y = x * rsqrt(%v + e) * scale
    """
    axes = range(nn.integer(op.axis), len(nn.shape_of(op.x)))
    y = _over_root(op, op.x, op.x, tuple(axes), draft)
    return [y if op.scale is None else draft.emit(op, nn.MulOp, y, op.scale)]


def group_norm(op: nn.GroupNormOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.group_norm"(%x, %scale, %bias) {groups = g, epsilon = e}       x (n, c, ...)
    after:  %t = reshape(x) : (n, g, c / g, ...), normalised over the axes from 2 on
            %y = reshape(%t) * scale + bias, both as (c, 1, ...)
    """
    batch, channels, *places = nn.shape_of(op.x)
    groups = nn.integer(op.groups)
    shape = (batch, groups, channels // groups, *places)
    grouped = draft.emit(op, nn.ReshapeOp, op.x, type=nn.with_shape(op.x, shape))
    y = _centred(op, grouped, tuple(range(2, len(shape))), draft)
    y = draft.emit(op, nn.ReshapeOp, y, type=op.type)
    column = nn.with_shape(op.x, (channels, *[1] * len(places)))
    for kind, parameter in ((nn.MulOp, op.scale), (nn.AddOp, op.bias)):
        y = draft.emit(op, kind, y, draft.emit(op, nn.ReshapeOp, parameter, type=column))
    return [y]


def softmax(op: nn.SoftmaxOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.softmax"(%x) {axis = a}
    after:  %m = max(x);  %e = exp(x - %m);  %y = %e / sum(%e)
    """
    axes = (nn.integer(op.axis),)
    most = draft.emit(op, nn.ReduceOp, op.x, kind="max", axes=axes)
    powers = draft.emit(op, nn.ExpOp, draft.emit(op, nn.SubOp, op.x, most))
    return [draft.emit(op, nn.DivOp, powers, draft.emit(op, nn.ReduceOp, powers, kind="sum", axes=axes))]


def _centred(op: nn.NormOp, x: SSAValue, axes: nn.Shape, draft: Draft) -> SSAValue:
    """(x - mean) / sqrt(variance + epsilon) over `axes`."""
    centred = draft.emit(op, nn.SubOp, x, draft.emit(op, nn.ReduceOp, x, kind="mean", axes=axes))
    return _over_root(op, centred, centred, axes, draft)


def _over_root(op: nn.NormOp, y: SSAValue, x: SSAValue, axes: nn.Shape, draft: Draft) -> SSAValue:
    """y / sqrt(mean(x * x) + epsilon) over `axes`."""
    mean = draft.emit(op, nn.ReduceOp, draft.emit(op, nn.MulOp, x, x), kind="mean", axes=axes)
    moved = draft.emit(op, nn.AddOp, mean, draft.scalar(op, nn.number(op.epsilon), x))
    return draft.emit(op, nn.MulOp, y, draft.emit(op, nn.RsqrtOp, moved))


PATTERNS: Patterns = {
    nn.LayerNormOp: [("layer-norm-apart", layer_norm)],
    nn.RmsNormOp: [("rms-norm-apart", rms_norm)],
    nn.GroupNormOp: [("group-norm-apart", group_norm)],
    nn.SoftmaxOp: [("softmax-apart", softmax)],
}


@dataclass(frozen=True)
class DecomposeNormsPass(NnPass):
    """
    Turns every layer, RMS and group norm and every softmax into reductions and elementwise ops.

    Promise: `main` computes the same but for rounding; the new ops have the location of the norm. With `too_wide`,
    only those of which a row does not fit into the memory on the chip of the target, so that no one kernel could
    keep it: there it is the only way to run them.
    """

    name: ClassVar[str] = "decompose-norms"
    too_wide: bool = False

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, {kind: [(name, self._where_wanted(each)) for name, each in of] for kind, of in PATTERNS.items()})

    def _where_wanted(self, pattern):
        def matched(op: Operation, draft: Draft) -> Replacement:
            return None if self.too_wide and draft.target.holds(row_bytes(op)) else pattern(op, draft)

        return matched


def row_bytes(op: Operation) -> int:
    """[bytes] of what is normalised together, kept in singles."""
    shape = nn.shape_of(op.operands[0])
    match op:
        case nn.SoftmaxOp():
            sizes = (shape[nn.integer(op.axis)],)
        case nn.GroupNormOp():
            sizes = (shape[1] // nn.integer(op.groups), *shape[2:])
        case nn.LayerNormOp() | nn.RmsNormOp():
            sizes = shape[nn.integer(op.axis) :]
        case _:
            raise TypeError(f"{op.name} has no rows")
    total = 4
    for size in sizes:
        total = total * size
    return total
