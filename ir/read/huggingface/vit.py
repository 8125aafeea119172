"""Vision transformers (Dosovitskiy et al. 2020, arXiv:2010.11929)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from xdsl.ir import SSAValue

from ... import nn
from .config import Config
from .feed_forward import ACTIVATIONS, plain
from .network import Network


@dataclass(frozen=True)
class Vit:
    """Sizes of the encoder; without `labels` it ends in the pooler."""

    image: int
    patch: int
    channels: int
    hidden: int
    heads: int
    ffn: int
    activation: str
    epsilon: float
    qkv_bias: bool
    labels: int


def read_model(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """ViTModel: hidden states, and what the pooler makes of the first."""
    config.one_of("pooler_act", ["tanh"], "tanh")
    config.get("pooler_output_size", None)
    return _read(config, 0)


def read_classifier(config: Config) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    """ViTForImageClassification: as many scores as `num_labels`, or as `id2label` names."""
    named = config.get("id2label", None)
    return _read(config, config.integer("num_labels", len(named) if isinstance(named, dict) else 2))


def _read(config: Config, labels: int) -> tuple[int, Callable[[int], Callable[[Network, int], None]]]:
    model = Vit(
        config.integer("image_size", 224),
        config.integer("patch_size", 16),
        config.integer("num_channels", 3),
        config.integer("hidden_size"),
        config.integer("num_attention_heads"),
        config.integer("intermediate_size"),
        config.one_of("hidden_act", list(ACTIVATIONS), "gelu"),
        config.number("layer_norm_eps", 1e-12, least=0),
        config.flag("qkv_bias", True),
        labels,
    )
    if model.image < model.patch:
        config.fault("patch_size", f"patches of {model.patch} do not fit in images of {model.image}")
    config.check_heads("num_attention_heads", "hidden_size")
    return config.layers("num_hidden_layers"), lambda layers: lambda net, _: _build(net, model, layers)


def _build(net: Network, model: Vit, layers: int) -> None:
    """The input is `pixel_values` (batch, channels, image, image)."""
    pixels = net.input("pixel_values", (net.batch, model.channels, model.image, model.image))
    with net.inside("vit" if model.labels else ""):
        x = _embedded(net, model, pixels)
        tokens = nn.shape_of(x)[1]
        x = net.reshape(x, net.batch * tokens, model.hidden)
        for index in range(layers):
            with net.inside("encoder.layer", index):
                x = _layer(net, model, x)
        x = net.layer_norm(x, "layernorm", model.epsilon)
        states = net.reshape(x, net.batch, tokens, model.hidden)
        first = net.emit(nn.SliceOp, states, starts=(0, 0, 0), limits=(nn.END, 1, nn.END))
        first = net.reshape(first, net.batch, model.hidden)
        if not model.labels:
            pooled = net.emit(nn.TanhOp, net.linear(first, "pooler.dense", model.hidden, bias=True))
            net.outputs |= {"last_hidden_state": states, "pooler_output": pooled}
            return
    net.outputs["logits"] = net.linear(first, "classifier", model.labels, bias=True)


def _embedded(net: Network, model: Vit, pixels: SSAValue) -> SSAValue:
    """(batch, 1 + patches, hidden): the token that stands for the class, then the patches row by row."""
    patches = (model.image // model.patch) ** 2
    with net.inside("embeddings"):
        with net.inside("patch_embeddings.projection"):
            w = net.weight("weight", model.hidden, model.channels, model.patch, model.patch)
            strides = (model.patch, model.patch)
            x = net.emit(nn.ConvOp, pixels, w, net.weight("bias", model.hidden), strides=strides)
        x = net.reshape(x, net.batch, model.hidden, patches)
        x = net.emit(nn.TransposeOp, x, permutation=(0, 2, 1))
        token = net.weight("cls_token", 1, 1, model.hidden)
        first = net.emit(nn.BroadcastOp, token, type=nn.with_shape(token, (net.batch, 1, model.hidden)))
        x = net.emit(nn.ConcatOp, first, x, axis=1)
        return net.emit(nn.AddOp, x, net.weight("position_embeddings", 1, 1 + patches, model.hidden))


def _layer(net: Network, model: Vit, x: SSAValue) -> SSAValue:
    y = net.layer_norm(x, "layernorm_before", model.epsilon)
    with net.inside("attention"):
        q, k, v = (
            net.heads(net.linear(y, f"attention.{name}", model.hidden, model.qkv_bias), model.heads)
            for name in ("query", "key", "value")
        )
        seen = net.emit(nn.AttentionOp, q, k, v, scale=(model.hidden // model.heads) ** -0.5)
        x = net.emit(nn.AddOp, x, net.linear(net.merged(seen), "output.dense", model.hidden, bias=True))
    y = net.layer_norm(x, "layernorm_after", model.epsilon)
    return net.emit(nn.AddOp, x, plain(net, y, "intermediate.dense", "output.dense", model.ffn, model.activation))
