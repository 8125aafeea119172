"""Whisper: an encoder over half a minute of sound, and a decoder that looks at it (Radford et al. 2022, 2212.04356)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.ir import SSAValue

from ... import nn
from .config import Config
from .decoder import Cache
from .feed_forward import ACTIVATIONS, plain
from .network import Network


@dataclass(frozen=True)
class Half:
    """Sizes of the encoder or of the decoder."""

    layers: int
    heads: int
    ffn: int
    places: int


@dataclass(frozen=True)
class Whisper:
    """Sizes of both halves."""

    vocab: int
    mels: int
    hidden: int
    activation: str
    encoder: Half
    decoder: Half


EPSILON = 1e-5
"""of all layer norms, whatever the file says: transformers has no key for it"""


def read(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """WhisperForConditionalGeneration; how many layers is said of each half."""
    config.one_of("tie_word_embeddings", [True], True)
    config.one_of("scale_embedding", [False], False)
    halves = [
        Half(
            config.layers(f"{name}_layers"),
            config.integer(f"{name}_attention_heads"),
            config.integer(f"{name}_ffn_dim"),
            config.integer(places),
        )
        for name, places in (("encoder", "max_source_positions"), ("decoder", "max_target_positions"))
    ]
    model = Whisper(
        config.integer("vocab_size"),
        config.integer("num_mel_bins"),
        config.integer("d_model"),
        config.one_of("activation_function", list(ACTIVATIONS), "gelu"),
        halves[0],
        halves[1],
    )
    for name in ("encoder", "decoder"):
        config.check_heads(f"{name}_attention_heads", "d_model")
    return max(half.layers for half in halves), lambda layers: lambda net, past: _build(net, model, layers, past)


def _build(net: Network, model: Whisper, layers: int, past: int) -> None:
    """
    Prefill: `input_features` (batch, mels, 2 places of sound) and `decoder_input_ids` to `logits`, and two caches for
    each layer: `present.<layer>.<part>` of the words, and `present.<layer>.encoder.<part>` of the sound, which a decode
    step takes as they are.
    """
    net.check_places(model.decoder.places, past)
    with net.inside("model"):
        sound = None if past else _encoder(net, model, min(layers, model.encoder.layers))
        ids, positions = net.ids("decoder_input_ids"), net.ids("decoder_position_ids")
        with net.inside("decoder"):
            words = net.embedding(ids, "embed_tokens", model.vocab, model.hidden)
            places = net.embedding(positions, "embed_positions", model.decoder.places, model.hidden)
            x = net.reshape(net.emit(nn.AddOp, words, places), net.rows, model.hidden)
            for index in range(min(layers, model.decoder.layers)):
                with net.inside("layers", index):
                    x = _decoder_layer(net, model, x, sound, Cache(net, index, past))
            x = net.layer_norm(x, "layer_norm", EPSILON)
            table = net.weight("embed_tokens.weight", model.vocab, model.hidden)
    logits = net.emit(nn.GemmOp, x, table, transpose_b=1)
    net.outputs = {"logits": net.reshape(logits, net.batch, net.sequence, model.vocab), **net.outputs}


def _encoder(net: Network, model: Whisper, layers: int) -> SSAValue:
    """Rows (batch x places, hidden) of the sound."""
    x = net.input("input_features", (net.batch, model.mels, 2 * model.encoder.places))
    with net.inside("encoder"):
        for name, channels, stride in (("conv1", model.mels, 1), ("conv2", model.hidden, 2)):
            w, bias = net.weight(f"{name}.weight", model.hidden, channels, 3), net.weight(f"{name}.bias", model.hidden)
            x = net.emit(nn.GeluOp, net.emit(nn.ConvOp, x, w, bias, strides=(stride,), pads=(1, 1)))
        x = net.emit(nn.TransposeOp, x, permutation=(0, 2, 1))
        x = net.emit(nn.AddOp, x, net.weight("embed_positions.weight", model.encoder.places, model.hidden))
        x = net.reshape(x, net.batch * model.encoder.places, model.hidden)
        for index in range(layers):
            with net.inside("layers", index):
                y = net.layer_norm(x, "self_attn_layer_norm", EPSILON)
                with net.inside("self_attn"):
                    q = _queries(net, model.encoder, y)
                    y = _attend(net, q, *_keys_and_values(net, model.encoder, y), causal=0)
                x = _with_feed_forward(net, model, model.encoder, net.emit(nn.AddOp, x, y))
        return net.layer_norm(x, "layer_norm", EPSILON)


def _decoder_layer(net: Network, model: Whisper, x: SSAValue, sound: SSAValue | None, cache: Cache) -> SSAValue:
    half = model.decoder
    y = net.layer_norm(x, "self_attn_layer_norm", EPSILON)
    with net.inside("self_attn"):
        k, v = _keys_and_values(net, half, y)
        k, v = cache.extended("key", k, 2), cache.extended("value", v, 2)
        x = net.emit(nn.AddOp, x, _attend(net, _queries(net, half, y), k, v, causal=1))
    y = net.layer_norm(x, "encoder_attn_layer_norm", EPSILON)
    with net.inside("encoder_attn"):
        heard = _heard(net, model, sound, cache.layer)
        x = net.emit(nn.AddOp, x, _attend(net, _queries(net, half, y), *heard, causal=0))
    return _with_feed_forward(net, model, half, x)


def _heard(net: Network, model: Whisper, sound: SSAValue | None, layer: int) -> tuple[SSAValue, SSAValue]:
    """Keys and values of the sound: worked out once, and taken as they are by later steps."""
    if sound is not None:
        k, v = _keys_and_values(net, model.decoder, sound)
        net.outputs |= {f"present.{layer}.encoder.key": k, f"present.{layer}.encoder.value": v}
        return k, v
    half = model.decoder
    shape = (net.batch, half.heads, model.encoder.places, model.hidden // half.heads)
    k, v = (net.input(f"past_key_values.{layer}.encoder.{part}", shape) for part in ("key", "value"))
    return k, v


def _queries(net: Network, half: Half, x: SSAValue) -> SSAValue:
    return net.heads(net.linear(x, "q_proj", nn.shape_of(x)[1], bias=True), half.heads)


def _keys_and_values(net: Network, half: Half, x: SSAValue) -> tuple[SSAValue, SSAValue]:
    """Keys have no bias."""
    width = nn.shape_of(x)[1]
    k, v = net.linear(x, "k_proj", width), net.linear(x, "v_proj", width, bias=True)
    return net.heads(k, half.heads), net.heads(v, half.heads)


def _attend(net: Network, q: SSAValue, k: SSAValue, v: SSAValue, causal: int) -> SSAValue:
    seen = net.emit(nn.AttentionOp, q, k, v, scale=nn.shape_of(q)[3] ** -0.5, causal=causal)
    rows = net.merged(seen)
    return net.linear(rows, "out_proj", nn.shape_of(rows)[1], bias=True)


def _with_feed_forward(net: Network, model: Whisper, half: Half, x: SSAValue) -> SSAValue:
    y = net.layer_norm(x, "final_layer_norm", EPSILON)
    return net.emit(nn.AddOp, x, plain(net, y, "fc1", "fc2", half.ffn, model.activation))
