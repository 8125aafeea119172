"""Attention, experts and quantisation: emitted JAX source against the interpreter, by op and in whole decoders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdsl.dialects.builtin import Float8E4M3FNType, Float8E5M2Type, IntegerType, Signedness, f32, i8, i64
from xdsl.ir import Attribute, Block, SSAValue

from dovetail.backends.jax.program import build_program
from dovetail.backends.jax.transformer_operators import EXPRESSIONS
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.huggingface import read_config
from dovetail.ir.weights import fill_weights

I4, U8 = IntegerType(4), IntegerType(8, Signedness.UNSIGNED)
Q, K, V = (2, 4, 3, 8), (2, 2, 5, 8), (2, 2, 5, 6)
Inputs = list[tuple[Attribute, tuple[int, ...], int]]
"""(element type, shape, integers are below this) of each input"""


def floats(*shapes: tuple[int, ...]) -> Inputs:
    return [(f32, shape, 0) for shape in shapes]


def one(kind: type[nn.TensorOp], **given: Any) -> Callable[..., list[nn.TensorOp]]:
    return lambda *operands: [kind.make(*operands, **given)]


def mixture(x: SSAValue, logits: SSAValue, w: SSAValue) -> list[nn.TensorOp]:
    route = nn.RouteOp.make(logits, k=2, scale=2.5)
    dispatch = nn.DispatchOp.make(x, route.experts, count=4)
    product = nn.GroupedMatmulOp.make(dispatch.rows, w, dispatch.sizes, transpose_b=1)
    return [route, dispatch, product, nn.CombineOp.make(product.result, route.weights, dispatch.order)]


def there_and_back(to: Attribute, block: tuple[int, ...]) -> Callable[..., list[nn.TensorOp]]:
    def build(x: SSAValue, scale: SSAValue, zero: SSAValue | None = None) -> list[nn.TensorOp]:
        q = nn.QuantiseOp.make(x, scale, zero, type=nn.tensor(to, nn.shape_of(x)), block=block)
        return [q, nn.DequantiseOp.make(q.result, scale, zero, block=block)]

    return build


CASES: dict[str, tuple[Inputs, Callable[..., list[nn.TensorOp]]]] = {
    "attention": (floats(Q, K, V), one(nn.AttentionOp, scale=0.5)),
    "causal, masked and capped": (
        floats(Q, K, V, (2, 1, 3, 5)), one(nn.AttentionOp, scale=0.5, causal=1, softcap=2.0)),
    "in a window": (floats(Q, K, V), one(nn.AttentionOp, scale=0.5, causal=1, window=2)),
    "paged": (
        [*floats(Q, (9, 2, 2, 8), (9, 2, 2, 6)), (i64, (2, 3), 9), (i64, (2,), 7)],
        one(nn.PagedAttentionOp, scale=0.5, window=3, softcap=1.5)),
    "rotary": (floats(Q, (3, 3), (3, 3)), one(nn.RotaryOp)),
    "rotary interleaved, of each sequence": (floats(Q, (2, 3, 4), (2, 3, 4)), one(nn.RotaryOp, interleaved=1)),
    "route in groups": (
        floats((5, 12), (12,)),
        one(nn.RouteOp, k=3, score="sigmoid", groups=4, top_groups=2, group_best=2, normalise=0)),
    "mixture": (floats((5, 6), (5, 4), (4, 3, 6)), mixture),
    "grouped rows to spare": (
        [*floats((9, 6), (2, 6, 3)), (i64, (2,), 4)], one(nn.GroupedMatmulOp)),
    "int8": (floats((6, 10), (6, 3)), there_and_back(i8, (1, 4))),
    "int4 with a zero": ([*floats((6, 8), (6, 1)), (I4, (6, 1), 5)], there_and_back(I4, (1, 0))),
    "uint8 with a zero between": (floats((6, 8), (1, 1), (1, 1)), there_and_back(U8, (0, 0))),
    "fp8": (floats((6, 10), (3, 3)), there_and_back(Float8E4M3FNType(), (2, 4))),
    "wide fp8": (floats((6, 8), (6, 1)), there_and_back(Float8E5M2Type(), (1, 0))),
}  # fmt: skip


def network_of(inputs: Inputs, build: Callable[..., list[nn.TensorOp]]) -> nn.NnModule:
    block = Block(arg_types=[nn.tensor(kind, shape) for kind, shape, _ in inputs])
    ops = build(*block.args)
    block.add_ops(ops)
    outputs = [result for op in ops for result in op.results if nn.is_float(nn.tensor_type(result).element_type)]
    outputs = [each for each in outputs if nn.tensor_type(each).element_type == f32]
    names = tuple(f"in{i}" for i in range(len(inputs)))
    return nn.NnModule(nn.build_main(block, outputs), {}, names, tuple(f"out{i}" for i in range(len(outputs))))


def test_every_operator_with_code_has_a_case() -> None:
    made = [op for inputs, build in CASES.values() for op in nn.body_of(network_of(inputs, build).module)]
    assert {type(op) for op in made} == set(EXPRESSIONS)


@pytest.mark.parametrize("case", CASES)
def test_operators_mean_what_the_interpreter_says(case: str) -> None:
    inputs, build = CASES[case]
    network = network_of(inputs, build)
    rng = np.random.default_rng(4)
    given = [
        rng.uniform(0.1, 1.0, shape).astype(np.float32) if kind == f32 else rng.integers(3, below, shape, np.int32)
        for kind, shape, below in inputs
    ]  # fmt: skip
    expected = interpret(network.module, given, {})
    for got, must in zip(build_program(network)(*given), expected, strict=True):
        np.testing.assert_allclose(got, must, rtol=2e-5, atol=1e-6)


def test_a_query_that_sees_no_key_gives_zero() -> None:
    network = network_of(floats((1, 1, 2, 2), (1, 1, 2, 2), (1, 1, 2, 2), (2, 2)), one(nn.AttentionOp, scale=1.0))
    ones, mask = np.ones((1, 1, 2, 2), np.float32), np.array([[-np.inf, -np.inf], [0, 0]], np.float32)
    (got,) = build_program(network)(ones, ones, ones, mask)
    np.testing.assert_allclose(got[0, 0], [[0, 0], [1, 1]])


DECODER = {
    "architectures": ["DeepseekV3ForCausalLM"], "vocab_size": 31, "hidden_size": 24, "num_hidden_layers": 2,
    "num_attention_heads": 4, "intermediate_size": 20, "hidden_act": "silu", "rms_norm_eps": 1e-5, "q_lora_rank": 9,
    "kv_lora_rank": 10, "qk_nope_head_dim": 6, "qk_rope_head_dim": 4, "v_head_dim": 5, "n_routed_experts": 6,
    "num_experts_per_tok": 2, "moe_intermediate_size": 7, "n_shared_experts": 1, "first_k_dense_replace": 1,
    "n_group": 3, "topk_group": 2, "routed_scaling_factor": 1.5, "norm_topk_prob": True,
}  # fmt: skip
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}


@pytest.mark.parametrize("mode", ["prefill", "decode"])
@pytest.mark.parametrize("quantised", [None, FP8], ids=["plain", "fp8"])
def test_a_decoder_with_latent_attention_and_experts_runs(mode: str, quantised: object, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**DECODER, "quantization_config": quantised}))
    network = fill_weights(read_config(path, batch=2, sequence=5, mode=mode), seed=1)
    rng, given = np.random.default_rng(0), []
    for name, arg in zip(network.input_names, nn.main_of(network.module).args, strict=True):
        shape = nn.shape_of(arg)
        given.append(
            np.full(shape, 5, np.int32) if name == "position_ids" else
            rng.integers(0, 31, shape, np.int32) if name == "input_ids" else rng.normal(size=shape).astype(np.float32)
        )  # fmt: skip
    expected = interpret(network.module, given, network.weights)
    for got, must in zip(build_program(network)(*given), expected, strict=True):
        np.testing.assert_allclose(got, must, rtol=1e-4, atol=1e-5)
