"""
Networks that people have, after the whole pipeline of each kind of device, against onnxruntime and JAX.

Both compute in float32, by sums in another order than ours in float64; on these networks they differ from the
network as it was read by at most 3e-6 of the output's scale, so 1e-5 leaves room for no other mistake. What the passes
themselves change is held to 1e-6 of that scale: weights that they work out are rounded to float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax
from dovetail.ir.read.onnx import read_onnx
from dovetail.ir.weights import onnx_with_weights, reseed_constant_weights
from dovetail.passes import NN_PIPELINE, TARGET_PIPELINE
from dovetail.passes.nn import run
from examples.jax_models import bert, gpt2, llama, parameters, vit

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"
KINDS = ("gpu", "npu", "cpu")
LLAMA = llama.Config(width=512, heads=8, kv_heads=2, hidden=1792)
MIXTRAL = llama.Config(width=512, heads=8, kv_heads=2, hidden=1792, experts=8, theta=1e6)
RNG = np.random.default_rng(3)


def off(found: Sequence[np.ndarray], wanted: Sequence[Any]) -> float:
    """The largest difference, over the scale of its output."""
    pairs = [(np.asarray(y, dtype=np.float64), x) for x, y in zip(found, wanted, strict=True)]
    assert all(x.shape == y.shape for y, x in pairs)
    return max(np.abs(x - y).max() / np.abs(y).max() for y, x in pairs)


def check(network: nn.NnModule, inputs: Sequence[np.ndarray], wanted: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Hold the network to what is wanted, before and after the passes; how often each pattern fired for each kind."""
    read = interpret(network.module, inputs, network.weights)
    assert off(read, wanted) <= 1e-5
    fired = {}
    for kind in KINDS:
        names = [name for name, _ in (*NN_PIPELINE, *TARGET_PIPELINE[kind])]
        done, fired[kind] = run(network, names, kind)
        done.module.verify()
        found = interpret(done.module, inputs, done.weights)
        assert off(found, wanted) <= 1e-5
        assert off(found, read) <= 1e-6
    return fired


def from_jax(function: Callable[..., Any], *inputs: np.ndarray) -> dict[str, dict[str, int]]:
    """`check` for what JAX traces of `function`."""
    import jax

    wanted = [np.asarray(each) for each in jax.tree.leaves(jax.jit(function)(*inputs))]
    return check(read_jax(function, inputs), inputs, wanted)


def has(fired: dict[str, int], expected: dict[str, int]) -> None:
    assert {name: fired.get(name, 0) for name in expected} == expected


def attentions_of(function: Callable[..., Any], *inputs: np.ndarray) -> list[Any]:
    """The attentions that are left after the passes that hold for all kinds."""
    done, _ = run(read_jax(function, inputs), [name for name, _ in NN_PIPELINE])
    return [op for op in nn.body_of(done.module) if isinstance(op, nn.AttentionOp)]


def layer_counts(layers: int) -> dict[str, int]:
    """In each layer two norms with scale and bias, an attention and an activation, and a norm before or after all."""
    norms = 2 * layers + 1
    return {
        "norm": norms, "norm-scale": norms, "norm-bias": norms, "softmax": layers, "attention": layers,
        "gated-activation": layers,
    }  # fmt: skip


def tokens(config: Any) -> np.ndarray:
    return RNG.integers(0, config.vocabulary, size=(2, 8)).astype(np.int32)


FULL = [False, pytest.param(True, marks=pytest.mark.slow)]


@pytest.mark.parametrize("full", FULL)
def test_bert(full: bool) -> None:
    config = bert.BASE if full else bert.SMALL
    p = parameters(bert.shapes(config))
    fired = from_jax(partial(bert.forward, config, p), tokens(config))
    for kind in KINDS:
        has(fired[kind], layer_counts(config.layers))
    has(fired["gpu"], {"horizontal": config.layers})  # queries, keys and values


