"""Whole networks that are read mean what JAX computes, and have as many weights as is published."""

from __future__ import annotations

from functools import partial
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dovetail.ir import nn
from dovetail.ir.interpret import interpret
from dovetail.ir.read.jaxpr import read_jax
from examples.jax_models import bert, gpt2, llama, parameters, vit

TOKENS = np.random.default_rng(3).integers(0, 50, size=(2, 7)).astype(np.int32)
HIDDEN = jnp.asarray(np.random.default_rng(4).normal(size=(2, 5, 32)), jnp.float32)


@pytest.mark.parametrize("model", [bert, gpt2])
def test_language_models(agrees, model) -> None:
    p = parameters(model.shapes(model.SMALL))
    agrees(lambda tokens: model.forward(model.SMALL, p, tokens), TOKENS)


def test_an_image_model(agrees) -> None:
    p = parameters(vit.shapes(vit.SMALL))
    images = np.random.default_rng(5).normal(size=(2, 3, 16, 16)).astype(np.float32)
    agrees(lambda x: vit.forward(vit.SMALL, p, x), images)


@pytest.mark.parametrize("config", [llama.SMALL, llama.SMALL_EXPERTS])
def test_a_block_with_its_cache_and_the_cache_makes_no_difference(agrees, config) -> None:
    p = parameters(llama.shapes(config))
    block = partial(llama.forward, config, p)
    network = agrees(lambda x: block(x), HIDDEN)
    assert len(network.output_names) == 3
    _, cache = block(HIDDEN[:, :4])
    agrees(lambda x, k, v: block(x, (k, v)), HIDDEN[:, 4:], *cache)
    whole, step = block(HIDDEN)[0][:, 4:], block(HIDDEN[:, 4:], cache)[0]
    np.testing.assert_allclose(whole, step, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "published"),
    [
        # "BERT_BASE (L=12, H=768, A=12, Total Parameters=110M)": the encoder with its pooler, from its sizes.
        (bert, 109_482_240),
        # The released 124M model: https://github.com/openai/gpt-2.
        (gpt2, 124_439_808),
        # ViT-B/16 with its classifier, 86,567,656 in https://pytorch.org/vision/stable/models.html.
        (vit, 86_567_656),
    ],
)
def test_as_many_weights_as_is_published(model, published: int) -> None:
    leaves = jax.tree.leaves(model.shapes(model.BASE), is_leaf=lambda each: isinstance(each, tuple))
    assert sum(prod(shape) for shape in leaves) == published


def test_a_network_of_open_batch_and_sequence() -> None:
    p = parameters(bert.shapes(bert.SMALL))
    b, s = jax.export.symbolic_shape("b, s", constraints=["s <= 16"])

    def encode(tokens):
        x = p["words"][tokens]
        return jnp.tanh(x @ p["pooler"]["w"]).mean(-1).reshape(-1)

    network = read_jax(encode, (jax.ShapeDtypeStruct((b, s), jnp.int32),))
    network.module.verify()
    assert nn.open_names(network.module) == {"b", "s"}
    for shape in ((2, 7), (1, 3)):
        tokens = TOKENS[: shape[0], : shape[1]]
        (found,) = interpret(network.module, [tokens], network.weights)
        np.testing.assert_allclose(found, encode(tokens), rtol=1e-4, atol=1e-5)
