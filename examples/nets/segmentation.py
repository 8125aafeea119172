"""FCN and DeepLabV3 on a dilated ResNet-50, 3x520x520, 21 classes, without the auxiliary head that only training uses.

FCN: "Fully Convolutional Networks for Semantic Segmentation" (arXiv 1411.4038), section 4, its head as torchvision has
it (3x3 to a quarter of the width, then the scores). DeepLabV3: "Rethinking Atrous Convolution for Semantic Image
Segmentation" (arXiv 1706.05587), section 3.3 and Figure 5, output stride 8, rates 12, 24 and 36. 520 is the size at
which torchvision evaluates both.
"""

from __future__ import annotations

from .builder import Net, Value
from .resnet import backbone

SIZE, CLASSES = 520, 21


def _scores(net: Net, x: Value) -> None:
    x = net.conv(x, CLASSES, bias=True, normalised=False)
    net.output(net.op("Resize", [x], (CLASSES, SIZE, SIZE)))


def fcn_resnet50() -> Net:
    """FCN-ResNet50."""
    net = Net("fcn_resnet50")
    x = backbone(net, net.input("image", 3, SIZE, SIZE), dilated=True)
    _scores(net, net.conv(x, x.shape[0] // 4, 3))
    return net


def deeplabv3_resnet50() -> Net:
    """DeepLabV3-ResNet50."""
    net = Net("deeplabv3_resnet50")
    x = backbone(net, net.input("image", 3, SIZE, SIZE), dilated=True)
    branches = [net.conv(x, 256)]
    branches += [net.conv(x, 256, 3, dilation=rate) for rate in (12, 24, 36)]
    whole = net.conv(net.mean(x), 256)
    branches.append(net.op("Resize", [whole], branches[0].shape))
    x = net.conv(net.concat(*branches), 256)
    _scores(net, net.conv(x, 256, 3))
    return net