@pytest.mark.parametrize("full", FULL)
def test_gpt2(full: bool) -> None:
    config = gpt2.BASE if full else gpt2.SMALL
    p = parameters(gpt2.shapes(config))
    given = tokens(config)
    fired = from_jax(partial(gpt2.forward, config, p), given)
    for kind in KINDS:
        has(fired[kind], layer_counts(config.layers))
    attentions = attentions_of(partial(gpt2.forward, config, p), given)
    assert len(attentions) == config.layers
    assert all(nn.integer(op.causal) and op.mask is None for op in attentions)


@pytest.mark.parametrize("full", FULL)
def test_vit(full: bool) -> None:
    config = vit.BASE if full else vit.SMALL
    p = parameters(vit.shapes(config))
    images = RNG.normal(size=(1, 3, config.image, config.image)).astype(np.float32)
    fired = from_jax(partial(vit.forward, config, p), images)
    for kind in KINDS:
        has(fired[kind], layer_counts(config.layers))


BLOCKS = [
    llama.SMALL,
    llama.SMALL_EXPERTS,
    pytest.param(LLAMA, marks=pytest.mark.slow),
    pytest.param(MIXTRAL, marks=pytest.mark.slow),
    pytest.param(llama.LLAMA_8B, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("config", BLOCKS, ids=lambda c: f"{c.width}-{c.experts}")
def test_a_block_with_grouped_heads_reads_a_prompt_and_then_one_token(config: llama.Config) -> None:
    p = parameters(llama.shapes(config))
    x = RNG.normal(size=(1, 8, config.width)).astype(np.float32)
    prompt, last = x[:, :7], x[:, 7:]
    cache = [np.asarray(each) for each in llama.forward(config, p, prompt)[1]]  # type: ignore[arg-type]

    def decode(x: Any, k: Any, v: Any) -> Any:
        return llama.forward(config, p, x, (k, v))

    expected = {"norm": 2, "norm-scale": 2, "rotary-parts": 2, "attention": 1, "gated-activation": 1}
    for function, inputs in ((partial(llama.forward, config, p), (prompt,)), (decode, (last, *cache))):
        fired = from_jax(function, *inputs)
        for kind in KINDS:
            has(fired[kind], expected)
        has(fired["gpu"], {"horizontal": 1 if config.experts else 2})  # q, k and v; the gate and what it gates
        (attention,) = attentions_of(function, *inputs)
        assert attention.mask is None
        assert [nn.shape_of(value)[1] for value in attention.operands] == [config.heads, *[config.kv_heads] * 2]
        assert nn.integer(attention.causal) == (len(inputs) == 1)


def light(name: str, convolutions: int, norms: int) -> Any:
    """A network of the `onnx` package, with how many convolutions and batch norms behind them it has."""
    fast = name == "shufflenet"
    return pytest.param(name, convolutions, norms, marks=() if fast else pytest.mark.slow, id=name)


@pytest.mark.parametrize(
    ("name", "convolutions", "norms"),
    [
        light("shufflenet", 49, 49),
        light("squeezenet", 26, 0),
        light("resnet50", 53, 53),
        light("densenet121", 121, 59),
        light("inception_v1", 57, 0),
        light("inception_v2", 69, 69),
        light("bvlc_alexnet", 5, 0),
        light("zfnet512", 5, 0),
        light("vgg19", 16, 0),
    ],
)
def test_published_image_networks(name: str, convolutions: int, norms: int) -> None:
    import onnxruntime

    path = LIGHT / f"light_{name}.onnx"
    network = reseed_constant_weights(read_onnx(path), seed=3)
    assert Counter(type(op) for op in nn.body_of(network.module))[nn.ConvOp] == convolutions
    session = onnxruntime.InferenceSession(onnx_with_weights(path, network.weights))
    x = RNG.normal(size=nn.shape_of(nn.main_of(network.module).args[0])).astype(np.float32)
    wanted = [np.asarray(each) for each in session.run(None, {network.input_names[0]: x})]
    assert np.ptp(wanted[0]) > 1e-3 * np.abs(wanted[0]).max()
    fired = check(network, [x], wanted)
    for kind in KINDS:
        has(fired[kind], {"conv-batch-norm": norms})
    assert fired["gpu"]["epilogue"] > 0
