"""
BERT-base as exporters of opset 13 write it: open sizes, heads and norms and GELU spelled out, shapes computed by nodes.

    python benchmarks/bert_onnx.py bert.onnx                    # 438 MB, seeded random weights
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


@dataclass(frozen=True)
class Sizes:
    """Of a BERT; those of BERT-base unless given (arXiv:1810.04805, section 3)."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    vocabulary: int = 30522
    positions: int = 512


@dataclass
class Writer:
    """A graph while it is written."""

    sizes: Sizes
    rng: np.random.Generator
    nodes: list[Any] = field(default_factory=list)
    weights: list[Any] = field(default_factory=list)

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """The one output of a new node."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=f"/{name}", **attributes))
        return name

    def constant(self, value: Any, dtype: type = np.int64) -> str:
        """A constant, in a node of its own as exporters write them."""
        return self.node("Constant", value=numpy_helper.from_array(np.asarray(value, dtype=dtype)))

    def weight(self, name: str, *shape: int, mean: float = 0.0) -> str:
        """An initialiser of normal values with deviation 0.02, as BERT is initialised."""
        values = self.rng.standard_normal(shape, dtype=np.float32)
        values *= 0.02
        values += mean
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def dense(self, x: str, name: str, rows: int, columns: int) -> str:
        """x w + b."""
        product = self.node("MatMul", x, self.weight(f"{name}.weight", rows, columns))
        return self.node("Add", self.weight(f"{name}.bias", columns), product)

    def norm(self, x: str, name: str) -> str:
        """Layer norm in nine nodes."""
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        square = self.node("Pow", centred, self.constant(2.0, np.float32))
        variance = self.node("Add", self.node("ReduceMean", square, axes=[-1]), self.constant(1e-12, np.float32))
        normal = self.node("Div", centred, self.node("Sqrt", variance))
        scaled = self.node("Mul", normal, self.weight(f"{name}.weight", self.sizes.width, mean=1.0))
        return self.node("Add", scaled, self.weight(f"{name}.bias", self.sizes.width))

    def size(self, x: str, axis: int) -> str:
        """The size of one axis as a vector of one."""
        one = self.node("Gather", self.node("Shape", x), self.constant(axis), axis=0)
        return self.node("Unsqueeze", one, self.constant([0]))

    def reshape(self, x: str, *last: int) -> str:
        """x with its first two axes and others behind."""
        shape = self.node("Concat", self.size(x, 0), self.size(x, 1), *(self.constant([n]) for n in last), axis=0)
        return self.node("Reshape", x, shape)

    def heads(self, x: str, *order: int) -> str:
        """(batch, sequence, width) cut into heads and transposed."""
        cut = self.reshape(x, self.sizes.heads, self.sizes.width // self.sizes.heads)
        return self.node("Transpose", cut, perm=order)

    def attention(self, x: str, mask: str, name: str) -> str:
        """Self-attention with its output projection."""
        width = self.sizes.width
        q, k, v = (self.dense(x, f"{name}.{part}", width, width) for part in ("query", "key", "value"))
        scores = self.node("MatMul", self.heads(q, 0, 2, 1, 3), self.heads(k, 0, 2, 3, 1))
        scaled = self.node("Div", scores, self.constant((width // self.sizes.heads) ** 0.5, np.float32))
        weights = self.node("Softmax", self.node("Add", scaled, mask), axis=-1)
        seen = self.node("Transpose", self.node("MatMul", weights, self.heads(v, 0, 2, 1, 3)), perm=[0, 2, 1, 3])
        return self.dense(self.reshape(seen, width), f"{name}.output", width, width)

    def gelu(self, x: str) -> str:
        """GELU by erf in five nodes."""
        curve = self.node("Erf", self.node("Div", x, self.constant(2**0.5, np.float32)))
        gated = self.node("Mul", x, self.node("Add", curve, self.constant(1.0, np.float32)))
        return self.node("Mul", gated, self.constant(0.5, np.float32))

    def layer(self, x: str, mask: str, name: str) -> str:
        """An encoder layer."""
        width = self.sizes.width
        x = self.norm(self.node("Add", self.attention(x, mask, f"{name}.attention"), x), f"{name}.attention.norm")
        up = self.gelu(self.dense(x, f"{name}.up", width, 4 * width))
        return self.norm(self.node("Add", self.dense(up, f"{name}.down", 4 * width, width), x), f"{name}.norm")

    def embeddings(self) -> str:
        """Sums of words, kinds and positions, normalised."""
        s = self.sizes
        words = self.node("Gather", self.weight("words", s.vocabulary, s.width), "input_ids")
        kinds = self.node("Gather", self.weight("kinds", 2, s.width), "token_type_ids")
        self.weights.append(numpy_helper.from_array(np.arange(s.positions)[None], "position_ids"))
        places = self.node("Slice", "position_ids", self.constant([0]), self.size("input_ids", 1), self.constant([1]))
        positions = self.node("Gather", self.weight("positions", s.positions, s.width), places)
        return self.norm(self.node("Add", self.node("Add", words, kinds), positions), "embeddings.norm")

    def mask(self) -> str:
        """(batch, 1, 1, sequence): 0 where a token counts, a large negative number where it does not."""
        wide = self.node("Unsqueeze", self.node("Unsqueeze", "attention_mask", self.constant([1])), self.constant([2]))
        absent = self.node("Sub", self.constant(1.0, np.float32), self.node("Cast", wide, to=TensorProto.FLOAT))
        return self.node("Mul", absent, self.constant(-10000.0, np.float32))


def bert(sizes: Sizes = Sizes(), seed: int = 0) -> onnx.ModelProto:
    """Encoder and pooler as a model."""
    w = Writer(sizes, np.random.default_rng(seed))
    x, mask = w.embeddings(), w.mask()
    for i in range(sizes.layers):
        x = w.layer(x, mask, f"layer.{i}")
    first = w.node("Gather", x, w.constant(0), axis=1)
    matrix, bias = w.weight("pooler.weight", sizes.width, sizes.width), w.weight("pooler.bias", sizes.width)
    pooled = w.node("Tanh", w.node("Gemm", first, matrix, bias, transB=1))
    return _model(w, {x: ["batch", "sequence", sizes.width], pooled: ["batch", sizes.width]})


def _model(w: Writer, outputs: dict[str, Sequence[str | int]]) -> onnx.ModelProto:
    open_sizes = ["batch", "sequence"]
    names = ("input_ids", "attention_mask", "token_type_ids")
    given = [helper.make_tensor_value_info(name, TensorProto.INT64, open_sizes) for name in names]
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
    graph = helper.make_graph(w.nodes, "bert", given, made, w.weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


if __name__ == "__main__":
    onnx.save(bert(), Path(sys.argv[1]))
