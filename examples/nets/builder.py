"""A builder of tensor graphs that infers shapes: networks are written down as their papers draw them.

Shapes are (channels, *space) for images and clips and (tokens, width) for sequences, batch 1, one byte per element.
A batch normalisation next to a convolution and every activation are folded into it; a convolution and its
folded normalisation share one weight tensor. What is counted in `trained` is what the paper's authors train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

Extent = int | Sequence[int]
"""One number for all axes of space, or one for each."""


@dataclass(frozen=True)
class Value:
    """A tensor of the graph."""

    name: str
    shape: tuple[int, ...]


class Net:
    """A tensor graph under construction; operators run, by default, in the order in which they are added."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.macs = 0
        """multiplications with weights or between activations"""
        self.trained = 0
        """parameters before normalisations are folded: weights, biases, scales and shifts"""
        self._ops: list[dict[str, Any]] = []
        self._bytes: dict[str, int] = {}
        self._parameters: list[str] = []
        self._outputs: list[str] = []

    def input(self, name: str, *shape: int) -> Value:
        """A tensor that comes from outside."""
        return self._tensor(name, shape)

    def output(self, x: Value) -> None:
        """Mark a result of the graph."""
        self._outputs.append(x.name)

    def op(self, kind: str, inputs: Sequence[Value], shape: Sequence[int], weights: int = 0, name: str = "") -> Value:
        """An operator of any kind with one result, and `weights` elements of parameters as its last operand."""
        name = name or f"{kind.lower()}_{len(self._ops)}"
        operands = [x.name for x in inputs]
        if weights:
            operands.append(self._tensor(f"{name}.w", (weights,)).name)
            self._parameters.append(operands[-1])
        self._ops.append({"name": name, "type": kind, "inputs": operands, "outputs": [name]})
        return self._tensor(name, tuple(shape))

    def conv(
        self,
        x: Value,
        channels: int,
        kernel: Extent = 1,
        stride: Extent = 1,
        pad: Extent | None = None,
        *,
        dilation: int = 1,
        groups: int = 1,
        bias: bool = False,
        before: bool = False,
        normalised: bool = True,
        name: str = "",
    ) -> Value:
        """A convolution, with a normalisation of its result (`normalised`) or of its operand (`before`) folded in.

        `pad` on either side is half the kernel unless given; "same" padding with a stride gives the same sizes as that.
        """
        space = _window(x.shape[1:], kernel, stride, pad, dilation)
        taps = prod(_each(kernel, len(x.shape) - 1)) * (x.shape[0] // groups) * channels
        self.macs += taps * prod(space)
        self.trained += taps + channels * (bias + 2 * normalised) + 2 * x.shape[0] * before
        folded = taps + channels * (bias or normalised) + 2 * x.shape[0] * before
        kind = "DepthwiseConv" if groups == x.shape[0] > 1 else "Conv"
        return self.op(kind, [x], (channels, *space), folded, name)

    def pool(
        self, x: Value, kernel: Extent, stride: Extent = 1, pad: Extent | None = None, kind: str = "MaxPool"
    ) -> Value:
        """A pooling."""
        return self.op(kind, [x], (x.shape[0], *_window(x.shape[1:], kernel, stride, pad, 1)))

    def mean(self, x: Value, *, before: bool = False) -> Value:
        """The mean over space, of a normalised operand if `before`."""
        self.trained += 2 * x.shape[0] * before
        return self.op("GlobalAveragePool", [x], (x.shape[0], *(1 for _ in x.shape[1:])), 2 * x.shape[0] * before)

    def add(self, *xs: Value, name: str = "") -> Value:
        """A sum of tensors of one shape."""
        if len({x.shape for x in xs}) != 1:
            raise ValueError(f"cannot add {xs}")
        return self.op("Add", xs, xs[0].shape, name=name)

    def concat(self, *xs: Value, name: str = "") -> Value:
        """Channels, or tokens, put together."""
        if len({x.shape[1:] for x in xs}) != 1:
            raise ValueError(f"cannot put together {xs}")
        return self.op("Concat", xs, (sum(x.shape[0] for x in xs), *xs[0].shape[1:]), name=name)

    def dense(self, x: Value, width: int, name: str = "") -> Value:
        """A fully connected layer: over the last axis of a sequence, over all of an image."""
        rows, depth = (x.shape[0], x.shape[1]) if len(x.shape) == 2 else (1, prod(x.shape))
        weights = depth * width + width
        self.trained += weights
        self.macs += rows * depth * width
        return self.op("Dense", [x], (rows, width), weights, name)

    def layer_norm(self, x: Value, name: str = "") -> Value:
        """A layer normalisation over the width."""
        self.trained += 2 * x.shape[-1]
        return self.op("LayerNorm", [x], x.shape, 2 * x.shape[-1], name)

    def attention(self, queries: Value, keys: Value, heads: int, name: str) -> Value:
        """Multi-head attention, its heads side by side: three projections, scores, softmax, mixture, one projection."""
        width, rows, columns = queries.shape[1], queries.shape[0], keys.shape[0]
        q = self.dense(queries, width, f"{name}.q")
        k = self.dense(keys, width, f"{name}.k")
        v = self.dense(keys, width, f"{name}.v")
        scores = self.op("MatMul", [q, k], (heads, rows, columns), name=f"{name}.scores")
        chances = self.op("Softmax", [scores], scores.shape, name=f"{name}.softmax")
        mixed = self.op("MatMul", [chances, v], (rows, width), name=f"{name}.mixture")
        self.macs += 2 * rows * columns * width
        return self.dense(mixed, width, f"{name}.projection")

    @property
    def operators(self) -> int:
        """How many operators there are."""
        return len(self._ops)

    def graph(self) -> dict[str, Any]:
        """The tensor-graph document; `parameters` names the tensors that are weights."""
        return {
            "name": self.name,
            "ops": self._ops,
            "tensor_bytes_int8": self._bytes,
            "graph_outputs": self._outputs,
            "parameters": self._parameters,
        }

    def _tensor(self, name: str, shape: Sequence[int]) -> Value:
        if name in self._bytes:
            raise ValueError(f"two tensors are called {name}")
        self._bytes[name] = prod(shape)
        return Value(name, tuple(shape))


def _each(extent: Extent, axes: int) -> tuple[int, ...]:
    return (extent,) * axes if isinstance(extent, int) else tuple(extent)


def _window(space: Sequence[int], kernel: Extent, stride: Extent, pad: Extent | None, dilation: int) -> tuple[int, ...]:
    """Positions of a window along each axis."""
    kernels, strides = _each(kernel, len(space)), _each(stride, len(space))
    pads = [dilation * (k - 1) / 2 for k in kernels] if pad is None else _each(pad, len(space))
    return tuple(
        int(n + 2 * p - dilation * (k - 1) - 1) // s + 1
        for n, k, s, p in zip(space, kernels, strides, pads, strict=True)
    )
