"""Outputs of small BERT, GPT-2, ViT and Whisper networks against their modelling files in jax.numpy, float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest


@pytest.fixture
def jax():
    import jax

    with jax.enable_x64(True):
        yield jax


class Reference:
    """Layers as torch has them, on (batch, tokens, width)."""

    def __init__(self, jax: Any, weights: dict[str, np.ndarray], epsilon: float) -> None:
        self.jax, self.jnp, self.epsilon = jax, jax.numpy, epsilon
        self.w = {name: np.asarray(each, dtype=np.float64) for name, each in weights.items()}

    def linear(self, x, name: str, transpose: bool = True):
        w = self.w[f"{name}.weight"]
        return x @ (w.T if transpose else w) + self.w.get(f"{name}.bias", 0.0)

    def norm(self, x, name: str):
        y = (x - x.mean(-1, keepdims=True)) / self.jnp.sqrt(x.var(-1, keepdims=True) + self.epsilon)
        return y * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def gelu(self, x, tanh: bool = False):
        return self.jax.nn.gelu(x, approximate=tanh)

    def attend(self, q, k, v, heads: int, causal: bool = False, keep=None):
        q, k, v = (each.reshape(*each.shape[:2], heads, -1) for each in (q, k, v))
        scores = self.jnp.einsum("bmhd,bnhd->bhmn", q, k) / math.sqrt(q.shape[-1])
        if causal:
            scores = self.jnp.where(np.tri(q.shape[1], dtype=bool), scores, -np.inf)
        if keep is not None:
            scores = self.jnp.where(keep[:, None, None, :] > 0, scores, -1e30)
        y = self.jnp.einsum("bhmn,bnhd->bmhd", self.jax.nn.softmax(scores, axis=-1), v)
        return y.reshape(*y.shape[:2], -1)


def bert_layers(ref: Reference, x, at: str, keep):
    for index in range(2):
        own = f"{at}encoder.layer.{index}."
        q, k, v = (ref.linear(x, f"{own}attention.self.{name}") for name in ("query", "key", "value"))
        y = ref.linear(ref.attend(q, k, v, 4, keep=keep), f"{own}attention.output.dense")
        x = ref.norm(x + y, f"{own}attention.output.LayerNorm")
        y = ref.linear(ref.gelu(ref.linear(x, f"{own}intermediate.dense")), f"{own}output.dense")
        x = ref.norm(x + y, f"{own}output.LayerNorm")
    return x


@pytest.mark.parametrize("architecture", ["BertForMaskedLM", "BertModel"])
def test_bert(architecture: str, configs, network, run, jax) -> None:
    ours = network({**configs["bert"], "architectures": [architecture]}, batch=2, sequence=7)
    rng = np.random.default_rng(2)
    ids, kinds, keep = rng.integers(0, 31, (2, 7)), rng.integers(0, 2, (2, 7)), np.ones((2, 7))
    keep[1, 4:] = 0
    got = run(ours, {"input_ids": ids, "token_type_ids": kinds, "attention_mask": keep})
    ref, masked = Reference(jax, ours.weights, 1e-12), architecture == "BertForMaskedLM"
    at = "bert." if masked else ""
    tables = [ref.w[f"{at}embeddings.{name}_embeddings.weight"] for name in ("word", "token_type", "position")]
    x = ref.norm(tables[0][ids] + tables[1][kinds] + tables[2][:7], f"{at}embeddings.LayerNorm")
    x = bert_layers(ref, x, at, keep)
    if masked:
        y = ref.norm(ref.gelu(ref.linear(x, "cls.predictions.transform.dense")), "cls.predictions.transform.LayerNorm")
        expected = {"logits": y @ tables[0].T + ref.w["cls.predictions.bias"]}
    else:
        pooled = jax.numpy.tanh(ref.linear(x[:, 0], "pooler.dense"))
        expected = {"last_hidden_state": x, "pooler_output": pooled}
    assert got.keys() == expected.keys()
    for name, each in expected.items():
        np.testing.assert_allclose(got[name], each, rtol=1e-8, atol=1e-9)


def test_gpt2(configs, network, run, jax) -> None:
    ours = network(configs["gpt2"], batch=2, sequence=7)
    ids = np.random.default_rng(2).integers(0, 31, (2, 7))
    got = run(ours, {"input_ids": ids, "position_ids": np.broadcast_to(np.arange(7), (2, 7))})
    ref = Reference(jax, ours.weights, 1e-5)
    x = ref.w["transformer.wte.weight"][ids] + ref.w["transformer.wpe.weight"][:7]
    for index in range(2):
        at = f"transformer.h.{index}."
        parts = np.split(ref.linear(ref.norm(x, f"{at}ln_1"), f"{at}attn.c_attn", False), 3, axis=-1)
        x = x + ref.linear(ref.attend(*parts, heads=3, causal=True), f"{at}attn.c_proj", False)
        y = ref.gelu(ref.linear(ref.norm(x, f"{at}ln_2"), f"{at}mlp.c_fc", False), tanh=True)
        x = x + ref.linear(y, f"{at}mlp.c_proj", False)
    expected = ref.norm(x, "transformer.ln_f") @ ref.w["transformer.wte.weight"].T
    np.testing.assert_allclose(got["logits"], expected, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("architecture", ["ViTForImageClassification", "ViTModel"])
def test_vit(architecture: str, configs, network, run, jax) -> None:
    config = {key: each for key, each in configs["vit"].items() if key != "num_labels"}
    labels = {} if architecture == "ViTModel" else {"id2label": {str(i): f"l{i}" for i in range(7)}}
    ours = network({**config, **labels, "architectures": [architecture]}, batch=2)
    pixels = np.random.default_rng(2).normal(size=(2, 3, 8, 8))
    got = run(ours, {"pixel_values": pixels})
    ref, at = Reference(jax, ours.weights, 1e-12), "" if architecture == "ViTModel" else "vit."
    patches = pixels.reshape(2, 3, 2, 4, 2, 4).transpose(0, 2, 4, 1, 3, 5).reshape(2, 4, 48)
    w = ref.w[f"{at}embeddings.patch_embeddings.projection.weight"].reshape(24, 48)
    x = patches @ w.T + ref.w[f"{at}embeddings.patch_embeddings.projection.bias"]
    x = np.concatenate([np.broadcast_to(ref.w[f"{at}embeddings.cls_token"], (2, 1, 24)), x], axis=1)
    x = x + ref.w[f"{at}embeddings.position_embeddings"]
    for index in range(2):
        own = f"{at}encoder.layer.{index}."
        y = ref.norm(x, f"{own}layernorm_before")
        q, k, v = (ref.linear(y, f"{own}attention.attention.{name}") for name in ("query", "key", "value"))
        x = x + ref.linear(ref.attend(q, k, v, 3), f"{own}attention.output.dense")
        y = ref.gelu(ref.linear(ref.norm(x, f"{own}layernorm_after"), f"{own}intermediate.dense"))
        x = x + ref.linear(y, f"{own}output.dense")
    x = ref.norm(x, f"{at}layernorm")
    if architecture == "ViTModel":
        np.testing.assert_allclose(got["last_hidden_state"], x, rtol=1e-8, atol=1e-9)
        expected, name = jax.numpy.tanh(ref.linear(x[:, 0], "pooler.dense")), "pooler_output"
    else:
        expected, name = ref.linear(x[:, 0], "classifier"), "logits"
    np.testing.assert_allclose(got[name], expected, rtol=1e-8, atol=1e-9)


def test_whisper(configs, network, run, jax) -> None:
    ours = network(configs["whisper"], batch=2, sequence=7)
    rng = np.random.default_rng(2)
    sound, ids = rng.normal(size=(2, 5, 12)), rng.integers(0, 31, (2, 7))
    places = np.broadcast_to(np.arange(7), (2, 7))
    got = run(ours, {"input_features": sound, "decoder_input_ids": ids, "decoder_position_ids": places})
    ref = Reference(jax, ours.weights, 1e-5)

    def attended(x, other, at: str, causal: bool = False):
        q, k, v = ref.linear(x, f"{at}.q_proj"), ref.linear(other, f"{at}.k_proj"), ref.linear(other, f"{at}.v_proj")
        return ref.linear(ref.attend(q, k, v, 3, causal), f"{at}.out_proj")

    def fed(x, at: str):
        return x + ref.linear(ref.gelu(ref.linear(ref.norm(x, f"{at}final_layer_norm"), f"{at}fc1")), f"{at}fc2")

    x = sound
    for name, stride in (("conv1", 1), ("conv2", 2)):
        w, bias = ref.w[f"model.encoder.{name}.weight"], ref.w[f"model.encoder.{name}.bias"]
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1)))
        count = (x.shape[2] - 1) // stride + 1
        taps = [padded[:, :, i : i + stride * (count - 1) + 1 : stride] for i in range(3)]
        x = ref.gelu(sum(np.einsum("bct,oc->bot", tap, w[:, :, i]) for i, tap in enumerate(taps)) + bias[:, None])
    x = np.asarray(x).transpose(0, 2, 1) + ref.w["model.encoder.embed_positions.weight"]
    for index in range(2):
        at = f"model.encoder.layers.{index}."
        y = ref.norm(x, f"{at}self_attn_layer_norm")
        x = fed(x + attended(y, y, f"{at}self_attn"), at)
    heard = ref.norm(x, "model.encoder.layer_norm")
    x = ref.w["model.decoder.embed_tokens.weight"][ids] + ref.w["model.decoder.embed_positions.weight"][:7]
    for index in range(2):
        at = f"model.decoder.layers.{index}."
        y = ref.norm(x, f"{at}self_attn_layer_norm")
        x = x + attended(y, y, f"{at}self_attn", causal=True)
        x = fed(x + attended(ref.norm(x, f"{at}encoder_attn_layer_norm"), heard, f"{at}encoder_attn"), at)
    expected = ref.norm(x, "model.decoder.layer_norm") @ ref.w["model.decoder.embed_tokens.weight"].T
    np.testing.assert_allclose(got["logits"], expected, rtol=1e-8, atol=1e-9)
