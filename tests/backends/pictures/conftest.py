"""Networks to draw."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import ModuleOp, TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from dovetail.ir import nn

WIDTH, TOKENS = 16, 8


def transformer(layers: int) -> ModuleOp:
    """An input, `layers` equal layers of attention and of a network with one inner layer, and a norm at the end."""
    block = Block(arg_types=[TensorType(f32, [1, TOKENS, WIDTH]), TensorType(f32, [1, 1, TOKENS, TOKENS])])
    x, mask = block.args

    def add(op: Operation) -> SSAValue:
        block.add_op(op)
        return op.results[0]

    def weight(name: str, *shape: int) -> SSAValue:
        return add(nn.WeightOp.make(type=TensorType(f32, list(shape)), weight=name))

    def heads(x: SSAValue, name: str) -> SSAValue:
        made = add(nn.MatmulOp.make(x, weight(name, WIDTH, WIDTH)))
        made = add(nn.ReshapeOp.make(made, type=TensorType(f32, [1, TOKENS, 2, WIDTH // 2])))
        return add(nn.TransposeOp.make(made, permutation=(0, 2, 1, 3)))

    x = add(nn.TanhOp.make(x))
    for k in range(layers):
        normed = add(nn.RmsNormOp.make(x, weight(f"n{k}", WIDTH), epsilon=1e-5, axis=2))
        q, key, v = (heads(normed, f"{name}{k}") for name in "qkv")
        y = add(nn.AttentionOp.make(q, key, v, mask, scale=0.3))
        y = add(nn.TransposeOp.make(y, permutation=(0, 2, 1, 3)))
        y = add(nn.ReshapeOp.make(y, type=TensorType(f32, [1, TOKENS, WIDTH])))
        x = add(nn.AddOp.make(x, y))
        y = add(nn.GeluOp.make(add(nn.MatmulOp.make(x, weight(f"up{k}", WIDTH, 4 * WIDTH)))))
        x = add(nn.AddOp.make(x, add(nn.MatmulOp.make(y, weight(f"down{k}", 4 * WIDTH, WIDTH)))))
    x = add(nn.RmsNormOp.make(x, weight("end", WIDTH), epsilon=1e-5, axis=2))
    return nn.build_main(block, [x])


@pytest.fixture
def network() -> Callable[[int], ModuleOp]:
    """`network(layers)` is a transformer of so many layers."""
    return transformer
