"""A mixture of experts in place of a feed-forward network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from ... import nn
from .feed_forward import ACTIVATIONS, gated
from .network import Network


@dataclass(frozen=True)
class Experts:
    """`count` gated networks of width `ffn`, of which a token takes some, and one of `shared_ffn` that all take."""

    count: int
    ffn: int
    routing: Mapping[str, int | float | str] = field(hash=False)
    """attributes of `nn.route`"""
    shared_ffn: int = 0
    correction: bool = False
    """picks are corrected by a bias of each expert (DeepSeek-V3)"""
    scope: str = "mlp"
    names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")


def experts(net: Network, model: Experts, activation: str, x: SSAValue) -> SSAValue:
    """The weighted sum of the experts that each row of x picks, and the shared network's result."""
    width = nn.shape_of(x)[1]
    logits = net.emit(nn.GemmOp, x, net.weight("gate.weight", model.count, width), transpose_b=1)
    bias = net.weight("gate.e_score_correction_bias", model.count) if model.correction else None
    weights, picked = net.emit_all(nn.RouteOp, logits, bias, **model.routing)
    rows, order, sizes = net.emit_all(nn.DispatchOp, x, picked, count=model.count)
    gate, up, down = model.names
    with net.inside("experts"):
        wide = [
            net.emit(nn.GroupedMatmulOp, rows, net.matrix(f"{name}.weight", model.count, model.ffn, width), sizes,
                     transpose_b=1)
            for name in (gate, up)
        ]  # fmt: skip
        inner = net.emit(nn.MulOp, net.emit(ACTIVATIONS[activation], wide[0]), wide[1])
        w = net.matrix(f"{down}.weight", model.count, width, model.ffn)
        y = net.emit(nn.GroupedMatmulOp, inner, w, sizes, transpose_b=1)
    y = net.emit(nn.CombineOp, y, weights, order)
    if not model.shared_ffn:
        return y
    with net.inside("shared_experts"):
        return net.emit(nn.AddOp, y, gated(net, x, model.shared_ffn, activation))
