"""ResNet-50 and ResNeXt-50 (32x4d), 3x224x224.

ResNet: "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), Table 1, column "50-layer"; the stride of a
stage is taken by the 3x3 convolution, as in what torchvision trains. ResNeXt: "Aggregated Residual Transformations for
Deep Neural Networks" (arXiv 1611.05431), Table 1, right.
"""

from __future__ import annotations

from .builder import Net, Value

BLOCKS = (3, 4, 6, 3)


def bottleneck(net: Net, x: Value, width: int, channels: int, stride: int, groups: int, dilation: int) -> Value:
    """1x1, 3x3, 1x1 and the sum with the shortcut, which is projected where shapes differ."""
    y = net.conv(x, width)
    y = net.conv(y, width, 3, stride, dilation=dilation, groups=groups)
    y = net.conv(y, channels)
    if x.shape != y.shape:
        x = net.conv(x, channels, 1, stride, 0)
    return net.add(y, x)


def backbone(net: Net, x: Value, *, groups: int = 1, group_width: int = 64, dilated: bool = False) -> Value:
    """All up to the last stage; `dilated` keeps the resolution of the second stage (output stride 8)."""
    x = net.pool(net.conv(x, 64, 7, 2), 3, 2)
    for stage, blocks in enumerate(BLOCKS):
        planes = 64 << stage
        shrinks = stage > 0 and not (dilated and stage >= 2)
        for block in range(blocks):
            # The first block of a dilated stage still looks at the grid of the stage before.
            grid = (stage - 1 if block else max(stage - 2, 0)) if dilated and stage >= 2 else 0
            stride = 2 if shrinks and block == 0 else 1
            x = bottleneck(net, x, planes * group_width // 64 * groups, 4 * planes, stride, groups, 2**grid)
    return x


def _classifier(name: str, groups: int, group_width: int) -> Net:
    net = Net(name)
    x = backbone(net, net.input("image", 3, 224, 224), groups=groups, group_width=group_width)
    net.output(net.dense(net.mean(x), 1000))
    return net


def resnet50() -> Net:
    """ResNet-50."""
    return _classifier("resnet50", 1, 64)


def resnext50() -> Net:
    """ResNeXt-50, 32 groups of width 4."""
    return _classifier("resnext50", 32, 4)
