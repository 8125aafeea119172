"""PNASNet-5 (large), 3x331x331.

"Progressive Neural Architecture Search" (arXiv 1712.00559): Figure 1, left, for the cell, used for reduction too,
with stride 2; section 5.1 and appendix for the network with N = 4 and F = 216. Two cells of reduction stand in the
stem, as in NASNet.
"""

from __future__ import annotations

from .builder import Net, Value
from .cells import matched, separable_twice


def cell(net: Net, x: Value, before: Value, channels: int, stride: int = 1) -> Value:
    """Five pairs: of h_i-1 (the left) and of h_i (the right)."""
    first = before is x
    left = before if first else matched(net, before, x, channels)
    right = net.conv(x, channels)
    width = channels if first else 0
    pooled = net.pool(left, 3, stride)
    a = net.add(separable_twice(net, left, channels, 5, stride, width), net.conv(pooled, channels) if first else pooled)
    b = net.add(separable_twice(net, right, channels, 7, stride), net.pool(right, 3, stride))
    c = net.add(separable_twice(net, right, channels, 5, stride), separable_twice(net, right, channels, 3, stride))
    d = net.add(separable_twice(net, c, channels, 3), net.pool(right, 3, stride))
    narrow = separable_twice(net, left, channels, 3, stride, width)
    e = net.add(narrow, net.conv(right, channels, 1, stride, 0) if stride == 2 else right)
    return net.concat(a, b, c, d, e)


def pnasnet5() -> Net:
    """PNASNet-5."""
    net = Net("pnasnet5")
    first = net.conv(net.input("image", 3, 331, 331), 96, 3, 2, 0)
    before = cell(net, first, first, 54, 2)
    x, before = cell(net, before, first, 108, 2), before
    for stage in range(3):
        for number in range(4):
            stride = 2 if stage and number == 0 else 1
            x, before = cell(net, x, before, 216 << stage, stride), x
    net.output(net.dense(net.mean(x), 1000))
    return net
