"""The network found by DARTS (second order) on CIFAR-10, carried to ImageNet: 3x224x224.

"DARTS: Differentiable Architecture Search" (arXiv 1806.09055): Figures 4 and 5 for the cells, section 3.3 and Table 3
for ImageNet (14 cells, 48 channels at first, 4.7 million parameters, 574 million multiply-adds; the definition gives
530).
"""

from __future__ import annotations

from .builder import Net, Value
from .cells import halved, matched, separable, separable_twice

NORMAL = (
    (0, "sep"), (1, "sep"),
    (0, "sep"), (1, "sep"),
    (1, "sep"), (0, "skip"),
    (0, "skip"), (2, "dil"),
)  # fmt: skip
REDUCTION = (
    (0, "max"), (1, "max"),
    (2, "skip"), (1, "max"),
    (0, "max"), (2, "skip"),
    (2, "skip"), (1, "max"),
)  # fmt: skip
"""Pairs of (state read, operation); the sum of a pair is the next state."""
CELLS, CHANNELS = 14, 48


def operation(net: Net, x: Value, kind: str, stride: int) -> Value:
    """One operation of a cell, 3x3."""
    if kind == "skip":
        return x if stride == 1 else halved(net, x, x.shape[0])
    if kind == "max":
        return net.pool(x, 3, stride)
    if kind == "dil":
        return separable(net, x, x.shape[0], 3, stride, dilation=2)
    return separable_twice(net, x, x.shape[0], 3, stride)


def cell(net: Net, x: Value, before: Value, channels: int, *, reduces: bool) -> Value:
    """A cell over the two results before it."""
    states = [matched(net, before, x, channels), net.conv(x, channels)]
    pairs = REDUCTION if reduces else NORMAL
    for (i, left), (j, right) in zip(pairs[::2], pairs[1::2], strict=True):
        a = operation(net, states[i], left, 2 if reduces and i < 2 else 1)
        b = operation(net, states[j], right, 2 if reduces and j < 2 else 1)
        states.append(net.add(a, b))
    return net.concat(*states[2:])


def darts() -> Net:
    """DARTS on ImageNet."""
    net = Net("darts")
    before = net.conv(net.conv(net.input("image", 3, 224, 224), CHANNELS // 2, 3, 2), CHANNELS, 3, 2)
    x = net.conv(before, CHANNELS, 3, 2)
    channels = CHANNELS
    for number in range(CELLS):
        reduces = number in (CELLS // 3, 2 * CELLS // 3)
        channels *= 2 if reduces else 1
        x, before = cell(net, x, before, channels, reduces=reduces), x
    net.output(net.dense(net.mean(x), 1000))
    return net
