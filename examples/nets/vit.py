"""ViT-B/16, 3x224x224.

"An Image is Worth 16x16 Words" (arXiv 2010.11929): section 3.1 with equations 1-4, Table 1 row "ViT-Base" (12 layers,
width 768, inner width 3072, 12 heads), 1000 classes.
"""

from __future__ import annotations

from .builder import Net, Value

LAYERS, WIDTH, HEADS, INNER = 12, 768, 12, 3072


def _layer(net: Net, x: Value, name: str) -> Value:
    y = net.layer_norm(x, f"{name}.norm1")
    x = net.add(x, net.attention(y, y, HEADS, f"{name}.self"))
    y = net.layer_norm(x, f"{name}.norm2")
    y = net.dense(net.dense(y, INNER, f"{name}.inner"), WIDTH, f"{name}.outer")
    return net.add(x, y)


def vit_b16() -> Net:
    """ViT-B/16."""
    net = Net("vit_b16")
    patches = net.conv(net.input("image", 3, 224, 224), WIDTH, 16, 16, 0, bias=True, normalised=False)
    tokens = 1 + patches.shape[1] * patches.shape[2]
    # The class token, learnt, is put in front; then a learnt position is added.
    x = net.op("Concat", [patches], (tokens, WIDTH), WIDTH, "class_token")
    x = net.op("Add", [x], x.shape, tokens * WIDTH, "position")
    net.trained += WIDTH + tokens * WIDTH
    for layer in range(LAYERS):
        x = _layer(net, x, f"layer{layer}")
    x = net.op("Slice", [net.layer_norm(x, "norm")], (1, WIDTH), name="class")
    net.output(net.dense(x, 1000, "head"))
    return net
