"""What JAX spells out in whole networks is recognised, and the networks mean the same."""

from __future__ import annotations

from collections import Counter

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dovetail.costmodel.tensor_graph import total
from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax
from dovetail.passes.target import lower_for_target, simplify
from examples.jax_models import bert, gpt2, llama, parameters, vit

TOKENS = np.random.default_rng(3).integers(0, 50, size=(2, 7)).astype(np.int32)
IMAGES = np.random.default_rng(5).normal(size=(2, 3, 16, 16)).astype(np.float32)
HIDDEN = np.random.default_rng(4).normal(size=(2, 5, 32)).astype(np.float32)

NETWORKS = {
    "bert": (bert, bert.SMALL, TOKENS, {"layer_norm": 5, "attention": 2, "gelu": 2, "softmax": 0, "erf": 0}),
    "gpt2": (gpt2, gpt2.SMALL, TOKENS, {"layer_norm": 5, "attention": 2, "gelu_tanh": 2, "softmax": 0}),
    "vit": (vit, vit.SMALL, IMAGES, {"layer_norm": 5, "attention": 2, "gelu": 2, "softmax": 0}),
    "llama": (llama, llama.SMALL, HIDDEN, {"rms_norm": 2, "attention": 1, "rotary": 2, "silu": 1, "concat": 0}),
    "mixtral": (llama, llama.SMALL_EXPERTS, HIDDEN, {"rms_norm": 2, "attention": 1, "rotary": 2, "silu": 1}),
}


def read(name: str) -> tuple[nn.NnModule, np.ndarray]:
    model, config, given, _ = NETWORKS[name]
    weights = parameters(model.shapes(config))
    network = read_jax(lambda x: model.forward(config, weights, x), (jax.ShapeDtypeStruct(given.shape, given.dtype),))
    return network, given


@pytest.mark.parametrize("name", NETWORKS)
def test_patterns_are_recognised_and_the_meaning_is_kept(name):
    network, given = read(name)
    simple = simplify(network)
    kinds = Counter(op.name.removeprefix("nn.") for op in nn.body_of(simple.module))
    expected = NETWORKS[name][3]
    assert {kind: kinds[kind] for kind in expected} == expected
    lowered = lower_for_target(network, "gpu")
    outputs = [interpret(each.module, [given], each.weights) for each in (network, simple, lowered)]
    for exact, *found in zip(*outputs, strict=True):
        for each in found:  # new weights are rounded to singles
            np.testing.assert_allclose(each, exact, atol=1e-7 * float(jnp.abs(exact).max()))
    before, between, after = (total(each) for each in (network, simple, lowered))
    assert after.launches < 0.8 * between.launches < 0.6 * before.launches
    assert after.moved_bytes < between.moved_bytes < before.moved_bytes


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_lowered_runs_in_jax(name):
    from dovetail.backends.jax.program import build_program

    network, given = read(name)
    exact = interpret(network.module, [given], network.weights)
    found = build_program(lower_for_target(network, "gpu"), "network")(given)
    for one, other in zip(exact, found, strict=True):
        np.testing.assert_allclose(other, one, atol=2e-5 * float(np.abs(one).max()))
