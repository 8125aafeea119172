"""Families with grouped-query attention in every layer: Llama, Mistral, Phi-3, Qwen2, Qwen3, Mixtral, MiMo, MiniMax."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..attention import Attention
from ..feed_forward import Dense, FeedForward, Mixture
from .config import Config
from .shape import Layer, Shape, dense_of, shape_of


def attention_of(config: Config, **more: bool | int) -> Attention:
    """Attention from the keys that all these families have."""
    hidden, heads = config.number("hidden_size"), config.number("num_attention_heads")
    return Attention(
        hidden=hidden,
        heads=heads,
        kv_heads=config.count("num_key_value_heads") or heads,
        head_dim=config.count("head_dim") or hidden // heads,
        **more,  # type: ignore[arg-type]
    )


def _equal(config: Config, mixer: Attention, network: FeedForward) -> list[Layer]:
    return [(mixer, network, 2 * mixer.hidden)] * config.number("num_hidden_layers")


def read_llama(config: Config) -> Shape:
    """Llama, Mistral and Phi-3: a window, where there is one, in every layer."""
    bias = config.flag("attention_bias")
    window = config.count("sliding_window")
    mixer = attention_of(config, qkv_bias=bias, o_bias=bias, window_tokens=window)
    network = replace(dense_of(config), ffn_bias=config.flag("mlp_bias"))
    return shape_of(config, _equal(config, mixer, network))


def read_qwen2(config: Config) -> Shape:
    """Qwen2 and MiMo: biases of queries, keys and values; windows in the later layers."""
    config.ignore("attention_bias")  # MiMo states it; the code of both has them always
    mixer = attention_of(config, qkv_bias=True)
    return shape_of(config, _windowed(config, mixer, dense_of(config)))


def read_qwen3(config: Config) -> Shape:
    """Qwen3: queries and keys normalised by head."""
    bias = config.flag("attention_bias")
    mixer = attention_of(config, qk_norm=True, qkv_bias=bias, o_bias=bias)
    return shape_of(config, _windowed(config, mixer, dense_of(config)))


def _windowed(config: Config, mixer: Attention, network: FeedForward) -> Iterator[Layer]:
    """Layers from `max_window_layers` on have the window, or those that `layer_types` says."""
    layers, window = config.number("num_hidden_layers"), config.count("sliding_window")
    used, first = config.flag("use_sliding_window"), config.count("max_window_layers")
    kinds = config.each("layer_types", layers) if config.get("layer_types") else None
    for layer in range(layers):
        sliding = kinds[layer] == "sliding_attention" if kinds else layer >= first
        found = replace(mixer, window_tokens=window) if window and used and sliding else mixer
        yield found, network, 2 * mixer.hidden


def read_mixtral(config: Config) -> Shape:
    """Mixtral: a mixture in every layer."""
    mixer = attention_of(config, window_tokens=config.count("sliding_window"))
    network = Mixture(
        hidden=mixer.hidden,
        ffn=config.number("intermediate_size"),
        experts=config.number("num_local_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
    )
    return shape_of(config, _equal(config, mixer, network))


def read_qwen3_moe(config: Config) -> Shape:
    """Qwen3 with a mixture in every `decoder_sparse_step`th layer but those of `mlp_only_layers`."""
    return shape_of(config, qwen3_moe_layers(config))


def qwen3_moe_layers(config: Config) -> list[Layer]:
    """The layers of Qwen3's mixtures."""
    config.refuse("use_sliding_window")
    config.ignore("max_window_layers", "sliding_window")
    config.refuse("qkv_bias")
    config.refuse("shared_expert_intermediate_size", 0)
    bias = config.flag("attention_bias")
    mixer = attention_of(config, qk_norm=config.flag("use_qk_norm", True), qkv_bias=bias, o_bias=bias)
    mixture = Mixture(
        hidden=mixer.hidden,
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("num_experts", "num_local_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
    )
    dense = dense_of(config)
    plain, step = set(config.get("mlp_only_layers") or []), config.count("decoder_sparse_step") or 1
    sparse = [i not in plain and (i + 1) % step == 0 for i in range(config.number("num_hidden_layers"))]
    return [(mixer, mixture if each else dense, 2 * mixer.hidden) for each in sparse]


def read_gpt_oss(config: Config) -> Shape:
    """gpt-oss (arXiv 2508.10925): windows in every other layer, sinks, biases everywhere but in norms."""
    layers, window = config.number("num_hidden_layers"), config.number("sliding_window")
    bias = config.flag("attention_bias", True)
    config.ignore("experts_per_token")
    whole = attention_of(config, qkv_bias=bias, o_bias=bias, sinks=True)
    network = Mixture(
        hidden=whole.hidden,
        ffn=config.number("intermediate_size"),
        experts=config.number("num_local_experts"),
        experts_per_token=config.number("num_experts_per_tok", "experts_per_token"),
        ffn_bias=True,
    )
    kinds = config.each("layer_types", layers)
    mixers = {"full_attention": whole, "sliding_attention": replace(whole, window_tokens=window)}
    return shape_of(config, [(mixers[kind], network, 2 * whole.hidden) for kind in kinds])


def read_minimax_m2(config: Config) -> Shape:
    """MiniMax-M2: queries and keys normalised over all heads, a mixture in every layer."""
    config.refuse("shared_intermediate_size", 0)
    for kind in config.get("attn_type_list") or []:
        if kind != 1:
            raise ValueError(f"layers of the attention type {kind} are not covered")
    whole = config.flag("use_qk_norm") and config["qk_norm_type"] == "per_layer"
    mixer = attention_of(config, qk_norm_whole=whole, qk_norm=config.flag("use_qk_norm") and not whole)
    network = Mixture(
        hidden=mixer.hidden,
        ffn=config.number("intermediate_size"),
        experts=config.number("num_local_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        router_correction=config.flag("use_routing_bias"),
    )
    return shape_of(config, _equal(config, mixer, network))


def read_minimax_m3(config: Config) -> Shape:
    """MiniMax-M3 (arXiv 2606.13392): attention over blocks that an indexer picks, shared experts."""
    config.refuse("attention_output_gate")
    config.ignore("first_k_dense_replace", "intermediate_size", "use_gemma_norm")  # said by `moe_layer_freq`
    layers, hidden = config.number("num_hidden_layers"), config.number("hidden_size")
    plain = attention_of(config, qk_norm=config.flag("use_qk_norm"))
    if config.get("qk_norm_type") != "per_head":
        raise ValueError("norms of queries and keys other than `per_head` are not covered")
    mixture = Mixture(
        hidden=hidden,
        ffn=config.number("moe_intermediate_size", "intermediate_size"),
        experts=config.number("num_local_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        shared_experts=config.count("n_shared_experts"),
        shared_ffn=config.count("shared_intermediate_size"),
        router_correction=config.flag("use_routing_bias"),
    )
    dense = Dense(hidden, config.number("dense_intermediate_size"))
    mixers = _sparse_of(config.part("sparse_attention_config"), plain, layers)
    networks = [mixture if each else dense for each in config.each("moe_layer_freq", layers)]
    return shape_of(config, [(m, n, 2 * hidden) for m, n in zip(mixers, networks, strict=True)])


def _sparse_of(config: Config, plain: Attention, layers: int) -> list[Attention]:
    """Attention of each layer; the indexer has no values of its own in all layers that have one."""
    config.refuse("sparse_init_block", 0)
    config.ignore("sparse_score_type", "sparse_local_block")  # which blocks are picked, not how many
    if not config.flag("use_sparse_attention"):
        return [plain] * layers
    found = replace(
        plain,
        index_heads=config.number("sparse_num_index_heads"),
        index_head_dim=config.number("sparse_index_dim"),
        index_topk=config.number("sparse_topk_blocks") * config.number("sparse_block_size"),
    )
    frequency = config.each("sparse_attention_freq", layers)
    if config.each("sparse_disable_index_value", layers) != frequency:
        raise ValueError("indexers with values of their own are not covered")
    return [found if each else plain for each in frequency]
