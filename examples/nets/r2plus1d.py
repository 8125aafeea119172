"""R(2+1)D-18, a clip of 16 frames, 3x16x112x112.

"A Closer Look at Spatiotemporal Convolutions for Action Recognition" (arXiv 1711.11248): Table 1 for 18 layers, section
3.5 for the width between the convolution in space and that in time, section 4.1 for the clip; 400 classes (Kinetics).
"""

from __future__ import annotations

from .builder import Net, Value


def factored(net: Net, x: Value, channels: int, middle: int, stride: int) -> Value:
    """A convolution in space, then one in time."""
    x = net.conv(x, middle, (1, 3, 3), (1, stride, stride))
    return net.conv(x, channels, (3, 1, 1), (stride, 1, 1))


def block(net: Net, x: Value, channels: int, stride: int) -> Value:
    """Two factored convolutions and the shortcut; both have the middle width of the first."""
    middle = x.shape[0] * channels * 27 // (x.shape[0] * 9 + 3 * channels)
    y = factored(net, x, channels, middle, stride)
    y = factored(net, y, channels, middle, 1)
    if x.shape != y.shape:
        x = net.conv(x, channels, 1, stride, 0)
    return net.add(y, x)


def r2plus1d18() -> Net:
    """R(2+1)D-18."""
    net = Net("r2plus1d18")
    x = net.conv(net.input("clip", 3, 16, 112, 112), 45, (1, 7, 7), (1, 2, 2))
    x = net.conv(x, 64, (3, 1, 1))
    for stage in range(4):
        for number in range(2):
            x = block(net, x, 64 << stage, 2 if stage and not number else 1)
    net.output(net.dense(net.mean(x), 400))
    return net
