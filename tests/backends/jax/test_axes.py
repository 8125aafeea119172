"""Names of axes in the comments of emitted code."""

from __future__ import annotations

import re

import numpy as np
from xdsl.dialects.builtin import f32
from xdsl.ir import Block

from dovetail.backends.jax.axes import AxisNames
from dovetail.backends.jax.emit import emit_jax
from dovetail.ir import nn
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.onnx import read_onnx


def test_an_image_keeps_its_names_through_a_network(small_onnx):
    text = emit_jax(read_onnx(small_onnx), "small").sources["small.py"]
    assert '"""Apply the network to image (n 1, c 3, h 16, w 16), bias (10,)."""' in text
    assert "concat_1 = jnp.concatenate([max_pool_1, x], axis=1)  # (n 1, 16, h 8, w 8)" in text
    assert "relu_1 = jax.nn.relu(x)  # (n 1, c 8, h 8, w 8)" in text


def test_heads_split_and_join_and_the_sequence_goes_on():
    block = Block(arg_types=[nn.tensor(f32, (2, 6, 12)), nn.tensor(f32, (2, 3, 7, 4)), nn.tensor(f32, (12, 12))])
    x, cache, w = block.args
    product = nn.MatmulOp.make(x, w)
    cut = nn.ReshapeOp.make(product.result, type=nn.tensor(f32, (2, 6, 3, 4)))
    heads = nn.TransposeOp.make(cut.result, permutation=(0, 2, 1, 3))
    seen = nn.AttentionOp.make(heads.result, cache, cache, scale=0.5)
    back = nn.TransposeOp.make(seen.results[0], permutation=(0, 2, 1, 3))
    joined = nn.ReshapeOp.make(back.result, type=nn.tensor(f32, (2, 6, 12)))
    end = nn.AddOp.make(joined.result, x)
    block.add_ops([product, cut, heads, seen, back, joined, end])
    nn.build_main(block, [end.result])
    names = AxisNames([op for op in block.ops if not op.name.startswith("func")])
    assert names.shown(x) == names.shown(end.result) == "(b 2, s 6, 12)"
    assert names.shown(product.result) == "(b 2, s 6, 12)"
    assert names.shown(heads.result) == "(b 2, h 3, s 6, d 4)"
    assert names.shown(cache) == "(b 2, h 3, t 7, d 4)"


def test_shapes_without_a_name_are_as_before():
    text = emit_jax(read_jax(lambda x: (x @ x.T).sum(), (np.ones((3, 4), np.float32),)), "plain").sources["plain.py"]
    assert set(re.findall(r"  # (.*)", text)) == {"(4, 3)", "(3, 3)", "(1, 1)", "()"}
