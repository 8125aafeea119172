"""AmoebaNet-D (18, 208), 3x224x224.

"Regularized Evolution for Image Classifier Architecture Search" (arXiv 1802.01548), appendix, for the cells; "GPipe"
(arXiv 1811.06965), Table 1, for the size and its 82 million parameters, which are met with the result of a normal
cell put together from states 0, 3, 4 and 6, as in the published TensorFlow code, not from 4, 5 and 6.
"""

from __future__ import annotations

from .builder import Net, Value
from .cells import halved

NORMAL = (
    (1, "conv"), (1, "pool"),
    (1, "none"), (0, "1x7"),
    (0, "conv"), (0, "1x7"),
    (2, "pool"), (2, "none"),
    (1, "pool"), (5, "conv"),
)  # fmt: skip
REDUCTION = (
    (0, "pool2"), (0, "pool"),
    (2, "none"), (1, "3x3"),
    (2, "1x7"), (2, "pool"),
    (3, "none"), (1, "pool2"),
    (2, "pool"), (3, "conv"),
)  # fmt: skip
"""Pairs of (state read, operation); the sum of a pair is the next state."""


def operation(net: Net, x: Value, kind: str, stride: int) -> Value:
    """One operation of a cell; convolutions other than 1x1 are done at a quarter of the width."""
    channels = x.shape[0]
    if kind == "none":
        return x
    if kind == "conv":
        return net.conv(x, channels, 1, stride, 0)
    if kind == "pool":
        return net.pool(x, 3, stride, kind="AveragePool")
    if kind == "pool2":
        return net.pool(x, 2, stride, 0)
    y = net.conv(x, channels // 4)
    if kind == "3x3":
        y = net.conv(y, channels // 4, 3, stride)
    else:
        y = net.conv(y, channels // 4, (1, 7), (1, stride))
        y = net.conv(y, channels // 4, (7, 1), (stride, 1))
    return net.conv(y, channels)


def cell(net: Net, x: Value, before: Value, channels: int, *, reduces: bool) -> Value:
    """A cell over the two results before it."""
    y = net.conv(x, channels)
    if before.shape[1:] != x.shape[1:]:
        before = halved(net, before, channels)
    elif before.shape[0] != channels:
        before = net.conv(before, channels)
    states = [y, before]
    pairs = REDUCTION if reduces else NORMAL
    for (i, left), (j, right) in zip(pairs[::2], pairs[1::2], strict=True):
        a = operation(net, states[i], left, 2 if reduces and i < 2 else 1)
        b = operation(net, states[j], right, 2 if reduces and j < 2 else 1)
        states.append(net.add(a, b))
    return net.concat(*(states[i] for i in ((4, 5, 6) if reduces else (0, 3, 4, 6))))


def amoebanet_d(layers: int = 18, filters: int = 208) -> Net:
    """AmoebaNet-D with `layers` normal cells, 1000 classes."""
    net = Net("amoebanet_d")
    channels = filters // 4
    x = before = net.conv(net.input("image", 3, 224, 224), channels, 3, 2)
    plan = [True, True] + ([False] * (layers // 3) + [True]) * 2 + [False] * (layers // 3)
    for reduces in plan:
        channels *= 2 if reduces else 1
        x, before = cell(net, x, before, channels, reduces=reduces), x
    net.output(net.dense(net.mean(x), 1000))
    return net
