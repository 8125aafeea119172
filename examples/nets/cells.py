"""What cells found by architecture search have in common; ReLU comes first in each and is folded."""

from __future__ import annotations

from .builder import Net, Value


def separable(net: Net, x: Value, channels: int, kernel: int, stride: int = 1, dilation: int = 1) -> Value:
    """A depthwise and a pointwise convolution, normalised after the second."""
    x = net.conv(x, x.shape[0], kernel, stride, dilation=dilation, groups=x.shape[0], normalised=False)
    return net.conv(x, channels)


def separable_twice(net: Net, x: Value, channels: int, kernel: int, stride: int = 1, first: int = 0) -> Value:
    """Two separable convolutions, the stride in the first, of width `first` (else that of the operand)."""
    return separable(net, separable(net, x, first or x.shape[0], kernel, stride), channels, kernel)


def halved(net: Net, x: Value, channels: int) -> Value:
    """Half the resolution: every other pixel, and every other pixel one further, each projected, put together."""
    left = net.conv(x, channels // 2, 1, 2, 0, normalised=False)
    right = net.conv(x, channels - channels // 2, 1, 2, 0, normalised=False)
    net.trained += 2 * channels
    return net.concat(left, right)


def matched(net: Net, x: Value, like: Value, channels: int) -> Value:
    """`x` at the resolution of `like`, which is the same or half, with `channels` channels."""
    return net.conv(x, channels) if x.shape[1:] == like.shape[1:] else halved(net, x, channels)
