"""Decoder-only transformers: what one is made of, and the network that says."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.ir import SSAValue

from ... import nn
from . import latent, mixture
from .feed_forward import gated
from .latent import Latent
from .mixture import Experts
from .network import Network
from .rope import Rope, tables

Tables = dict[Rope, tuple[SSAValue, SSAValue]]


@dataclass(frozen=True)
class Layer:
    """What may differ from layer to layer."""

    rope: Rope
    window: int = 0
    """[tokens] a query sees at most; 0 is all"""
    mixture: bool = False


@dataclass(frozen=True)
class Decoder:
    """A decoder with RMS norms, rotary embedding, grouped-query or latent attention and gated feed-forward networks."""

    vocab: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    layers: tuple[Layer, ...]
    epsilon: float
    scale: float
    """of attention scores"""
    activation: str = "silu"
    tied: bool = False
    qkv_bias: bool = False
    o_bias: bool = False
    mlp_bias: bool = False
    qk_norm: bool = False
    plus_one: bool = False
    """norms scale by one more than their weight, and embeddings by the root of the width (Gemma)"""
    sandwich: bool = False
    """attention and feed-forward networks are normalised behind too (Gemma 2)"""
    score_cap: float = 0.0
    logit_cap: float = 0.0
    experts: Experts | None = None
    latent: Latent | None = None


def build_decoder(net: Network, model: Decoder, past: int) -> None:
    """
    Logits of every token and the cache behind them; `past` tokens are in the caches that the network is given.

    Inputs: `input_ids` and `position_ids` (batch, sequence), and with a past `past_key_values.<layer>.<part>`. Outputs:
    `logits` (batch, sequence, vocab) and `present.<layer>.<part>`, parts being `key` and `value` (batch, heads, tokens,
    width), or with latent attention `latent` and `rope` (batch, tokens, width).
    """
    ids, positions = net.ids("input_ids"), net.ids("position_ids")
    with net.inside("model"):
        x = net.reshape(net.embedding(ids, "embed_tokens", model.vocab, model.hidden), net.rows, model.hidden)
        x = net.scaled(x, model.hidden**0.5) if model.plus_one else x
        ropes: Tables = {
            rope: tables(net, rope, positions) for rope in dict.fromkeys(layer.rope for layer in model.layers)
        }
        for index, layer in enumerate(model.layers):
            with net.inside("layers", index):
                x = _layer(net, model, layer, x, ropes[layer.rope], Cache(net, index, past))
        x = net.rms_norm(x, "norm", model.epsilon, model.plus_one)
    table = "model.embed_tokens.weight" if model.tied else "lm_head.weight"
    logits = net.emit(nn.GemmOp, x, net.weight(table, model.vocab, model.hidden), transpose_b=1)
    if model.logit_cap:
        logits = net.scaled(net.emit(nn.TanhOp, net.scaled(logits, 1 / model.logit_cap)), model.logit_cap)
    net.outputs = {"logits": net.reshape(logits, net.batch, net.sequence, model.vocab), **net.outputs}


@dataclass(frozen=True)
class Cache:
    """What a layer keeps of the tokens before."""

    net: Network
    layer: int
    past: int

    def extended(self, part: str, new: SSAValue, axis: int) -> SSAValue:
        """The past of `part` with `new` behind it along `axis`, which becomes an output."""
        net, whole = self.net, new
        if self.past:
            shape = list(nn.shape_of(new))
            shape[axis] = self.past
            before = net.input(f"past_key_values.{self.layer}.{part}", shape)
            whole = net.emit(nn.ConcatOp, before, new, axis=axis)
        net.outputs[f"present.{self.layer}.{part}"] = whole
        return whole


def _layer(
    net: Network, model: Decoder, layer: Layer, x: SSAValue, rope: tuple[SSAValue, SSAValue], cache: Cache
) -> SSAValue:
    def norm(value: SSAValue, name: str) -> SSAValue:
        return net.rms_norm(value, name, model.epsilon, model.plus_one)

    y = norm(x, "input_layernorm")
    with net.inside("self_attn"):
        if model.latent is not None:
            y = latent.attention(net, model, model.latent, layer, y, rope, cache)
        else:
            y = _attention(net, model, layer, y, rope, cache)
    x = net.emit(nn.AddOp, x, norm(y, "post_attention_layernorm") if model.sandwich else y)
    y = norm(x, "pre_feedforward_layernorm" if model.sandwich else "post_attention_layernorm")
    if layer.mixture and model.experts is not None:
        with net.inside(model.experts.scope):
            y = mixture.experts(net, model.experts, model.activation, y)
    else:
        with net.inside("mlp"):
            y = gated(net, y, model.ffn, model.activation, model.mlp_bias)
    return net.emit(nn.AddOp, x, norm(y, "post_feedforward_layernorm") if model.sandwich else y)


def _attention(
    net: Network, model: Decoder, layer: Layer, x: SSAValue, rope: tuple[SSAValue, SSAValue], cache: Cache
) -> SSAValue:
    """Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245)."""
    turned = []
    for part, count in (("q", model.heads), ("k", model.kv_heads)):
        heads = net.heads(net.linear(x, f"{part}_proj", count * model.head_dim, model.qkv_bias), count)
        if model.qk_norm:
            heads = net.rms_norm(heads, f"{part}_norm", model.epsilon, model.plus_one)
        turned.append(net.emit(nn.RotaryOp, heads, *rope))
    v = net.heads(net.linear(x, "v_proj", model.kv_heads * model.head_dim, model.qkv_bias), model.kv_heads)
    keys, values = cache.extended("key", turned[1], 2), cache.extended("value", v, 2)
    given = {"scale": model.scale, "causal": 1, "window": layer.window, "softcap": model.score_cap}
    seen = net.emit(nn.AttentionOp, turned[0], keys, values, **given)
    return net.linear(net.merged(seen), "o_proj", model.hidden, model.o_bias)
