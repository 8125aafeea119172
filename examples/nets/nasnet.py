"""NASNet-A (6 @ 4032), 3x331x331, and the mobile NASNet-A (4 @ 1056), 3x224x224.

"Learning Transferable Architectures for Scalable Image Recognition" (arXiv 1707.07012): Figure 4 for the two cells,
Figure 2 right and appendix A.4 for the network, Table 2 and Table 3 for the sizes. Two cells of reduction stand in
the stem; the cell after a reduction reads, beside it, what the reduction's predecessor but one made, halved.
"""

from __future__ import annotations

from .builder import Net, Value
from .cells import matched, separable_twice


def _pool(net: Net, x: Value, kind: str, stride: int = 1) -> Value:
    return net.pool(x, 3, stride, kind=kind)


def normal_cell(net: Net, x: Value, before: Value, channels: int) -> Value:
    """Figure 4, left: `x` is h_i, `before` is h_i-1."""
    p = matched(net, before, x, channels)
    h = net.conv(x, channels)
    parts = [
        net.add(separable_twice(net, h, channels, 5), separable_twice(net, p, channels, 3)),
        net.add(separable_twice(net, p, channels, 5), separable_twice(net, p, channels, 3)),
        net.add(_pool(net, h, "AveragePool"), p),
        net.add(_pool(net, p, "AveragePool"), _pool(net, p, "AveragePool")),
        net.add(separable_twice(net, h, channels, 3), h),
    ]
    return net.concat(p, *parts)


def reduction_cell(net: Net, x: Value, before: Value, channels: int) -> Value:
    """Figure 4, right."""
    # In the first cell of the stem there is nothing before, and the image's features are read as they are.
    first = before is x
    p = before if first else matched(net, before, x, channels)
    h = net.conv(x, channels)
    width = channels if first else 0
    a = net.add(separable_twice(net, h, channels, 5, 2), separable_twice(net, p, channels, 7, 2, width))
    b = net.add(_pool(net, h, "MaxPool", 2), separable_twice(net, p, channels, 7, 2, width))
    c = net.add(_pool(net, h, "AveragePool", 2), separable_twice(net, p, channels, 5, 2, width))
    d = net.add(_pool(net, a, "AveragePool"), b)
    e = net.add(separable_twice(net, a, channels, 3), _pool(net, h, "MaxPool", 2))
    return net.concat(b, c, d, e)


def nasnet(name: str, repeats: int, features: int, stem: int, size: int) -> Net:
    """NASNet-A with `repeats` normal cells in each of three stages and `features` before the classifier."""
    net = Net(name)
    channels = features // 24
    first = net.conv(net.input("image", 3, size, size), stem, 3, 2, 0)
    before = reduction_cell(net, first, first, channels // 4)
    x = reduction_cell(net, before, first, channels // 2)
    for stage in range(3):
        older = before
        if stage:
            x, older = reduction_cell(net, x, before, channels << stage), before
        before = older
        for _ in range(repeats):
            x, before = normal_cell(net, x, before, channels << stage), x
    net.output(net.dense(net.mean(x), 1000))
    return net


def nasnet_a() -> Net:
    """The large one."""
    return nasnet("nasnet_a", 6, 4032, 96, 331)


def nasnet_mobile() -> Net:
    """The mobile one."""
    return nasnet("nasnet_mobile", 4, 1056, 32, 224)
