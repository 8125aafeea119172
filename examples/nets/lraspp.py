"""L-RASPP on MobileNetV3-large, 3x520x520, 21 classes.

"Searching for MobileNetV3" (arXiv 1905.02244): Table 1 for the backbone, Figure 10 for the head. The last stage is
dilated instead of strided (output stride 16), and 520 is the size at which torchvision evaluates.
"""

from __future__ import annotations

from .builder import Net, Value

SIZE, CLASSES = 520, 21
BLOCKS = (
    (3, 16, 16, False, 1),
    (3, 64, 24, False, 2),
    (3, 72, 24, False, 1),
    (5, 72, 40, True, 2),
    (5, 120, 40, True, 1),
    (5, 120, 40, True, 1),
    (3, 240, 80, False, 2),
    (3, 200, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 184, 80, False, 1),
    (3, 480, 112, True, 1),
    (3, 672, 112, True, 1),
    (5, 672, 160, True, 1),
    (5, 960, 160, True, 1),
    (5, 960, 160, True, 1),
)
"""Kernel, expanded width, width, squeeze-and-excite, stride."""
LOW, DILATED = 3, 12
"""the block whose result the head reads at stride 8; the first dilated one, which the paper strides"""


def squeeze_and_excite(net: Net, x: Value) -> Value:
    """Channels weighed by what their means say (section 5.3: a quarter of the width, rounded to eights)."""
    quarter = x.shape[0] // 4
    width = max(8, (quarter + 4) // 8 * 8)
    width += 8 * (width < 0.9 * quarter)
    y = net.conv(net.mean(x), width, bias=True, normalised=False)
    y = net.conv(y, x.shape[0], bias=True, normalised=False)
    return net.op("Mul", [x, y], x.shape)


def block(net: Net, x: Value, row: tuple[int, int, int, bool, int], dilation: int) -> Value:
    """Expand, depthwise, excite, project; the sum with the operand where shapes agree."""
    kernel, expanded, channels, excited, stride = row
    y = net.conv(x, expanded) if expanded != x.shape[0] else x
    y = net.conv(y, expanded, kernel, stride, dilation=dilation, groups=expanded)
    if excited:
        y = squeeze_and_excite(net, y)
    y = net.conv(y, channels)
    return net.add(x, y) if x.shape == y.shape else y


def lraspp_mobilenetv3() -> Net:
    """L-RASPP with MobileNetV3-large."""
    net = Net("lraspp_mobilenetv3")
    x = low = net.conv(net.input("image", 3, SIZE, SIZE), 16, 3, 2)
    for number, row in enumerate(BLOCKS):
        x = block(net, x, row, 2 if number >= DILATED else 1)
        low = x if number == LOW else low
    x = net.conv(x, 960)
    y = net.conv(x, 128)
    gate = net.conv(net.mean(x), 128, normalised=False)
    y = net.op("Mul", [y, gate], y.shape)
    y = net.op("Resize", [y], (128, *low.shape[1:]))
    near = net.conv(low, CLASSES, bias=True, normalised=False)
    far = net.conv(y, CLASSES, bias=True, normalised=False)
    net.output(net.op("Resize", [net.add(near, far)], (CLASSES, SIZE, SIZE)))
    return net
