"""DenseNet-121, 3x224x224.

"Densely Connected Convolutional Networks" (arXiv 1608.06993), Table 1, growth 32. A layer reads all that came before in
its block, put together anew (as torchvision runs it); the normalisation and ReLU in front of a convolution are folded
into its reading.
"""

from __future__ import annotations

from .builder import Net

BLOCKS, GROWTH = (6, 12, 24, 16), 32


def densenet121() -> Net:
    """DenseNet-121."""
    net = Net("densenet121")
    x = net.pool(net.conv(net.input("image", 3, 224, 224), 64, 7, 2), 3, 2)
    for number, layers in enumerate(BLOCKS):
        features = [x]
        for _ in range(layers):
            # The first layer has a single feature map in front of it, and nothing to put together.
            y = net.concat(*features) if len(features) > 1 else x
            y = net.conv(y, 4 * GROWTH, before=True)
            features.append(net.conv(y, GROWTH, 3, normalised=False))
        x = net.concat(*features)
        if number < len(BLOCKS) - 1:
            x = net.conv(x, x.shape[0] // 2, before=True, normalised=False)
            x = net.pool(x, 2, 2, 0, "AveragePool")
    net.output(net.dense(net.mean(x, before=True), 1000))
    return net
