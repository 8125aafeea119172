"""The Transformer, base model, 128 tokens in and 128 out.

"Attention Is All You Need" (arXiv 1706.03762): Figure 1, Table 3 row "base" (6 + 6 layers, width 512, 8 heads, inner
width 2048), normalised after each sum, and after each stack as PyTorch's nn.Transformer does. The graph begins at the
embedded tokens and ends at the decoder's result: the embedding, which is also the last projection, is a look-up of
37,000 rows outside. The paper gives no length for one sentence; 128 is ours.
"""

from __future__ import annotations

from .builder import Net, Value

LAYERS, WIDTH, HEADS, INNER, TOKENS = 6, 512, 8, 2048, 128


def _attend(net: Net, x: Value, keys: Value, name: str) -> Value:
    return net.layer_norm(net.add(x, net.attention(x, keys, HEADS, name)), f"{name}.norm")


def _feed_forward(net: Net, x: Value, name: str) -> Value:
    y = net.dense(net.dense(x, INNER, f"{name}.inner"), WIDTH, f"{name}.outer")
    return net.layer_norm(net.add(x, y), f"{name}.norm")


def transformer() -> Net:
    """The base model."""
    net = Net("transformer")
    memory = net.input("source", TOKENS, WIDTH)
    y = net.input("target", TOKENS, WIDTH)
    for layer in range(LAYERS):
        memory = _attend(net, memory, memory, f"encoder{layer}.self")
        memory = _feed_forward(net, memory, f"encoder{layer}.feed")
    memory = net.layer_norm(memory, "memory")
    for layer in range(LAYERS):
        y = _attend(net, y, y, f"decoder{layer}.self")
        y = _attend(net, y, memory, f"decoder{layer}.cross")
        y = _feed_forward(net, y, f"decoder{layer}.feed")
    net.output(net.layer_norm(y, "result"))
    return net
