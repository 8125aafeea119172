"""Families whose layers differ: Qwen3.5, Qwen3-VL, Llama 4, Gemma, MiMo-V2, Step-3.7."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..feed_forward import Dense, Mixture
from ..linear import GatedDeltaNet
from ..mixers import Mixer
from .config import Config
from .grouped import attention_of, read_qwen3, read_qwen3_moe
from .shape import Shape, dense_of, shape_of
from .towers import gemma_vision, llama4_vision, qwen_vision

NOPE_EVERY = 4
"""in Llama 4 each fourth layer has no rotary positions and sees all tokens (`no_rope_layer_interval`)"""


def _with_tower(read: Callable[[Config], Shape]) -> Callable[[Config], Shape]:
    """A reader of a language model, for a config that has it in `text_config` beside a vision tower of Qwen's."""

    def read_both(config: Config) -> Shape:
        text, vision = read(config.part("text_config")), qwen_vision(config.part("vision_config"))
        return replace(text, tied=config.flag("tie_word_embeddings", text.tied), vision=vision)

    return read_both


read_qwen3_vl = _with_tower(read_qwen3)
read_qwen3_vl_moe = _with_tower(read_qwen3_moe)


def read_qwen3_next(config: Config) -> Shape:
    """Qwen3-Next and the language model of Qwen3.5: gated delta networks, each fourth layer gated attention."""
    bias, layers = config.flag("attention_bias"), config.number("num_hidden_layers")
    full = attention_of(config, qk_norm=True, qkv_bias=bias, o_bias=bias, output_gate=True)
    if not config.flag("attn_output_gate", True):
        full = replace(full, output_gate=False)
    delta = GatedDeltaNet(
        hidden=full.hidden,
        key_heads=config.number("linear_num_key_heads"),
        key_dim=config.number("linear_key_head_dim"),
        heads=config.number("linear_num_value_heads"),
        head_dim=config.number("linear_value_head_dim"),
        kernel=config.number("linear_conv_kernel_dim"),
        element_bytes=2 if config.get("mamba_ssm_dtype") == "bfloat16" else 4,
    )
    every = config.count("full_attention_interval") or 4
    kinds = config.get("layer_types") or ["full" if (i + 1) % every == 0 else "linear" for i in range(layers)]
    mixers = [full if kind.startswith("full") else delta for kind in kinds[:layers]]
    return shape_of(config, [(mixer, _qwen_network(config), 2 * full.hidden) for mixer in mixers])


