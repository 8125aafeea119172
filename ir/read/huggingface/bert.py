"""BERT: an encoder over words with learned places (Devlin et al. 2018, arXiv:1810.04805)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects.builtin import f32, i64
from xdsl.ir import SSAValue

from ... import nn
from .config import Config
from .feed_forward import ACTIVATIONS, plain
from .network import Network

HIDDEN = -1e9
"""added to the score of a token that is not to be seen; finite in f32, which masks are worked out in"""


@dataclass(frozen=True)
class Bert:
    """Sizes of the encoder; `masked_lm` is the one that guesses words, else it ends in the pooler."""

    vocab: int
    kinds: int
    places: int
    hidden: int
    heads: int
    ffn: int
    activation: str
    epsilon: float
    masked_lm: bool


def read_model(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """BertModel: hidden states, and what the pooler makes of the first."""
    return _read(config, False)


def read_masked_lm(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """BertForMaskedLM: scores of every word at every place."""
    return _read(config, True)


def _read(config: Config, masked_lm: bool) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    config.one_of("position_embedding_type", ["absolute"], "absolute")
    for key in ("is_decoder", "add_cross_attention"):
        config.one_of(key, [False], False)
    if masked_lm:
        config.one_of("tie_word_embeddings", [True], True)
    else:
        config.flag("tie_word_embeddings", True)  # there is no head that could be tied
    model = Bert(
        config.integer("vocab_size"),
        config.integer("type_vocab_size", 2),
        config.integer("max_position_embeddings", 512),
        config.integer("hidden_size"),
        config.integer("num_attention_heads"),
        config.integer("intermediate_size"),
        config.one_of("hidden_act", list(ACTIVATIONS), "gelu"),
        config.number("layer_norm_eps", 1e-12, least=0),
        masked_lm,
    )
    config.check_heads("num_attention_heads", "hidden_size")
    return config.layers("num_hidden_layers"), lambda layers: lambda net, _: _build(net, model, layers)


def _build(net: Network, model: Bert, layers: int) -> None:
    """Inputs `input_ids`, `token_type_ids` and `attention_mask` (1 where there is a word), all (batch, sequence)."""
    net.check_places(model.places)
    ids, kinds, mask = (net.ids(name) for name in ("input_ids", "token_type_ids", "attention_mask"))
    with net.inside("bert" if model.masked_lm else ""):
        x = _embedded(net, model, ids, kinds)
        hidden = net.scaled(net.emit(nn.SubOp, net.scalar(1.0, f32), net.cast(mask, f32)), HIDDEN)
        unseen = net.reshape(net.cast(hidden, net.element), net.batch, 1, 1, net.sequence)
        for index in range(layers):
            with net.inside("encoder.layer", index):
                x = _layer(net, model, x, unseen)
        if not model.masked_lm:
            states = net.reshape(x, net.batch, net.sequence, model.hidden)
            first = net.emit(nn.SliceOp, states, starts=(0, 0, 0), limits=(nn.END, 1, nn.END))
            rows = net.reshape(first, net.batch, model.hidden)
            pooled = net.emit(nn.TanhOp, net.linear(rows, "pooler.dense", model.hidden, bias=True))
            net.outputs |= {"last_hidden_state": states, "pooler_output": pooled}
            return
    with net.inside("cls.predictions"):
        x = net.emit(ACTIVATIONS[model.activation], net.linear(x, "transform.dense", model.hidden, bias=True))
        x = net.layer_norm(x, "transform.LayerNorm", model.epsilon)
        bias = net.weight("bias", model.vocab)
    words = net.weight("bert.embeddings.word_embeddings.weight", model.vocab, model.hidden)
    logits = net.emit(nn.GemmOp, x, words, bias, transpose_b=1)
    net.outputs["logits"] = net.reshape(logits, net.batch, net.sequence, model.vocab)


def _embedded(net: Network, model: Bert, ids: SSAValue, kinds: SSAValue) -> SSAValue:
    with net.inside("embeddings"):
        words = net.embedding(ids, "word_embeddings", model.vocab, model.hidden)
        of_kind = net.embedding(kinds, "token_type_embeddings", model.kinds, model.hidden)
        places = net.emit(nn.IotaOp, axis=0, type=nn.tensor(i64, (net.sequence,)))
        of_place = net.embedding(places, "position_embeddings", model.places, model.hidden)
        x = net.emit(nn.AddOp, net.emit(nn.AddOp, words, of_kind), of_place)
        return net.layer_norm(net.reshape(x, net.rows, model.hidden), "LayerNorm", model.epsilon)


def _layer(net: Network, model: Bert, x: SSAValue, unseen: SSAValue) -> SSAValue:
    with net.inside("attention"):
        q, k, v = (
            net.heads(net.linear(x, f"self.{name}", model.hidden, bias=True), model.heads)
            for name in ("query", "key", "value")
        )
        seen = net.emit(nn.AttentionOp, q, k, v, unseen, scale=(model.hidden // model.heads) ** -0.5)
        y = net.linear(net.merged(seen), "output.dense", model.hidden, bias=True)
        x = net.layer_norm(net.emit(nn.AddOp, x, y), "output.LayerNorm", model.epsilon)
    y = plain(net, x, "intermediate.dense", "output.dense", model.ffn, model.activation)
    return net.layer_norm(net.emit(nn.AddOp, x, y), "output.LayerNorm", model.epsilon)
