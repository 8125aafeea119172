"""S3D, a clip of 64 frames, 3x64x224x224.

"Rethinking Spatiotemporal Feature Learning" (arXiv 1712.04851): section 4 for separable convolutions in the shape of
Inception-v1, section 3 for clips of 64 frames of 224x224; widths of the blocks from "Going Deeper with Convolutions"
(arXiv 1409.4842), Table 1; 400 classes (Kinetics).
"""

from __future__ import annotations

from .builder import Net, Value

BLOCKS = {
    3: ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64)),
    4: (
        (192, 96, 208, 16, 48, 64),
        (160, 112, 224, 24, 64, 64),
        (128, 128, 256, 24, 64, 64),
        (112, 144, 288, 32, 64, 64),
        (256, 160, 320, 32, 128, 128),
    ),
    5: ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128)),
}
"""For each stage and block: 1x1; 1x1 then 3x3; 1x1 then 3x3; 1x1 after the pooling."""


def separable(net: Net, x: Value, channels: int, kernel: int, stride: int = 1) -> Value:
    """A convolution in space, then one in time."""
    x = net.conv(x, channels, (1, kernel, kernel), (1, stride, stride))
    return net.conv(x, channels, (kernel, 1, 1), (stride, 1, 1))


def inception(net: Net, x: Value, widths: tuple[int, ...]) -> Value:
    """Four branches put together."""
    plain = net.conv(x, widths[0])
    middle = separable(net, net.conv(x, widths[1]), widths[2], 3)
    right = separable(net, net.conv(x, widths[3]), widths[4], 3)
    pooled = net.conv(net.pool(x, 3), widths[5])
    return net.concat(plain, middle, right, pooled)


def s3d() -> Net:
    """S3D."""
    net = Net("s3d")
    x = separable(net, net.input("clip", 3, 64, 224, 224), 64, 7, 2)
    x = net.conv(net.pool(x, (1, 3, 3), (1, 2, 2)), 64)
    x = net.pool(separable(net, x, 192, 3), (1, 3, 3), (1, 2, 2))
    for stage, blocks in BLOCKS.items():
        if stage == 4:
            x = net.pool(x, 3, 2)
        if stage == 5:
            x = net.pool(x, 2, 2, 0)
        for widths in blocks:
            x = inception(net, x, widths)
    x = net.pool(x, (2, 7, 7), 1, 0, "AveragePool")
    x = net.conv(x, 400, bias=True, normalised=False)
    net.output(net.mean(x))
    return net
