"""Families with latent attention: DeepSeek V2, V3 and V3.2, GLM-5, Kimi K2, Kimi Linear and K3; and DeepSeek-V4."""

from __future__ import annotations

from dataclasses import replace

from ..compressed import OVERLAPPING, CompressedAttention
from ..feed_forward import Dense, Mixture
from ..latent import LatentAttention
from ..linear import KimiDelta
from ..mixers import Mixer
from .config import Config
from .shape import Layer, Shape, shape_of
from .towers import moon_vision


def latent_of(config: Config) -> LatentAttention:
    """Multi-head latent attention from the keys of DeepSeek-V3."""
    config.refuse("attention_bias")
    config.ignore("num_key_value_heads", "head_dim", "qk_head_dim")  # one vector for all heads; a sum of others
    return LatentAttention(
        hidden=config.number("hidden_size"),
        heads=config.number("num_attention_heads"),
        head_dim=config.number("qk_nope_head_dim") + config.number("qk_rope_head_dim"),
        rope_dim=config.number("qk_rope_head_dim"),
        v_head_dim=config.number("v_head_dim"),
        kv_latent=config.number("kv_lora_rank"),
        q_latent=config.count("q_lora_rank"),
    )


def mixture_of(config: Config) -> Mixture:
    """A mixture with shared experts from the keys of DeepSeek-V3 (arXiv 2412.19437, section 2.1.2)."""
    if config.get("moe_layer_freq", 1) != 1:
        raise ValueError("mixtures in some of the layers are not covered")
    return Mixture(
        hidden=config.number("hidden_size"),
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("n_routed_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        shared_experts=config.count("n_shared_experts"),
        router_correction=config.get("topk_method", "noaux_tc") == "noaux_tc",
    )


def read_deepseek(config: Config) -> Shape:
    """DeepSeek V2 and V3, Kimi K2: the first layers are dense."""
    return shape_of(config, _layers(config, [latent_of(config)] * config.number("num_hidden_layers")))


def _layers(config: Config, mixers: list[LatentAttention]) -> list[Layer]:
    mixture, hidden = mixture_of(config), config.number("hidden_size")
    dense = Dense(hidden, config.number("intermediate_size"))
    first = config.count("first_k_dense_replace")
    networks = [dense if layer < first else mixture for layer in range(len(mixers))]
    kinds = config.get("mlp_layer_types")
    if kinds and kinds[: len(mixers)] != ["dense" if n is dense else "sparse" for n in networks]:
        raise ValueError("'mlp_layer_types' and 'first_k_dense_replace' say different things")
    return [(mixer, network, 2 * hidden) for mixer, network in zip(mixers, networks, strict=True)]


def read_deepseek_sparse(config: Config) -> Shape:
    """DeepSeek-V3.2 and GLM-5: an indexer picks tokens; in GLM-5.2 some layers take the picks of an earlier one."""
    config.ignore("indexer_rope_interleave", "moe_router_dtype", "index_skip_topk_offset", "index_topk_pattern")
    if not config.get("indexer_types"):
        config.refuse("index_topk_freq", 1)
    config.ignore("index_topk_freq")  # said layer by layer by `indexer_types`
    layers = config.number("num_hidden_layers")
    full = replace(
        latent_of(config),
        index_heads=config.number("index_n_heads"),
        index_head_dim=config.number("index_head_dim"),
        index_topk=config.number("index_topk"),
    )
    kinds = config.each("indexer_types", layers) if config.get("indexer_types") else ["full"] * layers
    known = {"full": full, "shared": replace(full, index_shared=True)}
    return shape_of(config, _layers(config, [known[kind] for kind in kinds]))


def read_kimi_vision(config: Config) -> Shape:
    """Kimi K2.5: K2 with a vision tower."""
    text, vision = config.part("text_config"), moon_vision(config.part("vision_config"))
    config.ignore("use_unified_vision_chunk", "tie_word_embeddings")  # the language model says the latter too
    return replace(read_deepseek(text), vision=vision)


def read_kimi_k3(config: Config) -> Shape:
    """Kimi K3: Kimi Linear with wider parts and a vision tower."""
    text, vision = config.part("text_config"), moon_vision(config.part("vision_config"))
    config.ignore("tie_word_embeddings")
    return replace(read_kimi_linear(text), vision=vision)


def read_kimi_linear(config: Config) -> Shape:
    """Kimi Linear (arXiv 2510.26692) and K3's language model: delta attention, latent attention in some layers."""
    config.ignore("moe_renormalize", "moe_router_activation_func", "use_grouped_topk", "num_expert_group")
    config.ignore("topk_method", "mla_use_nope", "activation_situ_*")
    linear = config.part("linear_attn_config")
    hidden, layers = config.number("hidden_size"), config.number("num_hidden_layers")
    full = replace(latent_of(config), output_gate=config.flag("mla_use_output_gate"))
    delta = KimiDelta(
        hidden=hidden,
        heads=linear.number("num_heads"),
        head_dim=linear.number("head_dim"),
        kernel=linear.number("short_conv_kernel_size"),
        full_gate=linear.flag("use_full_rank_gate"),
        channel_decay=linear.get("gate_lower_bound") is not None,
    )
    numbers = dict.fromkeys(linear["kda_layers"], delta) | dict.fromkeys(linear["full_attn_layers"], full)
    if sorted(numbers) != list(range(1, layers + 1)):
        raise ValueError("'linear_attn_config' must name each layer once, from 1 on")
    residuals = config.count("attn_res_block_size")
    norms = (6 if residuals else 2) * hidden
    found = [(numbers[i + 1], _kimi_network(config, i), norms) for i in range(layers)]
    return shape_of(config, found, extra=2 * hidden if residuals else 0)


def _kimi_network(config: Config, layer: int) -> Dense | Mixture:
    hidden = config.number("hidden_size")
    if config.get("moe_layer_freq", 1) != 1:
        raise ValueError("mixtures in some of the layers are not covered")
    if layer < config.count("first_k_dense_replace"):
        return Dense(hidden, config.number("intermediate_size"))
    return Mixture(
        hidden=hidden,
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("num_experts"),
        experts_per_token=config.number("num_experts_per_token"),
        shared_experts=config.count("num_shared_experts"),
        router_correction=True,
        expert_hidden=config.count("routed_expert_hidden_size"),
        expert_norm=config.flag("latent_moe_use_norm"),
    )


def read_deepseek_v4(config: Config) -> Shape:
    """DeepSeek-V4: windows with compressed entries, `hc_mult` residual streams, a mixture in every layer."""
    config.refuse("attention_bias")
    config.ignore("compress_rope_theta", "num_key_value_heads", "qk_rope_head_dim", "hc_sinkhorn_iters", "hc_eps")
    config.ignore("expert_dtype")  # read with the quantisation
    layers, hidden, streams = (config.number(k) for k in ("num_hidden_layers", "hidden_size", "hc_mult"))
    mixture = mixture_of(config)
    hashed = replace(mixture, router_correction=False)
    mixing = (2 + streams) * streams
    norms = 2 * hidden + 2 * (mixing * (streams * hidden + 1) + 3)
    ratios, by_hash = config.each("compress_ratios", layers), config.count("num_hash_layers")
    mixers = {ratio: _compressed(config, ratio) for ratio in set(ratios)}
    found = [(mixers[ratio], hashed if i < by_hash else mixture, norms) for i, ratio in enumerate(ratios)]
    return shape_of(config, found, extra=streams * (streams * hidden + 1) + 1)


def _compressed(config: Config, ratio: int) -> Mixer:
    if not isinstance(ratio, int) or ratio < 0 or ratio == 1:
        raise ValueError(f"a layer of 'compress_ratios' is {ratio!r}, and must be 0 or at least 2")
    indexed = ratio == OVERLAPPING
    found = CompressedAttention(
        hidden=config.number("hidden_size"),
        heads=config.number("num_attention_heads"),
        head_dim=config.number("head_dim"),
        q_latent=config.number("q_lora_rank"),
        o_groups=config.number("o_groups"),
        o_latent=config.number("o_lora_rank"),
        window_tokens=config.number("sliding_window"),
        ratio=ratio,
    )
    sizes = [config.number(key) for key in ("index_n_heads", "index_head_dim", "index_topk")]
    return replace(found, index_heads=sizes[0], index_head_dim=sizes[1], index_topk=sizes[2]) if indexed else found
