"""GPT-2: a decoder with learned places and layer norms (Radford et al. 2019)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.ir import SSAValue

from ... import nn
from .config import Config
from .decoder import Cache
from .feed_forward import ACTIVATIONS
from .network import Network


@dataclass(frozen=True)
class Gpt2:
    """Sizes of the decoder; its head is the table of words."""

    vocab: int
    places: int
    hidden: int
    heads: int
    ffn: int
    activation: str
    epsilon: float
    scaled: bool


def read(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """GPT2LMHeadModel."""
    config.one_of("tie_word_embeddings", [True], True)
    config.one_of("scale_attn_by_inverse_layer_idx", [False], False)
    config.one_of("add_cross_attention", [False], False)
    config.get("reorder_and_upcast_attn", None)  # rounding alone
    hidden = config.integer("n_embd")
    model = Gpt2(
        config.integer("vocab_size"),
        config.integer("n_positions", 1024),
        hidden,
        config.integer("n_head"),
        config.integer("n_inner", 4 * hidden),
        config.one_of("activation_function", list(ACTIVATIONS), "gelu_new"),
        config.number("layer_norm_epsilon", 1e-5, least=0),
        config.flag("scale_attn_weights", True),
    )
    config.check_heads("n_head", "n_embd")
    return config.layers("n_layer"), lambda layers: lambda net, past: _build(net, model, layers, past)


def _build(net: Network, model: Gpt2, layers: int, past: int) -> None:
    """Inputs and outputs are those of `build_decoder`."""
    net.check_places(model.places, past)
    ids, positions = net.ids("input_ids"), net.ids("position_ids")
    with net.inside("transformer"):
        words = net.embedding(ids, "wte", model.vocab, model.hidden)
        places = net.embedding(positions, "wpe", model.places, model.hidden)
        x = net.reshape(net.emit(nn.AddOp, words, places), net.rows, model.hidden)
        for index in range(layers):
            with net.inside("h", index):
                x = _layer(net, model, x, Cache(net, index, past))
        x = net.layer_norm(x, "ln_f", model.epsilon)
        table = net.weight("wte.weight", model.vocab, model.hidden)
    logits = net.emit(nn.GemmOp, x, table, transpose_b=1)
    net.outputs = {"logits": net.reshape(logits, net.batch, net.sequence, model.vocab), **net.outputs}


def _layer(net: Network, model: Gpt2, x: SSAValue, cache: Cache) -> SSAValue:
    y = net.layer_norm(x, "ln_1", model.epsilon)
    with net.inside("attn"):
        parts = net.split(_linear(net, y, "c_attn", 3 * model.hidden), *[model.hidden] * 3)
        q, k, v = (net.heads(part, model.heads) for part in parts)
        k, v = cache.extended("key", k, 2), cache.extended("value", v, 2)
        scale = (model.hidden // model.heads) ** -0.5 if model.scaled else 1.0
        seen = net.emit(nn.AttentionOp, q, k, v, scale=scale, causal=1)
        x = net.emit(nn.AddOp, x, _linear(net, net.merged(seen), "c_proj", model.hidden))
    y = net.layer_norm(x, "ln_2", model.epsilon)
    with net.inside("mlp"):
        inner = net.emit(ACTIVATIONS[model.activation], _linear(net, y, "c_fc", model.ffn))
        return net.emit(nn.AddOp, x, _linear(net, inner, "c_proj", model.hidden))


def _linear(net: Network, x: SSAValue, name: str, width: int) -> SSAValue:
    """x w + bias: GPT-2 keeps its matrices (in, out)."""
    w = net.matrix(f"{name}.weight", nn.shape_of(x)[1], width)
    return net.emit(nn.GemmOp, x, w, net.weight(f"{name}.bias", width))
