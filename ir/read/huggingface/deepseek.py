"""DeepSeek V2 and V3: latent attention, and mixtures with shared experts behind the first dense layers."""

from __future__ import annotations

from typing import Any

from .config import Config
from .decoder import Decoder, Layer
from .families import common
from .latent import Latent
from .mixture import Experts
from .rope import read_rope


def deepseek_v2(config: Config) -> Decoder:
    """DeepseekV2ForCausalLM: softmax over the experts, groups judged by their best (arXiv:2405.04434)."""
    method = config.one_of("topk_method", ["group_limited_greedy", "greedy"], "greedy")
    config.one_of("scoring_func", ["softmax"], "softmax")
    config.one_of("norm_topk_prob", [False], False)
    groups = _groups(config) if method == "group_limited_greedy" else {}
    if not groups:
        config.asked |= {"n_group", "topk_group"}
    routing = {"score": "softmax", "normalise": 0, "group_best": 1, **groups}
    return _deepseek(config, routing, correction=False)


def deepseek_v3(config: Config) -> Decoder:
    """DeepseekV3ForCausalLM: sigmoid with a corrected pick, groups judged by their two best (arXiv:2412.19437)."""
    config.one_of("topk_method", ["noaux_tc"], "noaux_tc")
    config.one_of("scoring_func", ["sigmoid"], "sigmoid")
    routing = {"score": "sigmoid", "normalise": int(config.flag("norm_topk_prob", True)), "group_best": 2}
    return _deepseek(config, {**routing, **_groups(config)}, correction=True)


def _groups(config: Config) -> dict[str, int]:
    groups, count = config.integer("n_group", 1), config.integer("n_routed_experts")
    if count % groups:
        config.fault("n_group", f"{groups} groups do not divide {count} experts")
    return {"groups": groups, "top_groups": config.picks("topk_group", groups, 1)}


def _deepseek(config: Config, routing: dict[str, Any], correction: bool) -> Decoder:
    widths = Latent(
        config.integer("q_lora_rank", 0),
        config.integer("kv_lora_rank"),
        config.integer("qk_nope_head_dim"),
        config.integer("qk_rope_head_dim"),
        config.integer("v_head_dim"),
    )
    config.get("num_key_value_heads", None)  # all heads share one latent vector
    config.get("head_dim", None)  # of what is turned, as some files note
    rope = read_rope(config, widths.turned, interleaved=config.flag("rope_interleave", True))
    dense, step = config.integer("first_k_dense_replace", 0, least=0), config.integer("moe_layer_freq", 1)
    layers = [
        Layer(rope, mixture=index >= dense and index % step == 0) for index in range(config.layers("num_hidden_layers"))
    ]
    inner = config.integer("moe_intermediate_size")
    count = config.integer("n_routed_experts")
    routing |= {"k": config.picks("num_experts_per_tok", count), "scale": config.number("routed_scaling_factor", 1.0)}
    shared = config.integer("n_shared_experts", 0, least=0) * inner
    experts = Experts(count, inner, routing, shared, correction)
    width = widths.plain + widths.turned
    more = {"latent": widths, "experts": experts, "scale": width**-0.5 * rope.score_factor}
    bias = config.flag("attention_bias")
    return common(config, layers, width, qkv_bias=bias, o_bias=bias, **more)
