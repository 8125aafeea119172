"""Decoder-only families with grouped-query attention: Llama, Mistral, Qwen 2 and 3, Mixtral, Gemma 2 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .config import Config
from .decoder import Decoder, Layer
from .feed_forward import ACTIVATIONS
from .mixture import Experts
from .rope import LEAST_BASE, Rope, read_rope

FULL, SLIDING = "full_attention", "sliding_attention"


def common(config: Config, layers: Sequence[Layer], head_dim: int, **more: Any) -> Decoder:
    """What all families say under the same keys."""
    given = {
        "vocab": config.integer("vocab_size"),
        "hidden": config.integer("hidden_size"),
        "heads": config.integer("num_attention_heads"),
        "kv_heads": kv_heads(config),
        "ffn": config.integer("intermediate_size"),
        "epsilon": config.number("rms_norm_eps", 1e-6, least=0),
        "scale": head_dim**-0.5,
        "tied": config.flag("tie_word_embeddings", False),
        **more,
    }
    if "activation" not in given:
        given["activation"] = config.one_of("hidden_act", list(ACTIVATIONS))
    return Decoder(head_dim=head_dim, layers=tuple(layers), **given)


def kv_heads(config: Config) -> int:
    """Key heads, which must divide the query heads."""
    heads = config.integer("num_attention_heads")
    found = config.integer("num_key_value_heads", heads)
    if heads % found and "num_attention_heads" not in config.wrong:
        config.fault("num_key_value_heads", f"{found} key heads do not divide {heads} query heads")
    return found


def head_width(config: Config, default: int | None = None) -> int:
    """Elements of a head: `head_dim`, or the hidden size shared out."""
    if config.get("head_dim", None) is None and default is None:
        hidden, heads = config.integer("hidden_size"), config.integer("num_attention_heads")
        config.check_heads("num_attention_heads", "hidden_size")
        return 2 if {"hidden_size", "num_attention_heads"} & config.wrong else max(1, hidden // heads)
    return config.integer("head_dim", default)


def llama(config: Config) -> Decoder:
    """LlamaForCausalLM."""
    width = head_width(config)
    bias = config.flag("attention_bias")
    layers = [Layer(read_rope(config, width))] * config.layers("num_hidden_layers")
    return common(config, layers, width, qkv_bias=bias, o_bias=bias, mlp_bias=config.flag("mlp_bias"))


def mistral(config: Config) -> Decoder:
    """MistralForCausalLM: a window in every layer."""
    width = head_width(config)
    layer = Layer(read_rope(config, width), config.integer("sliding_window", 0))
    return common(config, [layer] * config.layers("num_hidden_layers"), width)


def mixtral(config: Config) -> Decoder:
    """MixtralForCausalLM: the softmax of the experts that a token picks, which is that of all, normalised."""
    width, count = head_width(config), config.integer("num_local_experts")
    layer = Layer(read_rope(config, width), config.integer("sliding_window", 0), mixture=True)
    experts = Experts(
        count,
        config.integer("intermediate_size"),
        {"k": config.picks("num_experts_per_tok", count), "normalise": 1},
        scope="block_sparse_moe",
        names=("w1", "w3", "w2"),
    )
    return common(config, [layer] * config.layers("num_hidden_layers"), width, experts=experts)


def qwen2(config: Config) -> Decoder:
    """Qwen2ForCausalLM."""
    width = head_width(config)
    return common(config, _qwen_layers(config, width), width, qkv_bias=True)


def qwen3(config: Config) -> Decoder:
    """Qwen3ForCausalLM."""
    width, bias = head_width(config, 128), config.flag("attention_bias")
    return common(config, _qwen_layers(config, width), width, qk_norm=True, qkv_bias=bias, o_bias=bias)


def qwen3_moe(config: Config) -> Decoder:
    """Qwen3MoeForCausalLM: mixtures in every `decoder_sparse_step`-th layer but those of `mlp_only_layers`."""
    width, bias = head_width(config), config.flag("attention_bias")
    step, dense = config.integer("decoder_sparse_step", 1), config.get("mlp_only_layers", [])
    if not isinstance(dense, list) or not all(isinstance(each, int) for each in dense):
        config.fault("mlp_only_layers", "`mlp_only_layers` must be a list of whole numbers")
        dense = []
    layers = [
        Layer(layer.rope, layer.window, mixture=(index + 1) % step == 0 and index not in dense)
        for index, layer in enumerate(_qwen_layers(config, width))
    ]
    count = config.integer("num_experts")
    routing = {"k": config.picks("num_experts_per_tok", count), "normalise": int(config.flag("norm_topk_prob"))}
    experts = Experts(count, config.integer("moe_intermediate_size"), routing)
    return common(config, layers, width, qk_norm=True, qkv_bias=bias, o_bias=bias, experts=experts)


def _qwen_layers(config: Config, width: int) -> list[Layer]:
    """With `use_sliding_window`, layers from `max_window_layers` on have one, or those that `layer_types` names."""
    rope, count = read_rope(config, width), config.layers("num_hidden_layers")
    used, window = config.flag("use_sliding_window"), config.integer("sliding_window", 0)
    first = config.integer("max_window_layers", count, least=0)
    kinds = layer_types(config, [SLIDING if used and index >= first else FULL for index in range(count)])
    return [Layer(rope, window if used and kind == SLIDING else 0) for kind in kinds]


def layer_types(config: Config, default: list[str]) -> list[str]:
    """The kind of each layer."""
    kinds = config.get("layer_types", default)
    known = isinstance(kinds, list) and all(kind in (FULL, SLIDING) for kind in kinds)
    if not known or len(kinds) != len(default):
        config.fault("layer_types", f"`layer_types` must say `{FULL}` or `{SLIDING}` for each of {len(default)} layers")
        return default
    return kinds


def gemma2(config: Config) -> Decoder:
    """Gemma2ForCausalLM: every second layer has a window, scores and logits are capped (arXiv:2408.00118)."""
    width, count = head_width(config, 256), config.layers("num_hidden_layers")
    rope, window = read_rope(config, width), config.integer("sliding_window", 4096)
    kinds = layer_types(config, [SLIDING if index % 2 == 0 else FULL for index in range(count)])
    layers = [Layer(rope, window if kind == SLIDING else 0) for kind in kinds]
    caps = {
        "score_cap": _cap(config, "attn_logit_softcapping"),
        "logit_cap": _cap(config, "final_logit_softcapping"),
    }
    return _gemma(config, layers, width, **caps)


def _cap(config: Config, key: str) -> float:
    """What a cap is; 0 where there is none."""
    return 0.0 if config.get(key, None) is None else config.number(key)


def gemma3(config: Config) -> Decoder:
    """Gemma3ForCausalLM: five layers with a window and an embedding of their own to one without (arXiv:2503.19786)."""
    width, count = head_width(config, 256), config.layers("num_hidden_layers")
    near = Rope(config.number("rope_local_base_freq", 10000.0, least=LEAST_BASE), width)
    far, window = read_rope(config, width), config.integer("sliding_window", 4096)
    step = config.integer("sliding_window_pattern", 6)
    kinds = layer_types(config, [SLIDING if (index + 1) % step else FULL for index in range(count)])
    layers = [Layer(near, window) if kind == SLIDING else Layer(far) for kind in kinds]
    for key in ("attn_logit_softcapping", "final_logit_softcapping"):
        config.one_of(key, [None], None)
    return _gemma(config, layers, width, qk_norm=True)


def _gemma(config: Config, layers: Sequence[Layer], width: int, **more: Any) -> Decoder:
    bias = config.flag("attention_bias")
    given = config.one_of("hidden_activation", list(ACTIVATIONS), "gelu_pytorch_tanh")
    config.get("hidden_act", None)  # transformers goes by `hidden_activation`
    config.one_of("use_bidirectional_attention", [False], False)
    scale = config.number("query_pre_attn_scalar", 256) ** -0.5
    tied = config.flag("tie_word_embeddings", True)
    flags = {"plus_one": True, "sandwich": True, "tied": tied, "qkv_bias": bias, "o_bias": bias}
    return common(config, layers, width, activation=given, scale=scale, **flags, **more)
