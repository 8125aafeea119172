"""`decompose-activations`: GELU, SiLU and their like as the arithmetic that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import ClassVar

from xdsl.ir import SSAValue

from ...ir import nn
from .draft import Draft, Patterns, Replacement, sweep
from .nn_pass import NnPass
from .recognise_activations import GELU_CUBE


def _with(op: nn.UnaryOp, draft: Draft, kind: type[nn.BinaryOp], x: SSAValue, number: float) -> SSAValue:
    return draft.emit(op, kind, x, draft.scalar(op, number, op.x))


def gelu(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.gelu"(%x)
    after:  %y = x * 0.5 * (1 + erf(x * sqrt(0.5)))
    """
    curve = draft.emit(op, nn.ErfOp, _with(op, draft, nn.MulOp, op.x, sqrt(0.5)))
    half = _with(op, draft, nn.MulOp, op.x, 0.5)
    return [draft.emit(op, nn.MulOp, half, _with(op, draft, nn.AddOp, curve, 1.0))]


def gelu_tanh(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.gelu_tanh"(%x)
    after:  %y = x * 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x * x * x)))
    """
    cube = draft.emit(op, nn.MulOp, draft.emit(op, nn.MulOp, op.x, op.x), op.x)
    inner = draft.emit(op, nn.AddOp, op.x, _with(op, draft, nn.MulOp, cube, GELU_CUBE))
    curve = draft.emit(op, nn.TanhOp, _with(op, draft, nn.MulOp, inner, sqrt(2 / pi)))
    half = _with(op, draft, nn.MulOp, op.x, 0.5)
    return [draft.emit(op, nn.MulOp, half, _with(op, draft, nn.AddOp, curve, 1.0))]


def silu(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.silu"(%x)
    after:  %y = x * sigmoid(x)
    """
    return [draft.emit(op, nn.MulOp, op.x, draft.emit(op, nn.SigmoidOp, op.x))]


def mish(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.mish"(%x)
    after:  %y = x * tanh(softplus(x))
    """
    return [draft.emit(op, nn.MulOp, op.x, draft.emit(op, nn.TanhOp, draft.emit(op, nn.SoftplusOp, op.x)))]


def softplus(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.softplus"(%x)
    after:  %y = max(x, 0) + log1p(exp(-|x|)), which cannot overflow
    """
    small = draft.emit(op, nn.ExpOp, draft.emit(op, nn.NegOp, draft.emit(op, nn.AbsOp, op.x)))
    return [draft.emit(op, nn.AddOp, draft.emit(op, nn.ReluOp, op.x), draft.emit(op, nn.Log1pOp, small))]


def hard_sigmoid(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.hard_sigmoid"(%x)
    after:  %y = min(max(x / 6 + 0.5, 0), 1)
    """
    line = _with(op, draft, nn.AddOp, _with(op, draft, nn.MulOp, op.x, 1 / 6), 0.5)
    return [_with(op, draft, nn.MinOp, draft.emit(op, nn.ReluOp, line), 1.0)]


def hard_swish(op: nn.UnaryOp, draft: Draft) -> Replacement:
    """
    before: %y = "nn.hard_swish"(%x)
    after:  %y = x * hard_sigmoid(x)
    """
    return [draft.emit(op, nn.MulOp, op.x, draft.emit(op, nn.HardSigmoidOp, op.x))]


PATTERNS: Patterns = {
    nn.GeluOp: [("gelu-apart", gelu)],
    nn.GeluTanhOp: [("gelu-tanh-apart", gelu_tanh)],
    nn.SiluOp: [("silu-apart", silu)],
    nn.MishOp: [("mish-apart", mish)],
    nn.SoftplusOp: [("softplus-apart", softplus)],
    nn.HardSigmoidOp: [("hard-sigmoid-apart", hard_sigmoid)],
    nn.HardSwishOp: [("hard-swish-apart", hard_swish)],
}


@dataclass(frozen=True)
class DecomposeActivationsPass(NnPass):
    """
    Turns every activation function that is made of others into these.

    Promise: `main` computes the same but for rounding, with the flops that the cost rules count for the whole; the
    new ops have its location. For targets whose kernels know plain functions alone: it never pays by itself.
    """

    name: ClassVar[str] = "decompose-activations"

    def rewrite(self, draft: Draft) -> None:
        sweep(draft, PATTERNS)