def _qwen_network(config: Config) -> Dense | Mixture:
    if config.get("mlp_only_layers") or config.get("decoder_sparse_step", 1) != 1:
        raise ValueError("mixtures in some of the layers are not covered")
    if not config.get("num_experts"):
        return dense_of(config)
    config.ignore("intermediate_size")
    shared = config.count("shared_expert_intermediate_size")
    return Mixture(
        hidden=config.number("hidden_size"),
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("num_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        shared_experts=1 if shared else 0,
        shared_ffn=shared,
        shared_gate=bool(shared),
    )


read_qwen3_5 = _with_tower(read_qwen3_next)


def read_llama4(config: Config) -> Shape:
    """Llama 4: chunked attention in three of four layers, mixtures in each layer or each second one."""
    text = config.part("text_config") if config.get("text_config") else config
    text.ignore("use_qk_norm")  # without weights
    layers, bias = text.number("num_hidden_layers"), text.flag("attention_bias")
    text.ignore("attn_temperature_tuning", "attn_scale", "floor_scale", "for_llm_compressor")
    full = attention_of(text, qkv_bias=bias, o_bias=bias)
    chunked = replace(full, chunk_tokens=text.number("attention_chunk_size"))
    rotary = text.get("no_rope_layers") or [(i + 1) % NOPE_EVERY != 0 for i in range(layers)]
    mixture = Mixture(
        hidden=full.hidden,
        ffn=text.number("intermediate_size"),
        experts=text.number("num_local_experts"),
        experts_per_token=text.number("num_experts_per_tok"),
        shared_experts=1,
    )
    dense, step = Dense(full.hidden, text.number("intermediate_size_mlp")), text.number("interleave_moe_layer_step")
    sparse = text.get("moe_layers") or [i for i in range(layers) if (i + 1) % step == 0]
    found = [
        (chunked if rotary[i] else full, mixture if i in sparse else dense, 2 * full.hidden) for i in range(layers)
    ]
    vision = llama4_vision(config.part("vision_config"), full.hidden) if config.get("vision_config") else None
    return shape_of(text, found, vision=vision)


def read_gemma2(config: Config) -> Shape:
    """Gemma 2 (arXiv 2408.00118): a window in every other layer, four norms."""
    mixer, layers = attention_of(config), config.number("num_hidden_layers")
    return shape_of(config, _gemma_layers(config, mixer, [i % 2 == 0 for i in range(layers)]), tied=True)


def read_gemma3(config: Config) -> Shape:
    """Gemma 3 (arXiv 2503.19786): a window in five of six layers, four norms, queries and keys normalised."""
    mixer, layers = attention_of(config, qk_norm=True), config.number("num_hidden_layers")
    every = config.count("sliding_window_pattern") or 6
    return shape_of(config, _gemma_layers(config, mixer, [(i + 1) % every != 0 for i in range(layers)]), tied=True)


def _gemma_layers(config: Config, mixer: Mixer, sliding: list[bool]) -> list[tuple[Mixer, Dense, int]]:
    config.refuse("attention_bias")
    config.ignore("query_pre_attn_scalar", "*_logit_softcapping", "cache_implementation")
    if config.get("layer_types"):
        sliding = [kind == "sliding_attention" for kind in config.each("layer_types", len(sliding))]
    windowed = replace(mixer, window_tokens=config.number("sliding_window"))  # type: ignore[type-var]
    dense = dense_of(config)
    return [(windowed if each else mixer, dense, 4 * dense.hidden) for each in sliding]


def read_gemma4(config: Config) -> Shape:
    """Gemma 4: wider heads whose keys are the values too in full layers; a mixture beside the dense network."""
    text = config.part("text_config")
    for key in ("hidden_size_per_layer_input", "num_kv_shared_layers"):
        text.refuse(key, 0)
    text.refuse("use_double_wide_mlp")
    text.refuse("attention_bias")
    config.refuse("audio_config")
    text.ignore("vocab_size_per_layer_input", "final_logit_softcapping", "use_bidirectional_attention")
    config.ignore("vision_soft_tokens_per_image", "tie_word_embeddings")
    layers = text.number("num_hidden_layers")
    sliding = attention_of(text, qk_norm=True, window_tokens=text.number("sliding_window"))
    full = replace(
        sliding,
        window_tokens=0,
        head_dim=text.number("global_head_dim", "head_dim"),
        kv_heads=text.number("num_global_key_value_heads", "num_key_value_heads"),
        keys_are_values=text.flag("attention_k_eq_v"),
    )
    network, norms = _gemma4_network(text)
    mixers = {"sliding_attention": sliding, "full_attention": full}
    # Each layer's output is scaled by one learnt number besides.
    found = [(mixers[kind], network, norms * sliding.hidden + 1) for kind in text.each("layer_types", layers)]
    tower = config.part("vision_config")
    return shape_of(text, found, tied=True, vision=gemma_vision(tower, sliding.hidden))


def _gemma4_network(text: Config) -> tuple[Dense | Mixture, int]:
    """The network, and how many norms a layer has with it."""
    if not text.flag("enable_moe_block"):
        return dense_of(text), 4
    mixture = Mixture(
        hidden=text.number("hidden_size"),
        ffn=text.number("moe_intermediate_size"),
        experts=text.number("num_experts"),
        experts_per_token=text.number("top_k_experts"),
        shared_experts=1,
        shared_ffn=text.number("intermediate_size"),
        router_scale=True,
    )
    return mixture, 7


def read_mimo_v2(config: Config) -> Shape:
    """MiMo-V2-Flash: windows with sinks and more key heads in most layers, narrower values than keys."""
    config.refuse("n_shared_experts", 0)
    config.refuse("attention_bias")
    layers, window = config.number("num_hidden_layers"), config.number("sliding_window", "sliding_window_size")
    config.ignore("attention_value_scale", "swa_rope_theta")
    for key in ("sliding_window_size", "attention_chunk_size"):
        config.refuse(key, window)
    full = attention_of(
        config, v_head_dim=config.number("v_head_dim"), sinks=config.flag("add_full_attention_sink_bias")
    )
    sliding = replace(
        full,
        heads=config.number("swa_num_attention_heads"),
        kv_heads=config.number("swa_num_key_value_heads"),
        head_dim=config.number("swa_head_dim"),
        v_head_dim=config.number("swa_v_head_dim"),
        sinks=config.flag("add_swa_attention_sink_bias"),
        window_tokens=window,
    )
    mixture = Mixture(
        hidden=full.hidden,
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("n_routed_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        router_correction=config.get("topk_method") == "noaux_tc",
    )
    dense = dense_of(config)
    mixers = [sliding if each else full for each in config.each("hybrid_layer_pattern", layers)]
    networks = [mixture if each else dense for each in config.each("moe_layer_freq", layers)]
    return shape_of(config, [(m, n, 2 * full.hidden) for m, n in zip(mixers, networks, strict=True)])


def read_step(config: Config) -> Shape:
    """Step-3.7 as its config says it: windows in three of four layers, the first layers dense, a shared expert."""
    layers = config.number("num_hidden_layers")
    config.ignore("moe_router_scaling_factor")
    full = attention_of(config, qk_norm=True)
    sliding = replace(full, window_tokens=config.number("sliding_window"))
    mixture = Mixture(
        hidden=full.hidden,
        ffn=config.number("moe_intermediate_size"),
        experts=config.number("num_experts"),
        experts_per_token=config.number("num_experts_per_tok"),
        shared_experts=config.number("n_shared_experts"),
        shared_ffn=config.number("share_expert_dim"),
        router_correction=config.flag("use_moe_router_bias"),
    )
    mixers = {"full_attention": full, "sliding_attention": sliding}
    dense, first = dense_of(config), config.count("first_k_dense_replace")
    kinds = config.each("layer_types", layers)
    found = [(mixers[kind], dense if i < first else mixture, 2 * full.hidden) for i, kind in enumerate(kinds)]
    guess = "heads of windowed layers, gates of heads and the vision tower are not in this config; taken as it says"
    return shape_of(config, found, guess=guess)
