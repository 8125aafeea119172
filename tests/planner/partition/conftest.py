"""Networks to share out: small random ones, and a stack of decoder layers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import TensorType, bf16, f32
from xdsl.ir import Attribute, Block, SSAValue

from dovetail.ir import nn


class Builder:
    """A network while it is written."""

    def __init__(self, *inputs: tuple[int, ...], of: Attribute = f32) -> None:
        self.of = of
        self.block = Block(arg_types=[TensorType(of, list(shape)) for shape in inputs])
        self.shapes: dict[str, tuple[int, ...]] = {}

    def add(self, kind: type[nn.TensorOp], *operands: SSAValue, **given: Any) -> SSAValue:
        op = kind.make(*operands, **given)
        self.block.add_op(op)
        return op.results[0]

    def weight(self, *shape: int, name: str = "") -> SSAValue:
        name = name or f"w{len(self.shapes)}"
        self.shapes[name] = shape
        return self.add(nn.WeightOp, type=TensorType(self.of, list(shape)), weight=name)

    def finish(self, *outputs: SSAValue, values: bool = True) -> nn.NnModule:
        rng = np.random.default_rng(5)
        weights = {n: rng.normal(size=s) / np.sqrt(s[0]) for n, s in self.shapes.items()} if values else {}
        inputs = tuple(f"x{i}" for i in range(len(self.block.args)))
        names = tuple(f"y{i}" for i in range(len(outputs)))
        return nn.NnModule(nn.build_main(self.block, outputs), weights, inputs, names)


def random_network(seed: int, size: int) -> nn.NnModule:
    """`size` ops on (4, 8): products with weights, sums, norms, transposes and reshapes, each on some earlier value."""
    rng = random.Random(seed)
    b = Builder((4, 8))
    values: list[SSAValue] = [b.block.args[0]]
    for _ in range(size):
        x = values[-1] if rng.random() < 0.7 else rng.choice(values)
        rows, columns = nn.shape_of(x)
        same = [v for v in values if nn.shape_of(v) == (rows, columns)]
        match rng.randrange(7):
            case 0 | 1:
                values.append(b.add(nn.MatmulOp, x, b.weight(columns, rng.choice((4, 8)))))
            case 2:
                values.append(b.add(rng.choice((nn.AddOp, nn.MulOp, nn.SubOp)), x, rng.choice(same)))
            case 3:
                values.append(b.add(rng.choice((nn.ReluOp, nn.TanhOp, nn.NegOp)), x))
            case 4:
                values.append(b.add(nn.SoftmaxOp, x, axis=rng.randrange(2)))
            case 5:
                values.append(b.add(nn.TransposeOp, x, permutation=(1, 0)))
            case _:
                values.append(b.add(nn.ReshapeOp, x, type=TensorType(f32, [columns, rows])))
    used = {o for op in b.block.ops for o in op.operands}
    return b.finish(*[v for v in values[1:] if v not in used])


def decoder(
    layers: int, width: int, heads: int, ffn: int, seq: int, of: Attribute = bf16, values: bool = False
) -> nn.NnModule:
    """Layers as Llama has them, spelt out in products, a softmax and norms; batch 1."""
    b = Builder((1, seq, width), of=of)
    x = b.block.args[0]
    for i in range(layers):

        def product(v: SSAValue, name: str, rows: int, columns: int, i: int = i) -> SSAValue:
            return b.add(nn.MatmulOp, v, b.weight(rows, columns, name=f"{i}.{name}"))

        def heads_of(v: SSAValue, name: str) -> SSAValue:
            type = TensorType(of, [1, seq, heads, width // heads])
            cut = b.add(nn.ReshapeOp, product(v, name, width, width), type=type)
            return b.add(nn.TransposeOp, cut, permutation=(0, 2, 1, 3))

        h = b.add(nn.RmsNormOp, x, b.weight(width, name=f"{i}.norm1"), axis=2, epsilon=1e-6)
        q, k, v = (heads_of(h, name) for name in "qkv")
        scores = b.add(nn.MatmulOp, q, b.add(nn.TransposeOp, k, permutation=(0, 1, 3, 2)))
        scale = b.add(nn.FillOp, type=TensorType(of, []), value=(width // heads) ** -0.5)
        seen = b.add(nn.MatmulOp, b.add(nn.SoftmaxOp, b.add(nn.MulOp, scores, scale), axis=3), v)
        seen = b.add(nn.TransposeOp, seen, permutation=(0, 2, 1, 3))
        joined = b.add(nn.ReshapeOp, seen, type=TensorType(of, [1, seq, width]))
        x = b.add(nn.AddOp, x, product(joined, "o", width, width))
        h = b.add(nn.RmsNormOp, x, b.weight(width, name=f"{i}.norm2"), axis=2, epsilon=1e-6)
        gated = b.add(nn.MulOp, b.add(nn.SiluOp, product(h, "gate", width, ffn)), product(h, "up", width, ffn))
        x = b.add(nn.AddOp, x, product(gated, "down", ffn, width))
    return b.finish(x, values=values)


@pytest.fixture
def make_random() -> Callable[[int, int], nn.NnModule]:
    return random_network


@pytest.fixture
def make_decoder() -> Callable[..., nn.NnModule]:
    return decoder
