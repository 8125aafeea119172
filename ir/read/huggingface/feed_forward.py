"""Feed-forward networks."""

from __future__ import annotations

from xdsl.ir import SSAValue

from ... import nn
from .network import Network

ACTIVATIONS: dict[str, type[nn.UnaryOp]] = {
    "silu": nn.SiluOp,
    "gelu": nn.GeluOp,
    "gelu_new": nn.GeluTanhOp,
    "gelu_pytorch_tanh": nn.GeluTanhOp,
    "relu": nn.ReluOp,
}
"""transformers' name of an activation -> the op"""


def gated(net: Network, x: SSAValue, width: int, activation: str, bias: bool = False) -> SSAValue:
    """down(act(gate x) * up x) (Shazeer 2020, arXiv:2002.05202)."""
    gate = net.emit(ACTIVATIONS[activation], net.linear(x, "gate_proj", width, bias))
    up = net.linear(x, "up_proj", width, bias)
    return net.linear(net.emit(nn.MulOp, gate, up), "down_proj", nn.shape_of(x)[1], bias)


def plain(net: Network, x: SSAValue, first: str, second: str, width: int, activation: str) -> SSAValue:
    """second(act(first x)), with biases (Vaswani et al. 2017, arXiv:1706.03762, section 3.3)."""
    inner = net.emit(ACTIVATIONS[activation], net.linear(x, first, width, bias=True))
    return net.linear(inner, second, nn.shape_of(x)[1], bias=True)
