"""
Logits of small decoders against a formulation of transformers' modelling files in jax.numpy, float64.

It reads the config by itself, works on (batch, heads, tokens, width) throughout, and does every expert for every token.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

FAMILIES = [
    "llama", "llama3", "mistral", "qwen2", "qwen3", "mixtral", "qwen3_moe", "gemma2", "gemma3", "deepseek2",
    "deepseek3",
]  # fmt: skip


@pytest.fixture
def jnp():
    import jax

    with jax.enable_x64(True):
        yield jax.numpy


class Reference:
    """One model: its config, its weights by name, and jax.numpy."""

    def __init__(self, config: dict[str, Any], weights: dict[str, np.ndarray], jnp: Any) -> None:
        self.c, self.jnp = config, jnp
        self.w = {name: np.asarray(each, dtype=np.float64) for name, each in weights.items()}
        name = config["architectures"][0]
        self.gemma, self.deepseek = name.startswith("Gemma"), name.startswith("Deepseek")
        self.name = name

    def logits(self, ids: np.ndarray) -> np.ndarray:
        c, x = self.c, self.w["model.embed_tokens.weight"][ids]
        x = x * math.sqrt(c["hidden_size"]) if self.gemma else x
        for index in range(c["num_hidden_layers"]):
            x = self.layer(index, f"model.layers.{index}.", x)
        x = self.norm(x, "model.norm")
        tied = c.get("tie_word_embeddings", self.gemma)
        y = x @ self.w["model.embed_tokens.weight" if tied else "lm_head.weight"].T
        cap = c.get("final_logit_softcapping")
        return np.asarray(cap * self.jnp.tanh(y / cap) if cap else y)

    def norm(self, x, name: str):
        w = self.w[f"{name}.weight"] + (1.0 if self.gemma else 0.0)
        return x / self.jnp.sqrt((x * x).mean(-1, keepdims=True) + self.c["rms_norm_eps"]) * w

    def linear(self, x, name: str):
        y = x @ self.w[f"{name}.weight"].T
        return y + self.w[f"{name}.bias"] if f"{name}.bias" in self.w else y

    def layer(self, index: int, at: str, x):
        y = self.norm(x, f"{at}input_layernorm")
        y = self.latent(y, f"{at}self_attn.") if self.deepseek else self.attention(index, y, f"{at}self_attn.")
        x = x + (self.norm(y, f"{at}post_attention_layernorm") if self.gemma else y)
        y = self.norm(x, f"{at}pre_feedforward_layernorm" if self.gemma else f"{at}post_attention_layernorm")
        if f"{at}block_sparse_moe.gate.weight" in self.w:
            y = self.experts(y, f"{at}block_sparse_moe.", ("w1", "w3", "w2"))
        elif f"{at}mlp.gate.weight" in self.w:
            y = self.experts(y, f"{at}mlp.", ("gate_proj", "up_proj", "down_proj"))
        else:
            y = self.mlp(y, f"{at}mlp.")
        return x + (self.norm(y, f"{at}post_feedforward_layernorm") if self.gemma else y)

    def mlp(self, x, at: str):
        return self.linear(
            self.act(self.linear(x, f"{at}gate_proj")) * self.linear(x, f"{at}up_proj"), f"{at}down_proj"
        )

    def act(self, x):
        if self.gemma:
            return 0.5 * x * (1 + self.jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return x / (1 + self.jnp.exp(-x))

    def sliding(self, index: int) -> bool:
        c = self.c
        if self.name.startswith("Gemma3"):
            return bool((index + 1) % c["sliding_window_pattern"])
        if self.name.startswith("Gemma2"):
            return index % 2 == 0
        if self.name.startswith("Qwen2"):
            return c["use_sliding_window"] and index >= c["max_window_layers"]
        return "sliding_window" in c

    def frequencies(self, width: int, index: int):
        c, s = self.c, self.c.get("rope_scaling")
        local = self.name.startswith("Gemma3") and self.sliding(index)
        f = (c["rope_local_base_freq"] if local else c["rope_theta"]) ** -(np.arange(0, width, 2) / width)
        if s is None or local:
            return f, 1.0
        kind = s.get("rope_type", s.get("type"))
        if kind == "linear":
            return f / s["factor"], 1.0
        if kind == "llama3":
            return np.array([self.llama3(each, s) for each in f]), 1.0
        base, original = c["rope_theta"], s["original_max_position_embeddings"]

        def pair(turns):
            return width * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(base))

        low, high = max(math.floor(pair(s["beta_fast"])), 0), min(math.ceil(pair(s["beta_slow"])), width - 1)
        ramp = np.clip((np.arange(width // 2) - low) / (high - low or 0.001), 0, 1)
        size = (0.1 * s["mscale"] * math.log(s["factor"]) + 1) / (0.1 * s["mscale_all_dim"] * math.log(s["factor"]) + 1)
        return f / s["factor"] * ramp + f * (1 - ramp), size

    @staticmethod
    def llama3(f: float, s: dict[str, float]) -> float:
        length, original = 2 * math.pi / f, s["original_max_position_embeddings"]
        if length < original / s["high_freq_factor"]:
            return f
        if length > original / s["low_freq_factor"]:
            return f / s["factor"]
        part = (original / length - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
        return (1 - part) * f / s["factor"] + part * f

    def turned(self, x, index: int, interleaved: bool = False):
        f, size = self.frequencies(x.shape[-1], index)
        angle = np.arange(x.shape[2])[:, None] * f
        cos, sin = np.cos(angle) * size, np.sin(angle) * size
        a, b = (x[..., ::2], x[..., 1::2]) if interleaved else self.jnp.split(x, 2, axis=-1)
        return self.jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def heads(self, x, count: int):
        return x.reshape(*x.shape[:2], count, -1).transpose(0, 2, 1, 3)

    def seen(self, q, k, v, scale: float, window: int = 0):
        cap, tokens = self.c.get("attn_logit_softcapping"), q.shape[2]
        group = q.shape[1] // k.shape[1]
        scores = self.jnp.einsum("bhmd,bhnd->bhmn", q, k.repeat(group, axis=1)) * scale
        scores = cap * self.jnp.tanh(scores / cap) if cap else scores
        back = np.arange(tokens)[:, None] - np.arange(tokens)
        hidden = (back < 0) | (back >= (window or tokens))
        scores = self.jnp.exp(self.jnp.where(hidden, -np.inf, scores))
        y = self.jnp.einsum("bhmn,bhnd->bmhd", scores / scores.sum(-1, keepdims=True), v.repeat(group, axis=1))
        return y.reshape(*y.shape[:2], -1)

    def attention(self, index: int, x, at: str):
        c = self.c
        counts = {"q": c["num_attention_heads"], "k": c["num_key_value_heads"], "v": c["num_key_value_heads"]}
        parts = {part: self.heads(self.linear(x, f"{at}{part}_proj"), count) for part, count in counts.items()}
        for part in ("q", "k"):
            if f"{at}{part}_norm.weight" in self.w:
                parts[part] = self.norm(parts[part], f"{at}{part}_norm")
            parts[part] = self.turned(parts[part], index)
        scale = (c["query_pre_attn_scalar"] if self.gemma else parts["q"].shape[-1]) ** -0.5
        window = c["sliding_window"] if self.sliding(index) else 0
        return self.linear(self.seen(parts["q"], parts["k"], parts["v"], scale, window), f"{at}o_proj")

    def latent(self, x, at: str):
        c, heads = self.c, self.c["num_attention_heads"]
        plain, rope, rank = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["kv_lora_rank"]
        if c["q_lora_rank"]:
            q = self.linear(self.norm(self.linear(x, f"{at}q_a_proj"), f"{at}q_a_layernorm"), f"{at}q_b_proj")
        else:
            q = self.linear(x, f"{at}q_proj")
        q = self.heads(q, heads)
        down = self.linear(x, f"{at}kv_a_proj_with_mqa")
        both = self.heads(self.linear(self.norm(down[..., :rank], f"{at}kv_a_layernorm"), f"{at}kv_b_proj"), heads)
        turned = self.turned(down[:, None, :, rank:], 0, interleaved=True).repeat(heads, axis=1)
        k = self.jnp.concatenate([both[..., :plain], turned], axis=-1)
        q = self.jnp.concatenate([q[..., :plain], self.turned(q[..., plain:], 0, interleaved=True)], axis=-1)
        s = c["rope_scaling"]
        scale = (plain + rope) ** -0.5 * (0.1 * s["mscale_all_dim"] * math.log(s["factor"]) + 1) ** 2
        return self.linear(self.seen(q, k, both[..., plain:], scale), f"{at}o_proj")

    def experts(self, x, at: str, names: tuple[str, str, str]):
        c, jnp = self.c, self.jnp
        gate, up, down = (self.w[f"{at}experts.{name}.weight"] for name in names)
        logits = x @ self.w[f"{at}gate.weight"].T
        weights = self.routed(logits, at)
        inner = self.act(jnp.einsum("bsh,efh->bsef", x, gate)) * jnp.einsum("bsh,efh->bsef", x, up)
        y = jnp.einsum("bsef,ehf,bse->bsh", inner, down, weights)
        return y + self.mlp(x, f"{at}shared_experts.") if c.get("n_shared_experts") else y

    def routed(self, logits, at: str):
        """The weight of every expert for every token; 0 for those not picked."""
        c, jnp, k = self.c, self.jnp, self.c["num_experts_per_tok"]
        sigmoid = c.get("scoring_func") == "sigmoid"
        scores = 1 / (1 + jnp.exp(-logits)) if sigmoid else jnp.exp(logits) / jnp.exp(logits).sum(-1, keepdims=True)
        liked = scores + self.w.get(f"{at}gate.e_score_correction_bias", 0.0)
        if self.deepseek:
            grouped = jnp.sort(liked.reshape(*liked.shape[:2], c["n_group"], -1), axis=-1)
            of_group = grouped[..., -2:].sum(-1) if sigmoid else grouped[..., -1]
            bound = jnp.sort(of_group, axis=-1)[..., -c["topk_group"], None]
            liked = jnp.where((of_group >= bound).repeat(grouped.shape[-1], axis=-1), liked, -np.inf)
        picked = jnp.where(liked >= jnp.sort(liked, axis=-1)[..., -k, None], scores, 0.0)
        if c.get("norm_topk_prob", self.name.startswith("Mixtral")):
            picked = picked / picked.sum(-1, keepdims=True)
        return picked * c.get("routed_scaling_factor", 1.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_the_modelling_file(family, configs, network, run, jnp) -> None:
    config = configs[family]
    ours = network(config, batch=2, sequence=9)
    ids = np.random.default_rng(1).integers(0, config["vocab_size"], (2, 9))
    places = np.broadcast_to(np.arange(9), ids.shape)
    got = run(ours, {"input_ids": ids, "position_ids": places})["logits"]
    expected = Reference(config, ours.weights, jnp).logits(ids)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)
