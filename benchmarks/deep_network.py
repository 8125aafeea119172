"""Encoders of any depth, spelled out in products, means and scalar functions, narrow so that ops alone cost."""

from __future__ import annotations

from typing import Any

import numpy as np
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue

from dovetail.ir import nn

WIDTH, SEQUENCE, HEADS = 8, 4, 2


class Builder:
    """A network while it is written."""

    def __init__(self) -> None:
        self.block = Block(arg_types=[TensorType(f32, [1, SEQUENCE, WIDTH])])
        self.weights: dict[str, np.ndarray] = {}
        self.rng = np.random.default_rng(0)
        self.ops = 0

    def add(self, op: type[nn.TensorOp], /, *operands: SSAValue, **given: Any) -> SSAValue:
        """The result of one more op."""
        made = op.make(*operands, **given)
        self.block.add_op(made)
        self.ops += 1
        return made.results[0]

    def weight(self, *shape: int) -> SSAValue:
        """One more weight."""
        name = f"w{len(self.weights)}"
        self.weights[name] = self.rng.normal(size=shape).astype(np.float32)
        return self.add(nn.WeightOp, type=TensorType(f32, list(shape)), weight=name)

    def number(self, value: float) -> SSAValue:
        """A constant of its own for each use, as front ends write them."""
        return self.add(nn.FillOp, type=TensorType(f32, []), value=value)

    def reshape(self, x: SSAValue, *shape: int) -> SSAValue:
        """x under another shape."""
        return self.add(nn.ReshapeOp, x, type=TensorType(f32, list(shape)))

    def dense(self, x: SSAValue, rows: int, columns: int) -> SSAValue:
        """x w + b."""
        return self.add(nn.AddOp, self.add(nn.MatmulOp, x, self.weight(rows, columns)), self.weight(columns))

    def norm(self, x: SSAValue) -> SSAValue:
        """Layer norm by means."""

        def mean(y: SSAValue) -> SSAValue:
            return self.reshape(self.add(nn.ReduceOp, y, kind="mean", axes=(2,)), 1, SEQUENCE, 1)

        centred = self.add(nn.SubOp, x, mean(x))
        variance = mean(self.add(nn.MulOp, centred, centred))
        root = self.add(nn.SqrtOp, self.add(nn.AddOp, variance, self.number(1e-5)))
        scaled = self.add(nn.MulOp, self.add(nn.DivOp, centred, root), self.weight(WIDTH))
        return self.add(nn.AddOp, scaled, self.weight(WIDTH))

    def heads(self, x: SSAValue, *order: int) -> SSAValue:
        """x projected, cut into heads and transposed."""
        cut = self.reshape(self.dense(x, WIDTH, WIDTH), 1, SEQUENCE, HEADS, WIDTH // HEADS)
        return self.add(nn.TransposeOp, cut, permutation=order)

    def layer(self, x: SSAValue) -> SSAValue:
        """Attention and GELU, each with its residual and norm."""
        scores = self.add(nn.MatmulOp, self.heads(x, 0, 2, 1, 3), self.heads(x, 0, 2, 3, 1))
        weights = self.add(nn.SoftmaxOp, self.add(nn.DivOp, scores, self.number(2.0)), axis=3)
        seen = self.add(nn.MatmulOp, weights, self.heads(x, 0, 2, 1, 3))
        seen = self.reshape(self.add(nn.TransposeOp, seen, permutation=(0, 2, 1, 3)), 1, SEQUENCE, WIDTH)
        x = self.norm(self.add(nn.AddOp, x, self.dense(seen, WIDTH, WIDTH)))
        up = self.dense(x, WIDTH, 4 * WIDTH)
        curve = self.add(nn.ErfOp, self.add(nn.MulOp, up, self.number(2**-0.5)))
        half = self.add(nn.MulOp, up, self.number(0.5))
        gated = self.add(nn.MulOp, half, self.add(nn.AddOp, curve, self.number(1.0)))
        return self.norm(self.add(nn.AddOp, x, self.dense(gated, 4 * WIDTH, WIDTH)))


def deep_network(ops: int) -> nn.NnModule:
    """The least number of layers that have `ops` ops, weights and constants counted."""
    builder = Builder()
    x = builder.block.args[0]
    while builder.ops < ops:
        x = builder.layer(x)
    return nn.NnModule(nn.build_main(builder.block, [x]), builder.weights, ("x",), ("y",))
